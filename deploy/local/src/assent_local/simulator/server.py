"""The simulator as a running server: in a process of its own, or in a test's loop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from assent_common.clock import Clock, SystemClock

from assent_local.simulator import company as demo
from assent_local.simulator.app import App
from assent_local.simulator.caller import DEFAULT_ACCOUNT, DEFAULT_REGION, Place
from assent_local.simulator.faults import Faults
from assent_local.simulator.store import Store

_SERVICES = ("SAGEMAKER", "S3", "SQS", "STS", "IAM")


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator."""

    url: str
    app: App

    @property
    def environment(self) -> dict[str, str]:
        """What points an AWS client at it, and gives it something to sign with."""
        endpoints = {f"AWS_ENDPOINT_URL_{service}": self.url for service in _SERVICES}
        return {
            **endpoints,
            "AWS_REGION": DEFAULT_REGION,
            "AWS_DEFAULT_REGION": DEFAULT_REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def dial(self, **faults: object) -> None:
        """Set these dials, and all others to rest."""
        self.app.dials.set(Faults.model_validate(faults))

    def calls(self, operation: str) -> int:
        return self.app.calls[operation]


@asynccontextmanager
async def running(
    *,
    port: int = 0,
    company: bool = False,
    state: Path | None = None,
    faults: Faults | None = None,
    clock: Clock | None = None,
    events_queue: str | None = None,
) -> AsyncIterator[Simulator]:
    """A simulator on 127.0.0.1, listening from the first line of the block and gone after the last.

    With `events_queue`, there is an SQS queue of that name that state changes of model packages are sent to.
    The demo company moves in only where the state is empty.
    """
    clock = clock or SystemClock()
    store = Store(state)
    listener = _listener(port)
    try:
        app = App(store, clock, faults or Faults(), events_queue)
        if company and store.empty:
            demo.move_in(store, clock.now())
        if events_queue:
            app.queues.make(Place(DEFAULT_ACCOUNT, DEFAULT_REGION), events_queue)
        async with _served(app, listener):
            yield Simulator(f"http://127.0.0.1:{listener.getsockname()[1]}", app)
    finally:
        listener.close()
        store.close()


@asynccontextmanager
async def _served(app: App, listener: socket.socket) -> AsyncIterator[None]:
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            proxy_headers=False,
            log_config=None,
            # Longer than clients keep idle connections, so that none is closed under a request.
            timeout_keep_alive=120,
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.listening.wait()
        yield
    finally:
        app.stopping.set()
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """uvicorn, without its signal handlers: who runs the loop decides when it ends."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _listener(port: int) -> socket.socket:
    # asyncio turns Nagle's delay off only where the protocol is named: else each answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener
