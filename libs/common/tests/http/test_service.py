"""What every service answers, asked over HTTP without any server behind it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from assent_common import telemetry
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.health import Health
from assent_common.http import app as http_app
from assent_common.http import etags, operations, pages
from assent_common.http.middleware import MAX_BODY_BYTES
from assent_common.http.problems import BadRequest, NotYetKnown, Unauthenticated
from assent_common.identity.roles import Principal, Reader, Role, allow
from fastapi import APIRouter, FastAPI, Query, Response
from fastapi.responses import PlainTextResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


class Facet(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    weights: list[float] = []
    anything: dict[str, Any] = {}


def routes() -> APIRouter:
    router = http_app.router()

    @router.post("/facets")
    async def create(facet: Facet, who: Annotated[Principal, allow(Role.ADMIN)]) -> Facet:
        return facet

    @router.get("/facets/{number}")
    async def read(number: int, who: Reader, colour: Annotated[str | None, Query()] = None) -> dict[str, Any]:
        return {"number": number, "by": who.subject}

    @router.get("/large")
    async def large(who: Reader, response: Response) -> list[str]:
        response.headers["ETag"] = etags.etag(7)
        return ["the same again"] * 1000

    @router.get("/nothing")
    async def nothing(who: Reader) -> None:
        raise NotYetKnown("not heard of it")

    @router.get("/bug")
    async def bug(who: Reader) -> None:
        raise RuntimeError("the password is swordfish")

    @router.get("/away")
    async def away(who: Reader) -> None:
        raise ConnectionRefusedError("10.0.0.7:5432")

    @router.put("/facets/{number}")
    async def change(number: int, who: Reader, if_match: etags.IfMatch = None) -> None:
        etags.require_match(if_match, 7)

    return router


def an_app(router: APIRouter | None = None) -> FastAPI:
    async def authenticate(token: str) -> Principal:
        if token not in {role.value for role in Role}:
            raise Unauthenticated("no")
        return Principal("tests", "ada", frozenset({Role(token)}))

    nowhere = Database("postgresql+asyncpg://nobody@127.0.0.1:1/nothing", service="tests", clock=SystemClock())
    return http_app.build(
        title="Tests",
        version="1",
        description="",
        routers=[router or routes()],
        database=nowhere,
        health=Health(SystemClock()),
        authenticate=authenticate,
    )


@asynccontextmanager
async def a_client(role: str | None = "admin") -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {role}"} if role else {}
    # Nothing may reach the server as an exception: uvicorn would log it, and answer without our id.
    transport = httpx.ASGITransport(an_app(), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://tests", headers=headers) as client:
        yield client


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with a_client() as client:
        yield client


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["type"] == (kind if ":" in kind else f"https://assent.dev/problems/{kind}")
    assert document["title"]
    assert document["correlation_id"] == answer.headers["x-request-id"]
    return document


async def test_a_field_at_fault_is_pointed_at(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/facets", json={"name": "x", "weights": [1, "two"], "mood": 1})
    pointers = {error["pointer"] for error in problem(answer, 422, "invalid")["errors"]}
    assert pointers == {"/weights/1", "/mood"}


@pytest.mark.parametrize("number", ["x", "1.5"])
async def test_a_path_at_fault_is_named(client: httpx.AsyncClient, number: str) -> None:
    assert problem(await client.get(f"/v1/facets/{number}"), 422, "invalid")["errors"][0]["pointer"] == "path number"


async def test_an_unknown_query_parameter_is_refused(client: httpx.AsyncClient) -> None:
    document = problem(await client.get("/v1/facets/1?color=red"), 400, "bad-request")
    assert document["errors"][0]["pointer"] == "?color"
    assert "colour" in document["detail"]
    assert (await client.get("/v1/facets/1?colour=red")).status_code == 200


@pytest.mark.parametrize(
    "body",
    {
        "not JSON": b"{",
        "NaN": b'{"name": "x", "anything": {"a": NaN}}',
        "infinity": b'{"name": "x", "weights": [1e999]}',
        "U+0000": b'{"name": "a\\u0000b"}',
        "a lone surrogate": b'{"name": "\\ud800"}',
        "bad UTF-8": b'{"name": "\xff"}',
        "deep": b'{"name": "x", "anything": {"a": ' + b"[" * 40 + b"]" * 40 + b"}}",
        "very deep": b"[" * 100_000,
    }.items(),
    ids=lambda item: item[0],
)
async def test_json_that_cannot_be_kept_is_refused(client: httpx.AsyncClient, body: tuple[str, bytes]) -> None:
    headers = {"content-type": "application/json"}
    problem(await client.post("/v1/facets", content=body[1], headers=headers), 400, "bad-request")


async def test_what_only_looks_like_it_is_taken(client: httpx.AsyncClient) -> None:
    body = {"name": "a\\u0000b", "anything": {"😀": [[[]]], "n": 1e308}}
    answer = await client.post("/v1/facets", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert answer.json()["name"] == "a\\u0000b"


async def test_a_body_without_its_type_is_not_read_as_json(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/facets", content=b'{"name": "x"}', headers={"content-type": "text/plain"})
    problem(answer, 422, "invalid")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_too_large_is_refused_however_it_comes(client: httpx.AsyncClient, chunked: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * (MAX_BODY_BYTES // 50)

    content: Any = pieces() if chunked else b"x" * (MAX_BODY_BYTES + 1)
    answer = await client.post("/v1/facets", content=content, headers={"content-type": "application/json"})
    problem(answer, 413, "too-large")


async def test_what_is_not_there_is_a_problem_too(client: httpx.AsyncClient) -> None:
    problem(await client.get("/v1/dreams"), 404, "not-found")
    answer = await client.delete("/v1/facets/1")
    problem(answer, 405, "about:blank")
    assert answer.headers["allow"]
    answer = await client.get("/v1/nothing")
    problem(answer, 404, "not-yet-known")
    assert answer.headers["retry-after"] == "1"


async def test_without_a_token_nothing_but_the_open_routes_answers() -> None:
    async with a_client(None) as client:
        answer = await client.get("/v1/facets/1")
        problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        for path in operations.OPEN - {"/health/ready"}:
            assert (await client.get(path)).status_code == 200, path
        assert (await client.get("/docs/oauth2-redirect")).status_code == 404
    async with a_client("nonsense") as client:
        problem(await client.get("/v1/facets/1"), 401, "unauthenticated")
    async with a_client("viewer") as client:
        problem(await client.post("/v1/facets", json={"name": "x"}), 403, "forbidden")


async def test_who_may_not_call_is_told_so_before_the_body_is_looked_at() -> None:
    async with a_client("viewer") as client:
        problem(await client.post("/v1/facets", json={"wrong": 1}), 403, "forbidden")


def test_a_route_without_a_rule_refuses_to_start() -> None:
    router = routes()

    @router.get("/forgotten")
    async def forgotten() -> None: ...

    with pytest.raises(TypeError, match="/v1/forgotten must say exactly once"):
        an_app(router)


def test_so_does_one_with_two_and_one_that_can_have_none() -> None:
    router = routes()

    @router.get("/twice")
    async def twice(one: Reader, other: Annotated[Principal, allow(Role.ADMIN)]) -> None: ...

    with pytest.raises(TypeError, match="/v1/twice"):
        an_app(router)

    mounted = routes()
    mounted.add_route("/v1/plain", lambda _: PlainTextResponse("open to all"))
    with pytest.raises(TypeError, match="/v1/plain"):
        an_app(mounted)


def test_the_table_of_access_is_read_from_the_routes() -> None:
    table = http_app.access_table(an_app())
    assert table["POST", "/v1/facets"] == {Role.ADMIN}
    assert table["GET", "/v1/facets/{number}"] == frozenset(Role)
    assert len(table) == 7


async def test_a_fault_of_ours_says_nothing_but_its_id(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/bug")
    problem(answer, 500, "internal-error")
    assert "swordfish" not in answer.text


async def test_a_dependency_that_is_away_is_a_503_to_be_tried_again(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/away")
    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"]
    assert "10.0.0.7" not in answer.text
    ready = await client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json()["dependencies"]["postgres"]["status"] == "failing"
    assert (await client.get("/health/live")).status_code == 200


async def test_the_request_id_comes_back(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/facets/1", headers={"X-Request-Id": "abc-123"})
    assert answer.headers["x-request-id"] == "abc-123"
    for other in ("a b", "x" * 101, "a\tb", '"><script>'):
        answer = await client.get("/v1/facets/1", headers={"X-Request-Id": other})
        assert UUID(answer.headers["x-request-id"]).version == 7


async def test_metrics_name_the_route_and_never_the_path(client: httpx.AsyncClient) -> None:
    await client.get("/v1/facets/123456")
    await client.get("/v1/dreams/654321")
    await client.request("BREW", "/v1/facets/1")
    text = (await client.get("/metrics")).text
    assert 'route="/v1/facets/{number}"' in text
    assert 'method="other"' in text
    for secret in ("123456", "654321", "BREW"):
        assert secret not in text


async def test_a_change_needs_the_state_that_it_changes(client: httpx.AsyncClient) -> None:
    problem(await client.put("/v1/facets/1"), 428, "precondition-required")
    for stale in ('"6"', 'W/"7"', "7", '"77"'):
        answer = await client.put("/v1/facets/1", headers={"If-Match": stale})
        problem(answer, 412, "stale")
        assert answer.headers["etag"] == '"7"'
    for good in ('"7"', "*", '"6", "7"'):
        assert (await client.put("/v1/facets/1", headers={"If-Match": good})).status_code == 200


SHAPE = (str, datetime.fromisoformat, UUID, int, float)
KEY = ["churn", "2026-01-01T00:00:00+00:00", "0197a000-0000-7000-8000-000000000000", 7, 0.5]


def test_a_cursor_leads_where_its_page_ended() -> None:
    rows = [["a"], ["b"], ["c"]]
    shown, cursor = pages.page(rows, 2, key=lambda row: row, of={"q": "x"})
    assert (shown, pages.read_cursor(cursor, of={"q": "x"}, shape=(str,))) == ([["a"], ["b"]], ["b"])
    assert pages.page(rows, 3, key=lambda row: row, of={"q": "x"})[1] is None
    assert pages.read_cursor(pages.write_cursor([None, 7], of=1), of=1, shape=(str, int)) == [None, 7]
    with pytest.raises(BadRequest, match="another list"):
        pages.read_cursor(cursor, of={"q": "y"}, shape=(str,))


@settings(deadline=None)
@given(st.data())
def test_any_mangled_cursor_is_a_bad_request(data: st.DataObject) -> None:
    cursor = pages.write_cursor(KEY, of="models")
    at = data.draw(st.integers(0, len(cursor) - 1))
    put = data.draw(st.text(max_size=3))
    mangled = cursor[:at] + put + cursor[at + data.draw(st.integers(0, 3)) :]
    if mangled != cursor:
        with pytest.raises(BadRequest):
            pages.read_cursor(mangled, of="models", shape=SHAPE)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)


@settings(deadline=None)
@given(st.text() | JSON.map(json.dumps))
def test_any_text_is_a_bad_request_and_never_a_fault(text: str) -> None:
    for cursor in (text, pages._encoded(text.encode(errors="replace"))):
        with pytest.raises(BadRequest):
            pages.read_cursor(cursor, of="models", shape=SHAPE)


NUMBER = st.integers(-(2**70), 2**70) | st.floats()
PART: st.SearchStrategy[Any] = st.none() | st.booleans() | NUMBER | st.text() | st.just({})


@settings(deadline=None)
@given(st.lists(PART, min_size=5, max_size=5))
def test_a_cursor_made_up_with_its_checksum_is_typed_or_refused(key: list[Any]) -> None:
    try:
        cursor = pages.write_cursor(key, of="models")
    except TypeError:
        return
    try:
        parsed = pages.read_cursor(cursor, of="models", shape=SHAPE)
    except BadRequest:
        return
    assert parsed is not None
    kinds = (str, datetime, UUID, int, float)
    assert all(part is None or isinstance(part, kind) for part, kind in zip(parsed, kinds, strict=True))
    assert parsed[3] is None or abs(parsed[3]) <= 2**63


def test_the_largest_event_leaves_room_for_what_the_broker_adds() -> None:
    assert envelope.MAX_BYTES < 1_048_588 - 40_000


async def test_what_is_large_is_sent_small_to_who_can_unpack_it() -> None:
    async with a_client() as client:
        packed = await client.get("/v1/large")
        assert packed.headers["content-encoding"] == "gzip"
        plain = await client.get("/v1/large", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert packed.json() == plain.json()


@pytest.mark.parametrize(
    ("named", "status"), [('"7"', 304), ('W/"7"', 304), ('"6", "7"', 304), ("*", 304), ('"6"', 200)]
)
async def test_what_a_client_has_already_is_not_sent_again(named: str, status: int) -> None:
    async with a_client() as client:
        answer = await client.get("/v1/large", headers={"If-None-Match": named})
        assert (answer.status_code, answer.headers["etag"]) == (status, '"7"')
        assert bool(answer.content) is (status == 200)


async def test_every_answer_says_how_often_one_may_still_ask() -> None:
    async with a_client() as client:
        first = await client.get("/v1/facets/1")
        assert first.headers["ratelimit-policy"] == '"default";q=30000;w=60'
        assert (await client.get("/v1/nothing")).headers["ratelimit"].startswith('"default";r=2999')


@pytest.mark.parametrize("path", ["/v1/facets/1?colour=a%00b", "/v1/facets/a%00b"])
async def test_a_nul_is_refused_at_the_door(path: str) -> None:
    async with a_client() as client:
        assert (await client.get(path)).status_code in (400, 422)


@pytest.mark.parametrize("path", ["/v1/facets/1", "/v1/nothing", "/health/live", "/metrics"])
async def test_no_browser_runs_frames_keeps_or_guesses_what_is_answered(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    # No other origin is let in.
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert answer.headers["content-type"].split(";")[0] in {
        *("application/json", "application/problem+json", "text/plain"),
    }


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
async def test_a_method_that_is_not_offered_is_refused(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/v1/facets/1")
    assert answer.status_code in {404, 405}
    assert answer.headers["content-type"] == "application/problem+json"


HEADERS = {
    "a line of its own": "abc\r\nX-Evil: 1",
    "a log line of its own": 'x\n{"event": "request", "status": 200}',
    "a terminal's colours": "\x1b[31mred",
    "another encoding": "\xe4\xf6",
}


@pytest.mark.parametrize("what", HEADERS)
async def test_what_a_caller_puts_into_a_header_makes_neither_a_header_nor_a_line(
    client: httpx.AsyncClient, what: str
) -> None:
    """Past the server, which would not let the worst of it through, at the app itself."""
    hostile = HEADERS[what].encode("latin-1")
    answer = await client.get(
        "/v1/facets/1", headers=[(b"X-Request-Id", hostile), (b"traceparent", hostile), (b"Idempotency-Key", hostile)]
    )
    assert "x-evil" not in answer.headers
    assert UUID(answer.headers["x-request-id"]).version == 7
    # As a line of the log would be written.
    said = {"event": "request", "path": hostile.decode("latin-1")}
    line = telemetry._to_json(said)
    assert len(line.splitlines()) == 1
    assert json.loads(line) == said
