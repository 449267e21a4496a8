"""A fault proxy: it stands between a service and what that depends on, reads what passes, and spoils it as told.

It knows where a message begins and ends and what it asks for, so that a fault can be put at one point exactly: the
reply to a COMMIT that was carried out, half of a Produce request, the k-th message of a run.
"""

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Literal, NamedTuple

from assent_local.ports import free_port

from tests.prove.wire import Wire

LARGEST_HEAD = 1 << 20


class Frame(NamedTuple):
    """One message as it comes by."""

    name: str
    toward: Literal["server", "client"]
    data: bytes
    wire: Wire


class Act(Enum):
    #: Hand it on all the same: for a rule that only counts, or that kills somebody.
    PASS = auto()
    #: It never arrives, and the connection is reset: of a reply, its cause has happened.
    DROP = auto()
    #: Half of it arrives, and the connection is reset.
    CUT = auto()
    #: It and all after it on this connection stay on the way, until the proxy is healed.
    STALL = auto()


@dataclass
class Rule:
    """What befalls the messages that it picks, from the `nth` on, `times` times."""

    picks: Callable[[Frame], bool]
    act: Act
    nth: int = 1
    times: int = 1
    #: Called before it is done: kill -9 belongs here.
    then: Callable[[], None] = lambda: None
    seen: int = 0
    happened: int = 0
    _once: asyncio.Event = field(default_factory=asyncio.Event)

    def befalls(self, frame: Frame) -> bool:
        if self.happened >= self.times or not self.picks(frame):
            return False
        self.seen += 1
        if self.seen < self.nth:
            return False
        self.happened += 1
        self.then()
        self._once.set()
        return True

    async def wait(self) -> None:
        """Until it has happened once."""
        await self._once.wait()


class Proxy:
    """Listens at one address for as long as it lives, whatever it does to those who come."""

    def __init__(self, server: tuple[str, int], wire: Callable[[], Wire], port: int | None = None) -> None:
        self.port = port or free_port()
        self.passed: Counter[str] = Counter()
        self._server = server
        self._wire = wire
        self._rules: list[Rule] = []
        self._links: set[_Link] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._delay_s = 0.0
        self._listener: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=LARGEST_HEAD)

    async def stop(self) -> None:
        await self.refuse()
        self._flowing.set()

    def rule(self, picks: Callable[[Frame], bool], act: Act, **how: object) -> Rule:
        """From now on, until it has happened as often as it may, or all is healed."""
        made = Rule(picks, act, **how)  # type: ignore[arg-type]
        self._rules.append(made)
        return made

    async def refuse(self) -> None:
        """Nobody listens any more, and who was connected is reset."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        self.reset()

    def reset(self) -> None:
        """Every connection there is, at once."""
        for link in list(self._links):
            link.reset()

    def black_hole(self) -> None:
        """Connections stay, and new ones come about; nothing passes."""
        self._flowing.clear()

    def delay(self, seconds: float) -> None:
        """Each message, in each direction."""
        self._delay_s = seconds

    async def heal(self) -> None:
        """As if nothing had ever been wrong; what stalled by a rule is reset."""
        self._rules.clear()
        self._delay_s = 0.0
        self._flowing.set()
        for link in list(self._links):
            if link.stalled:
                link.reset()
        await self.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ours, upstream = await asyncio.open_connection(*self._server, limit=LARGEST_HEAD)
        except OSError:
            _reset(writer)
            return
        wire = self._wire()
        link = _Link(writer, upstream)
        self._links.add(link)

        async def pump(
            read: Callable[[asyncio.StreamReader], Awaitable[tuple[bytes, str]]],
            source: asyncio.StreamReader,
            target: asyncio.StreamWriter,
            toward: Literal["server", "client"],
        ) -> None:
            while True:
                data, name = await read(source)
                await self._pass(Frame(name, toward, data, wire), target, link)

        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(pump(wire.request, reader, upstream, "server"))
                pumps.create_task(pump(wire.reply, ours, writer, "client"))
        except* (OSError, asyncio.IncompleteReadError, _Spoiled):
            pass
        finally:
            link.reset()
            self._links.discard(link)

    async def _pass(self, frame: Frame, target: asyncio.StreamWriter, link: "_Link") -> None:
        self.passed[f"{frame.name[:80]} → {frame.toward}"] += 1
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        act = next((rule.act for rule in self._rules if rule.befalls(frame)), Act.PASS)
        if act is Act.STALL:
            link.stalled = True
            await asyncio.get_running_loop().create_future()
        if not self._flowing.is_set():
            await self._flowing.wait()
        match act:
            case Act.DROP:
                raise _Spoiled
            case Act.CUT:
                target.write(frame.data[: len(frame.data) // 2])
                with contextlib.suppress(OSError):
                    await target.drain()
                raise _Spoiled
        target.write(frame.data)
        await target.drain()


class _Link:
    """A pair of connections."""

    def __init__(self, *writers: asyncio.StreamWriter) -> None:
        self._writers = writers
        self.stalled = False

    def reset(self) -> None:
        for writer in self._writers:
            _reset(writer)


class _Spoiled(Exception):
    """This connection ends here."""


@asynccontextmanager
async def between(server: tuple[str, int], wire: Callable[[], Wire], port: int | None = None) -> AsyncIterator[Proxy]:
    """A proxy that listens when the block begins, and is gone when it ends."""
    proxy = Proxy(server, wire, port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()


def of(name: str, toward: Literal["server", "client"] = "client") -> Callable[[Frame], bool]:
    """Picks the replies to what is called so, or the requests themselves."""
    return lambda frame: frame.name == name and frame.toward == toward


def _reset(writer: asyncio.StreamWriter) -> None:
    """Not closed in order: the other side learns at once, and by an error."""
    plug = writer.get_extra_info("socket")
    if plug is not None:
        with contextlib.suppress(OSError):
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
