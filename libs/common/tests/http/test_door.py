"""Who is one too many is turned away by the protocol itself, as the app would have done it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import httptools
import httpx
import pytest
import uvicorn
from assent_common import metrics
from assent_common.http.admission import Admission
from assent_common.http.door import Door, plain
from hypothesis import example, given
from hypothesis import strategies as st
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

    def __init__(self, room: int = 1, *, keeps_s: int = 3600) -> None:
        self.room = room
        self.app = Starlette(routes=[Route("/{path:path}", self.answer, methods=["GET", "POST"])])
        self.counted: Counted
        self.app.add_middleware(self._admission)
        self.app.middleware_stack = self.app.build_middleware_stack()
        self.lines: list[Line] = []
        #: So many bytes.
        self.heard = 0
        self.go = asyncio.Event()
        self.began = asyncio.Event()
        self.second = asyncio.Event()
        self.go_second = asyncio.Event()
        self.asked: list[str] = []
        config = uvicorn.Config(
            self.app,
            port=0,
            http=self._door(),
            log_config=None,
            lifespan="off",
            server_header=False,
            timeout_keep_alive=keeps_s,
        )
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

    @property
    def doors(self) -> list[Door]:
        return [each for each in self.server.server_state.connections if isinstance(each, Door)]

    async def hears(self, data: bytes, of: "Line") -> None:
        """By itself, as it reads what comes by itself."""
        until = self.heard + len(data)
        of.write(data)
        async with asyncio.timeout(30):
            while self.heard < until:
                await asyncio.sleep(0)

    def in_line(self) -> int:
        """How many requests wait behind others on their lines."""
        return sum(len(each.pipeline) for each in self.doors)

    def _door(self) -> type[Door]:
        house = self

        class Listening(Door):
            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                house.heard += len(data)

        return Listening

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

    def write(self, data: bytes) -> None:
        self._writer.write(data)

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
    return await filled(house)


async def filled(house: House) -> House:
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


async def test_who_is_turned_away_does_not_come_to_the_app(full: House) -> None:
    line = await full.connect()
    for what in ("GET /v1/gate", "HEAD /v1/gate?at=now", "GET /v1/search?q=%20", "POST /v1/gate"):
        assert (await line.ask(what)).status == 503
    assert (await line.ask("POST /v1/gate", body=b"{}")).status == 503
    assert full.counted.came == 1, "it is who fills the house"
    for what in ("OPTIONS /v1/gate", "GET /v1/%67ate"):
        assert (await line.ask(what)).status == 503
    assert full.counted.came == 3, "of whom something has to be thought about"


async def test_what_looks_like_a_request_in_the_body_of_another_is_none(full: House) -> None:
    line = await full.connect()
    looks = b"GET /v1/gate HTTP/1.1\r\nhost: here\r\n\r\n"
    await full.hears(b"POST /v1/gate HTTP/1.1\r\nhost: here\r\ncontent-length: %d\r\n\r\n" % (2 * len(looks)), line)
    assert (await line.hear()).status == 503
    for _ in range(2):
        await full.hears(looks, line)
    assert (await line.ask("GET /health/live")).body == b"/health/live 0", "the next that it hears is of the next"


async def test_a_request_in_parts_is_one(full: House) -> None:
    line = await full.connect()
    await full.hears(b"GET /v1/gate HTTP/1.1\r\nx-long: ", line)
    await full.hears(b"GET /v1/gate HTTP/1.1\r\nhost: here\r\n\r\n", line)
    assert (await line.hear()).status == 503
    assert (await line.ask("GET /health/live")).body == b"/health/live 0"


async def test_of_many_who_come_at_once_no_more_are_let_in_than_there_is_room_for(house: House) -> None:
    lines = [await house.connect() for _ in range(20)]
    house.go.clear()
    # Before the server has a look at any of them.
    for line in lines:
        line.send("GET /slow")
    await house.began.wait()
    house.go.set()
    statuses = [(await line.hear()).status for line in lines]
    assert sorted(statuses) == [200] + [503] * 19
    assert house.counted.came == 1, "the others are turned away at the door"
    assert (await (await house.connect()).ask("GET /v1/gate")).status == 200


async def test_what_stands_behind_another_on_its_line_takes_nobodys_place() -> None:
    async with opened(House(room=2)) as house:
        one, another = await house.connect(), await house.connect()
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


async def test_a_line_that_is_turned_away_is_idle_from_then_on() -> None:
    async with opened(House(keeps_s=0)) as house:
        line = await (await filled(house)).connect()
        assert (await line.ask("GET /v1/gate")).status == 503
        assert await line.is_closed()

    async with opened(House(keeps_s=3600)) as house:
        line = await (await filled(house)).connect()
        await line.ask("GET /v1/gate")
        (door,) = (each for each in house.doors if each.timeout_keep_alive_task is not None)
        await line.ask("GET /v1/gate")
        # Of the first: the second came after it was set.
        door.timeout_keep_alive_handler()
        assert (await line.ask("GET /v1/gate")).status == 503


@pytest.mark.parametrize(
    "data",
    [
        b"GET /v1/gate HTTP/1.1\r\na: b\rcontent-length: 9\r\n\r\n",
        b"GET /v1/gate HTTP/1.1\r\na: b\ncontent-length: 9\r\n\r\n",
        b"GET /v1/gate HTTP/1.1\r\na: b\n\nGET /v1/gate HTTP/1.1\r\n\r\n",
        b"GET /v1/gate HTTP/1.1\r\na: b\r\n content-length: 9\r\n\r\n",
        b"GET /v1/gate HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n",
        b"GET /v1/gate HTTP/1.1\r\n\r\nGET /v1/gate HTTP/1.1\r\n\r\n",
        b"POST /v1/gate HTTP/1.1\r\nProxy-Connection: close\r\n\r\n",
        b"GET /v1/gate HTTP/1.1\r\nx-request-id: one\r\nX-Request-ID: another\r\n\r\n",
        *(
            b"POST /v1/gate HTTP/1.1\r\n%s\r\n\r\nabc" % heads
            for heads in (
                b"content-length: 2",
                b"content-length: 4",
                b"content-length: 03",
                b"content-length: +3",
                b"content-length:",
                b"content-length: 3\r\nContent-Length: 3",
                b"content-length: 3\r\nContent-Length: 0",
                b"content-length: 3, 3",
                b"content-length: %s3" % (b"0" * 5_000),
                b"content-length: 3\r\ntransfer-encoding: chunked",
                b"content-length : 3",
                b"content_length: 3",
            )
        ),
    ],
)
def test_what_others_on_the_way_may_take_for_more_than_one_is_left_to_the_parser(data: bytes) -> None:
    assert plain(data) is None


HEADERS = ("Host: here", "X-Request-ID: mine", "x-request-id:", "Authorization: Bearer a.b.c", "Connection: close")
OTHERS = (
    "Content-Length: 4",
    "content-length: 04",
    "Content-Length:",
    "Content-Length: 4, 4",
    "Proxy-Connection: close",
    "Transfer-Encoding: chunked",
    "Expect: 100-continue",
    "Upgrade: h2c",
    " folded",
    "no colon",
)
TARGETS = ("/v1/gate", "/v1/gate?at=now", "/", "/a%62", "*", "http://here/v1/gate", "/a#b", "/ä", "/a b", "")
ENDS = ("\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n\r\n", "\n\n", "\0", "\x0b")


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from(("GET", "HEAD", "POST", "OPTIONS", "CONNECT", "get", "")))
    first = f"{method} {draw(st.sampled_from(TARGETS))} HTTP/{draw(st.sampled_from(('1.1', '1.0', '2.0')))}"
    lines = [first, *draw(st.lists(st.sampled_from(HEADERS + OTHERS) | st.text(max_size=8), max_size=4))]
    text = "".join(line + draw(st.sampled_from(ENDS)) for line in lines)
    return (text + draw(st.sampled_from(("\r\n", "\r\n", "\r\n", "", "\n", "\r\nbody", "\r\nbody")))).encode()


class Parsed:
    """What uvicorn's parser finds."""

    def __init__(self, data: bytes) -> None:
        self.url, self.headers, self.body, self.begun, self.ended = b"", [(b"", b"")], b"", 0, 0
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended += 1


@given(heads())
@example(b"GET /v1/gate?at=now HTTP/1.1\r\nhost: here\r\nx-request-id:  mine \r\n\r\n")
@example(b"POST /v1/gate HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody")
def test_whatever_is_taken_for_a_whole_request_the_parser_takes_for_the_same(data: bytes) -> None:
    asked = plain(data)
    if asked is None:
        return
    try:
        parsed = Parsed(data)
    except httptools.HttpParserError:
        # Whoever is told 400 else. It is none that the parser goes on with.
        return
    assert (parsed.begun, parsed.ended, parsed.parser.should_keep_alive()) == (1, 1, True)
    assert asked.method == parsed.parser.get_method().decode()
    assert asked.path == parsed.url.partition(b"?")[0].decode()
    assert data.endswith(b"\r\n\r\n" + parsed.body)
    given_ = next((value for name, value in parsed.headers if name == b"x-request-id"), b"")
    assert asked.request_id == given_.decode("latin-1").strip()


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
