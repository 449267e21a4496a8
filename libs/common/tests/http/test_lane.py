"""The short way answers what the long way does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Annotated, Any

import httpx
import pytest
from assent_common import metrics
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_common.health import Health
from assent_common.http import app as http_app
from assent_common.http.etags import etag
from assent_common.http.fields import Fields
from assent_common.http.lane import Lane
from assent_common.http.problems import BadRequest, NotYetKnown, Unauthenticated, Unavailable
from assent_common.identity.roles import Principal, Reader, Role, allow
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    id: str
    by: str | None = None


async def chosen(
    colour: Annotated[list[Colour] | None, Query()] = None, word: Annotated[str | None, Query(max_length=5)] = None
) -> tuple[Any, ...]:
    if word == "bad":
        raise BadRequest("a bad word")
    return colour, word


class Question(BaseModel):
    model_config = ConfigDict(extra="forbid")

    word: Annotated[str, Field(max_length=5)]
    colours: list[Colour] = []


Chosen = Annotated[tuple[Any, ...], Depends(chosen)]


def routes() -> APIRouter:
    router = http_app.router()

    @router.get("/leaves/{id:path}/veins")
    async def veins(id: str, request: Request, who: Reader) -> dict[str, str]:
        return {"veins of": id}

    @router.get("/leaves/{id:path}", response_model=Leaf)
    async def leaf(
        id: str, request: Request, who: Reader, as_of: AwareDatetime | None = None, fields: Fields = None
    ) -> Response:
        match id:
            case "gone":
                raise NotYetKnown("no such leaf")
            case "away":
                raise Unavailable("not now")
            case "bug":
                raise RuntimeError("the password is swordfish")
        body = f'{{"id": "{id}", "by": "{who.subject}{as_of or ""}"}}'
        return Response(body, headers={"ETag": etag(7)}, media_type="application/json")

    @router.get("/leaves", response_model=Leaf)
    async def leaves(
        request: Request,
        who: Reader,
        choice: Chosen,
        limit: Annotated[int, Query(ge=1, le=9)] = 5,
        from_: Annotated[str | None, Query(alias="from")] = None,
        fields: Fields = None,
    ) -> Response:
        return Response(f'{{"id": "{choice} {limit} {from_}"}}', media_type="application/json")

    @router.get("/roots")
    async def roots(request: Request, who: Annotated[Principal, allow(Role.ADMIN)]) -> Response:
        return Response("x" * 5000, media_type="text/plain")

    @router.post("/questions", response_model=Leaf)
    async def ask(question: Question, request: Request, who: Reader, loud: bool = False) -> Response:
        if question.word == "bad":
            raise BadRequest("a bad word")
        return Response(f'{{"id": "{question} {loud}", "by": "{who.subject}"}}', media_type="application/json")

    @router.post("/leaves", status_code=201)
    async def grow(leaf: Leaf, request: Request, who: Reader) -> Leaf:
        return leaf

    @router.post("/roots")
    async def dig(request: Request, who: Reader) -> Response:
        return Response("dug", media_type="text/plain")

    return router


def an_app(*, lane: bool) -> FastAPI:
    async def authenticate(token: str) -> Principal:
        if token not in {role.value for role in Role}:
            raise Unauthenticated("no")
        return Principal("tests", "ada", frozenset({Role(token)}))

    app = http_app.build(
        title="Tests",
        version="1",
        description="",
        routers=[routes()],
        database=Database("postgresql+asyncpg://nobody@127.0.0.1:1/nothing", service="tests", clock=SystemClock()),
        health=Health(SystemClock()),
        authenticate=authenticate,
        requests_a_minute=1_000_000,
    )
    others = [each for each in app.user_middleware if getattr(each.cls, "__name__", None) != Lane.__name__]
    assert len(others) == len(app.user_middleware) - 1
    if not lane:
        app.user_middleware = others
    return app


@asynccontextmanager
async def a_client(*, lane: bool) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(an_app(lane=lane)), base_url="http://tests") as client:
        yield client


VIEWER = {"authorization": "Bearer viewer"}
ASKED = [
    *[
        (path, VIEWER)
        for path in ("/leaves/7", "/leaves/arn:aws/7", "/leaves/", "/leaves/a%20b%C3%A9", "/leaves/a%00b")
    ],
    *[
        (path, VIEWER)
        for path in ("/leaves/gone", "/leaves/away", "/leaves/bug", "/leaves/7/veins", "/nowhere", "/roots")
    ],
    *[(f"/leaves/7?{query}", VIEWER) for query in ("as_of=2026-01-01T00:00:00Z", "as_of=noon", "as_of=", "fields=id")],
    *[(f"/leaves/7?{query}", VIEWER) for query in ("fields=root", "as_off=1", "as_of=%00", "&", "as_of")],
    *[(f"/leaves?{query}", VIEWER) for query in ("", "limit=9", "limit=10", "limit=x", "limit=1&limit=2", "from=x")],
    *[(f"/leaves?{query}", VIEWER) for query in ("colour=red&colour=blue", "colour=green", "colour=", "word=longer")],
    *[
        (f"/leaves?{query}", VIEWER)
        for query in ("word=bad", "word=a%00", "word=%FF", "from_=x", "choice=1", "who=eve")
    ],
    *[("/leaves/7", VIEWER | {"if-none-match": tag}) for tag in ('"7"', 'W/"7"', "*", '"6"')],
    *[
        ("/leaves/7", {"authorization": value})
        for value in ("Bearer nobody", "bearer viewer", "Bearer  viewer", "Bearer")
    ],
    *[
        ("/leaves/7", {"authorization": value})
        for value in ("", "Basic viewer", "viewer", "BEARER viewer ", "Bearer a b")
    ],
    *[(path, {}) for path in ("/leaves/7", "/leaves?limit=x", "/leaves?word=bad", "/leaves/gone", "/roots")],
    ("/roots", {"authorization": "Bearer admin"}),
    ("/roots", {"authorization": "Bearer admin", "accept-encoding": "identity"}),
]


@pytest.mark.parametrize(("path", "headers"), ASKED, ids=str)
async def test_both_ways_answer_alike(path: str, headers: dict[str, str]) -> None:
    told = []
    for lane in (True, False):
        async with a_client(lane=lane) as client:
            answer = await client.get(f"/v1{path}", headers={"x-request-id": "one"} | headers)
            told.append((answer.status_code, sorted(answer.headers.items()), answer.content))
    assert told[0] == told[1]


JSON = VIEWER | {"content-type": "application/json"}
SENT: list[tuple[str, dict[str, str], bytes]] = [
    *[
        ("/questions", JSON, body)
        for body in (b'{"word": "a"}', b'{"word": "bad"}', b'{"word": "longer"}', b'{"word": 1}', b"{}", b"[]", b"null")
    ],
    *[
        ("/questions", JSON, body)
        for body in (b"", b"{", b'{"word": "a\\u0000"}', b'{"word": NaN}', b"[" * 99, b'{"word": "a", "other": 1}')
    ],
    *[
        ("/questions", JSON, body)
        for body in (b'{"word": "a", "colours": ["red", "blue"]}', b'{"word": "a", "colours": ["green"]}', b"\xff")
    ],
    ("/questions", JSON, b" " * 1_000_001),
    *[
        ("/questions", VIEWER | {"content-type": kind}, b'{"word": "a"}')
        for kind in (
            "application/json; charset=utf-8",
            "APPLICATION/JSON",
            "application/problem+json",
            "text/plain",
            "",
        )
    ],
    ("/questions", VIEWER, b'{"word": "a"}'),
    *[
        ("/questions", {"authorization": who, "content-type": "application/json"}, body)
        for who in ("Bearer nobody", "")
        for body in (b'{"word": "a"}', b'{"word": 1}', b"{")
    ],
    *[(f"/questions?{query}", JSON, b'{"word": "a"}') for query in ("loud=true", "loud=x", "quiet=1", "loud=%00")],
    ("/leaves", JSON, b'{"id": "7"}'),
    ("/roots", JSON, b"{}"),
    ("/leaves/7", JSON, b"{}"),
]


@pytest.mark.parametrize(("path", "headers", "body"), SENT, ids=lambda each: str(each)[:60])
async def test_both_ways_answer_a_question_alike(path: str, headers: dict[str, str], body: bytes) -> None:
    async def in_pieces() -> AsyncIterator[bytes]:
        yield body[:5]
        yield body[5:]

    told = []
    for lane, content in ((True, body), (True, in_pieces()), (False, body)):
        async with a_client(lane=lane) as client:
            answer = await client.post(f"/v1{path}", headers={"x-request-id": "one"} | headers, content=content)
            told.append((answer.status_code, sorted(answer.headers.items()), answer.content))
    assert told[0] == told[1] == told[2]


async def test_of_what_is_sent_a_question_takes_the_short_way_and_nothing_else() -> None:
    app = an_app(lane=True)
    lane = Lane(app, app)
    taken = {
        path: lane._find({"method": "POST", "path": f"/v1{path}", "query_string": b""})[0] is not None
        for path in ("/questions", "/leaves", "/roots", "/leaves/7")
    }
    assert taken == {"/questions": True, "/leaves": False, "/roots": False, "/leaves/7": False}


async def test_what_is_plain_takes_the_short_way_and_nothing_else() -> None:
    app = an_app(lane=True)
    lane = Lane(app, app)
    taken = {
        path: lane._find({"method": "GET", "path": f"/v1{path}", "query_string": b""})[0] is not None
        for path in ("/leaves/7", "/leaves", "/roots", "/leaves/7/veins", "/nowhere")
    }
    assert taken == {"/leaves/7": True, "/leaves": True, "/roots": True, "/leaves/7/veins": False, "/nowhere": False}


async def test_the_edge_measures_it_by_its_route() -> None:
    counted = metrics.HTTP_REQUESTS.labels("GET", "/v1/leaves/{id:path}", 200)
    before = counted._value.get()
    async with a_client(lane=True) as client:
        await client.get("/v1/leaves/7", headers=VIEWER)
    assert counted._value.get() == before + 1
