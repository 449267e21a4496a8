"""Who is one too many is turned away by the protocol itself, as the app would have done it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import httpx
import pytest
import uvicorn
from assent_common import metrics
from assent_common.http.admission import Admission
from assent_common.http.door import Door
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

HEADS = b"x-request-id: mine\r\nhost: here\r\n"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Counted(Admission):
    """Who comes to the app, whether it lets him in or not."""

    came = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.came += 1
        await super().__call__(scope, receive, send)


class House:
    """An app with room for one, or for so many, and its address."""

    def __init__(self, room: int = 1) -> None:
        self.room = room
        self.app = Starlette(routes=[Route("/{path:path}", self.answer, methods=["GET", "POST"])])
        self.app.add_middleware(self._admission)
        self.lines: list[Line] = []
        self.go = asyncio.Event()
        self.began = asyncio.Event()
        self.second = asyncio.Event()
        self.go_second = asyncio.Event()
        self.asked: list[str] = []
        self.counted: Counted
        config = uvicorn.Config(self.app, port=0, http=Door, log_config=None, lifespan="off", server_header=False)
        self.server = uvicorn.Server(config)

    async def answer(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        if request.url.path == "/slow":
            self.began.set()
            await self.go.wait()
        if request.url.query == "slow":
            self.second.set()
            await self.go_second.wait()
        return PlainTextResponse(f"{request.url.path} {len(await request.body())}")

    async def connect(self) -> "Line":
        port = self.server.servers[0].sockets[0].getsockname()[1]
        line = Line(*await asyncio.open_connection("127.0.0.1", port))
        self.lines.append(line)
        return line

    def in_line(self) -> int:
        """How many requests wait behind others on their lines."""
        return sum(len(getattr(each, "pipeline", ())) for each in self.server.server_state.connections)

    def _admission(self, within: ASGIApp) -> Admission:
        self.app.state.admission = self.counted = Counted(within, at_once=self.room)
        return self.counted


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(
        self, what: str, *, body: bytes = b"", heads: bytes = HEADS, version: bytes = b"1.1", times: int = 1
    ) -> None:
        length = b"content-length: %d\r\n" % len(body) if body else b""
        self._writer.write(b"%s HTTP/%s\r\n%s%s\r\n%s" % (what.encode(), version, heads, length, body) * times)

    async def hear(self, *, without_body: bool = False) -> Answer:
        async with asyncio.timeout(30):
            first, *rest = (await self._reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            headers = dict(line.split(": ", 1) for line in rest if line)
            length = 0 if without_body else int(headers["content-length"])
            return Answer(int(first.split()[1]), headers, await self._reader.readexactly(length))

    async def ask(self, what: str, *, body: bytes = b"", heads: bytes = HEADS, version: bytes = b"1.1") -> Answer:
        self.send(what, body=body, heads=heads, version=version)
        return await self.hear(without_body=what.startswith("HEAD"))

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def is_closed(self) -> bool:
        async with asyncio.timeout(30):
            return await self._reader.read() == b""


@asynccontextmanager
async def opened(house: House) -> AsyncIterator[House]:
    serving = asyncio.create_task(house.server._serve())
    async with asyncio.timeout(30):
        while not house.server.started:
            await asyncio.sleep(0)
    yield house
    house.go.set()
    house.go_second.set()
    for line in house.lines:
        await line.close()
    house.server.should_exit = True
    await serving


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with opened(House()) as house:
        yield house


@pytest.fixture
async def full(house: House) -> House:
    line = await house.connect()
    line.send("GET /slow")
    await house.began.wait()
    return house


async def test_who_is_one_too_many_is_told_what_the_app_would_tell_him(full: House) -> None:
    before = metrics.HTTP_REFUSED.labels("overloaded")._value.get()
    told = await (await full.connect()).ask("GET /v1/gate")
    assert (told.status, told.headers["retry-after"], told.headers["x-request-id"]) == (503, "1", "mine")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(full.app), base_url="http://here") as app:
        of_the_app = await app.get("/v1/gate", headers={"X-Request-Id": "mine"})
    assert (told.status, told.headers, told.body) == (503, dict(of_the_app.headers), of_the_app.content)
    assert metrics.HTTP_REFUSED.labels("overloaded")._value.get() == before + 2
    assert full.asked == ["/slow"]


async def test_his_line_is_kept_whatever_he_sent_with_it(full: House) -> None:
    line = await full.connect()
    for _ in range(3):
        assert (await line.ask("POST /v1/gate", body=b"x" * 100_000)).status == 503
        assert (await line.ask("HEAD /v1/gate")).status == 503
        assert (await line.ask("GET /health/live")).body == b"/health/live 0"
    full.go.set()
    while (answer := await line.ask("POST /v1/gate", body=b"x" * 100_000)).status == 503:
        pass
    assert answer.body == b"/v1/gate 100000"


async def test_of_many_who_come_at_once_no_more_are_let_in_than_there_is_room_for(house: House) -> None:
    first = await house.connect()
    await first.ask("GET /v1/gate")
    lines = [await house.connect() for _ in range(20)]
    house.go.clear()
    # Before the server has a look at any of them.
    for line in lines:
        line.send("GET /slow")
    await house.began.wait()
    house.go.set()
    statuses = [(await line.hear()).status for line in lines]
    assert sorted(statuses) == [200] + [503] * 19
    assert house.counted.came == 2, "the others are turned away at the door"
    assert (await first.ask("GET /v1/gate")).status == 200


async def test_what_stands_behind_another_on_its_line_takes_nobodys_place() -> None:
    async with opened(House(room=2)) as house:
        one, another = await house.connect(), await house.connect()
        await one.ask("GET /v1/gate")
        # By one look of the server.
        one.send("GET /slow", times=50)
        another.send("GET /v1/gate")
        assert (await another.hear()).status == 200


async def test_who_wants_it_closed_has_it_closed(full: House) -> None:
    for heads, version in ((HEADS + b"connection: close\r\n", b"1.1"), (HEADS, b"1.0")):
        line = await full.connect()
        told = await line.ask("GET /v1/gate", heads=heads, version=version)
        assert (told.status, told.headers["connection"]) == (503, "close")
        assert await line.is_closed()


async def test_of_thousands_one_behind_another_each_is_answered(full: House) -> None:
    line = await full.connect()
    line.send("GET /v1/gate", heads=b"", times=5_000)
    for _ in range(5_000):
        assert (await line.hear()).status == 503


async def test_thousands_behind_one_that_was_let_in_are_turned_away_once_it_is_answered(full: House) -> None:
    line = await full.connect()
    line.send("GET /health/live?slow")
    await full.second.wait()
    # By one call, so that the server finds them all when it looks: what is behind the first it does not read.
    line.send("GET /v1/gate", heads=b"", times=5_000)
    async with asyncio.timeout(30):
        while not full.in_line():
            await asyncio.sleep(0)
    assert full.in_line() > 1_000
    full.go_second.set()
    assert (await line.hear()).body == b"/health/live 0"
    for _ in range(5_000):
        assert (await line.hear()).status == 503
