"""The log says who asked for what, and why he was refused; and nobody fills the disk with it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
import pytest
from assent_common import metrics
from assent_common.http import app as http_app
from assent_common.http.problems import Forbidden
from assent_common.http.request_log import A_MINUTE, MOST, RequestLog
from assent_common.identity.roles import Principal, Reader, Role, allow
from fastapi import Request, Response

from libs.common.tests.http.served import bearing, served
from libs.common.tests.identity.issuer import URL, Issuer
from libs.common.tests.lines import Lines

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated"),
]


@asynccontextmanager
async def a_service(issuer: Issuer, requests_a_minute: int = 30_000) -> AsyncIterator[httpx.AsyncClient]:
    router = http_app.router()

    @router.get("/short/{word}")
    async def short(word: str, request: Request, who: Reader, q: str = "") -> Response:
        return Response(word)

    @router.get("/locked")
    async def locked(request: Request, who: Annotated[Principal, allow(Role.ADMIN)]) -> Response:
        return Response()

    @router.post("/tasks/{word}/decision")
    async def decide(word: str, who: Reader) -> None:
        raise Forbidden("who put it forward decides nothing")

    async with served(router, issuer.verifier.authenticate, requests_a_minute=requests_a_minute) as client:
        yield client


async def test_a_line_says_who_asked_for_what(issuer: Issuer, lines: Lines) -> None:
    async with a_service(issuer) as client:
        await client.get("/v1/short/word?q=not-in-a-log", headers=bearing(issuer.token()))
        await client.get("/v1/short/" + "x" * 2_000, headers=bearing("swordfish"))
        first, second = lines()
    assert first["event"] == "request"
    assert (first["issuer"], first["subject"], first["path"]) == (URL, "ada", "/v1/short/word")
    assert (first["method"], first["status"], first["service"]) == ("GET", 200, "tests")
    assert first["correlation_id"]
    assert first["timestamp"].endswith("Z")
    assert (second["issuer"], second["subject"]) == ("assent:service-token", "ci")
    assert len(second["path"]) == 1_000


@pytest.mark.parametrize(
    ("method", "path", "why"),
    [
        ("GET", "/v1/locked", "this needs one of the roles admin"),
        ("POST", "/v1/tasks/7/decision", "who put it forward decides nothing"),
    ],
)
async def test_what_somebody_may_not_do_is_told_with_who_and_why(
    issuer: Issuer, lines: Lines, method: str, path: str, why: str
) -> None:
    async with a_service(issuer) as client:
        assert (await client.request(method, path, headers=bearing(issuer.token()))).status_code == 403
        (line,) = lines()
    assert (line["event"], line["level"], line["status"], line["path"]) == ("refused", "warning", 403, path)
    assert (line["issuer"], line["subject"]) == (URL, "ada")
    assert (line["reason"], line["detail"]) == ("forbidden", why)


REFUSED: dict[str, tuple[str, Callable[[Issuer], str], str | None]] = {
    "expired": ("claims", lambda i: i.token(exp=i.at(hours=-1)), "ada"),
    "for another audience": ("claims", lambda i: i.token(aud="payroll"), "ada"),
    "an ID token": ("type", lambda i: i.token(nonce="n"), "ada"),
    "by a stranger's key": ("signature", lambda i: i.token(header={"kid": "rs"}, sub="eve"), "eve"),
    "with a subject that is no text": ("claims", lambda i: i.token(sub={"a": 1}), None),
    "with a subject for a terminal": ("claims", lambda i: i.token(sub="\x1b[31m"), None),
    "no token at all": ("form", lambda i: "let-me-in-swordfish", None),
    "a body that is no JSON": ("signature", lambda i: i.token(body=b"{", header={"kid": "rs"}), None),
    "too long": ("size", lambda i: i.token(padding="x" * 9_000), None),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_token_that_is_refused_is_told_with_whose_it_claims_to_be_and_never_itself(
    issuer: Issuer, lines: Lines, what: str
) -> None:
    reason, forge, claimed = REFUSED[what]
    token = forge(issuer)
    async with a_service(issuer) as client:
        answer = await client.get("/v1/locked", headers=bearing(token))
        assert answer.status_code == 401
        (line,) = lines()
    assert (line["event"], line["status"], line["reason"]) == ("refused", 401, reason)
    assert line["detail"]
    assert line.get("claimed_subject") == claimed
    # Nobody was verified, and the caller is not told what the log is.
    assert "subject" not in line
    assert "claimed" not in answer.text
    for part in (token, *token.split(".")):
        assert part not in json.dumps(line)


async def test_who_sends_none_is_told_as_such(issuer: Issuer, lines: Lines) -> None:
    async with a_service(issuer) as client:
        await client.get("/v1/locked")
        (line,) = lines()
    assert (line["event"], line["reason"]) == ("refused", "no_token")


@pytest.mark.parametrize("path", ["/v1/locked", "/v1/short/word", "/v1/nowhere", "/openapi.json", "/v1/short/a?b=c"])
async def test_strangers_write_few_lines_however_often_they_ask_and_are_counted(
    issuer: Issuer, lines: Lines, path: str
) -> None:
    before = metrics.REQUESTS_NOT_LOGGED._value.get()
    async with a_service(issuer) as client:
        for number in range(A_MINUTE + 20):
            # Each of another subject, by a key that is not its own.
            await client.get(path, headers=bearing(issuer.token(header={"kid": "rs"}, sub=f"eve-{number}")))
        assert len(lines()) == A_MINUTE
    assert metrics.REQUESTS_NOT_LOGGED._value.get() == before + 20


async def test_who_is_known_and_refused_writes_few_lines_too_and_takes_nobody_elses(
    issuer: Issuer, lines: Lines
) -> None:
    async with a_service(issuer) as client:
        for _ in range(A_MINUTE + 20):
            await client.get("/v1/locked", headers=bearing(issuer.token()))
        assert len(lines()) == A_MINUTE
        await client.get("/v1/locked", headers=bearing(issuer.token(sub="bob")))
        await client.post("/v1/tasks/7/decision", headers=bearing(issuer.token()))
        await client.get("/v1/short/word", headers=bearing(issuer.token()))
        assert [(line["event"], line["subject"]) for line in lines()] == [
            ("refused", "bob"),
            ("refused", "ada"),
            ("request", "ada"),
        ]


async def test_who_asks_more_often_than_he_may_does_not_write_more_often(issuer: Issuer, lines: Lines) -> None:
    async with a_service(issuer, requests_a_minute=3) as client:
        for _ in range(40):
            await client.get("/v1/short/word", headers=bearing(issuer.token()))
        told = [(line["event"], line["status"], line.get("reason")) for line in lines()]
    assert told == [("request", 200, None)] * 3 + [("refused", 429, "too-many-requests")] * A_MINUTE


def test_what_was_left_out_is_said_once_the_minute_is_over(lines: Lines) -> None:
    now = [0.0]
    log = RequestLog(lambda: now[0])
    scope = {"method": "GET", "path": "/v1/x", "state": {"problem": Forbidden("no")}}
    for _ in range(A_MINUTE + 7):
        log.tell(scope, route="/v1/x", status=403, took_s=0.001)
    assert len(lines()) == A_MINUTE
    now[0] = 61.0
    log.tell(scope, route="/v1/x", status=403, took_s=0.001)
    over, again = lines()
    assert (over["event"], over["count"]) == ("requests_not_told", 7)
    assert again["event"] == "refused"
    # And no more than so many are remembered of whoever it is.
    for number in range(MOST + 5):
        log.tell(scope | {"path": "/"}, route=f"/{number}", status=404, took_s=0.0)
    assert len(lines()) == MOST - 1
