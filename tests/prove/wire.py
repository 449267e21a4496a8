"""Frames: what one message of a protocol is, and what it is called. Only as much as a fault has to know."""

import asyncio
import struct
from collections import deque
from typing import NamedTuple, Protocol


class Message(NamedTuple):
    """One whole message, and its name: `Produce`, `COMMIT`, `SageMaker.Search`. A reply is named for its request."""

    data: bytes
    name: str


class Wire(Protocol):
    """One connection's both directions. Raises IncompleteReadError where a side has said its last."""

    #: Who asks, as far as the protocol says so.
    client: str

    async def request(self, reader: asyncio.StreamReader) -> Message: ...

    async def reply(self, reader: asyncio.StreamReader) -> Message: ...


_APIS = {
    0: "Produce",
    1: "Fetch",
    2: "ListOffsets",
    3: "Metadata",
    8: "OffsetCommit",
    9: "OffsetFetch",
    10: "FindCoordinator",
    11: "JoinGroup",
    12: "Heartbeat",
    13: "LeaveGroup",
    14: "SyncGroup",
    18: "ApiVersions",
    19: "CreateTopics",
    22: "InitProducerId",
}


class Kafka:
    """int32 size, and then of a request int16 api key, int16 version, int32 correlation id, nullable client id."""

    def __init__(self) -> None:
        self.client = ""
        self._asked: dict[int, str] = {}

    async def request(self, reader: asyncio.StreamReader) -> Message:
        data = await _sized(reader)
        key, _, correlation, length = struct.unpack_from(">hhih", data, 4)
        self.client = data[14 : 14 + max(length, 0)].decode(errors="replace")
        self._asked[correlation] = _APIS.get(key, f"api {key}")
        return Message(data, self._asked[correlation])

    async def reply(self, reader: asyncio.StreamReader) -> Message:
        data = await _sized(reader)
        (correlation,) = struct.unpack_from(">i", data, 4)
        return Message(data, self._asked.pop(correlation, "?"))


class Postgres:
    """A byte that says what it is, and int32 size; but at first a message has no such byte, and TLS is asked for.

    `transaction` holds the statements since the last one ended.
    """

    _SSL, _CANCEL = 80877103, 80877102

    def __init__(self) -> None:
        self.client = ""
        self.transaction: list[str] = []
        self._started = False
        self._asked_for_tls = False
        self._statements: dict[bytes, str] = {}

    async def request(self, reader: asyncio.StreamReader) -> Message:
        if not self._started:
            return await self._start(reader)
        head = await reader.readexactly(5)
        body = await reader.readexactly(struct.unpack_from(">i", head, 1)[0] - 4)
        name = chr(head[0])
        match name:
            case "Q":
                name = _text(body)
                self.transaction.append(name)
            case "P":
                statement, _, rest = body.partition(b"\0")
                self._statements[statement] = _text(rest)
                name = "Parse"
            case "B":
                statement = body.partition(b"\0")[2].partition(b"\0")[0]
                name = self._statements.get(statement, "?")
                self.transaction.append(name)
        return Message(head + body, name)

    async def reply(self, reader: asyncio.StreamReader) -> Message:
        if self._asked_for_tls:
            self._asked_for_tls = False
            return Message(await reader.readexactly(1), "TLS")
        head = await reader.readexactly(5)
        body = await reader.readexactly(struct.unpack_from(">i", head, 1)[0] - 4)
        name = chr(head[0])
        if name == "C":
            name = _text(body)
        elif name == "Z" and body == b"I":
            self.transaction.clear()
        return Message(head + body, name)

    async def _start(self, reader: asyncio.StreamReader) -> Message:
        data = await _sized(reader, counts_itself=4)
        (code,) = struct.unpack_from(">i", data, 4)
        if code == self._SSL:
            self._asked_for_tls = True
            return Message(data, "TLS")
        self._started = True
        return Message(data, "Cancel" if code == self._CANCEL else "Start")


class Http:
    """A request by its line, or by what AWS's protocol calls the operation; a reply by its request."""

    def __init__(self) -> None:
        self.client = ""
        self._asked: deque[tuple[str, str]] = deque()

    async def request(self, reader: asyncio.StreamReader) -> Message:
        head = await reader.readuntil(b"\r\n\r\n")
        line, headers = _head(head)
        method, path, _ = line.split(" ", 2)
        name = headers.get("x-amz-target", f"{method} {path.partition('?')[0]}")
        self._asked.append((method, name))
        return Message(head + await _body(reader, headers, otherwise=b""), name)

    async def reply(self, reader: asyncio.StreamReader) -> Message:
        head = await reader.readuntil(b"\r\n\r\n")
        line, headers = _head(head)
        status = int(line.split(" ", 2)[1])
        if status < 200:
            return Message(head, str(status))
        method, name = self._asked.popleft()
        if method == "HEAD" or status in (204, 304):
            return Message(head, name)
        return Message(head + await _body(reader, headers, otherwise=None), name)


async def _sized(reader: asyncio.StreamReader, counts_itself: int = 0) -> bytes:
    size = await reader.readexactly(4)
    (length,) = struct.unpack(">i", size)
    return size + await reader.readexactly(length - counts_itself)


def _text(body: bytes) -> str:
    return body.partition(b"\0")[0].decode(errors="replace").strip().rstrip(";").lower()


def _head(head: bytes) -> tuple[str, dict[str, str]]:
    first, *rest = head.decode("latin-1").strip().split("\r\n")
    pairs = (line.partition(":") for line in rest)
    return first, {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _body(reader: asyncio.StreamReader, headers: dict[str, str], *, otherwise: bytes | None) -> bytes:
    """`otherwise` is what there is where nothing says how long it is: None for all until the end."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunks(reader)
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return await reader.read() if otherwise is None else otherwise


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        size = await reader.readuntil(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        body += size + await reader.readexactly(length + 2)
        if length == 0:
            return body
