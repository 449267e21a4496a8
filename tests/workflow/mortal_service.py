"""The workflow as a process that is killed after the statement that a request names, and lives again at once.

Every life is a fork of one process that has everything imported and holds the socket, so that whoever asks meanwhile
waits; and all end with who started the first. A request says by headers what time it is (`now`) and after how many
statements it is the last (`die-after`).
Events, timers and what a backup lacks come in by routes of its own. Its database comes from the environment.
"""

import asyncio
import os
import signal
import socket
import sys
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import asyncpg
import orjson
import uvicorn
from assent_common import telemetry
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.identity.roles import Principal, Role
from assent_local import leash
from assent_workflow.projection.apply import apply
from assent_workflow.restored import reconcile
from assent_workflow.timers.due import Timers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.workflow import statements
from tests.workflow.world import an_app

NOW: ContextVar[datetime] = ContextVar("now")


class ToldClock:
    """The time is what the request says."""

    def now(self) -> datetime:
        return NOW.get()


class Countdown:
    def __init__(self, statements: int) -> None:
        self._left = statements

    async def __call__(self, _: asyncpg.Connection, query: str) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def authenticate(token: str) -> Principal:
    name, role = token.split(":")
    return Principal("https://issuer", name, frozenset({Role(role)}), name)


def an_app_of(url: str) -> ASGIApp:
    clock = ToldClock()
    database = Database(url, service="workflow", clock=clock)
    statements.watch(database)
    service = an_app(database, clock, authenticate)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        NOW.set(datetime.fromisoformat(request.headers["now"]))
        if "die-after" in request.headers:
            statements.SENT.set(Countdown(int(request.headers["die-after"])))
        match request.url.path:
            case "/tests/apply":
                events = [envelope.from_bytes(body.encode()) for body in orjson.loads(await request.body())]
                async with database.transaction() as uow:
                    await apply(uow, events)
                await JSONResponse({})(scope, receive, send)
            case "/tests/reconcile":
                events = [envelope.from_bytes(body.encode()) for body in orjson.loads(await request.body())]
                async with database.transaction() as uow:
                    await reconcile(uow, events)
                await JSONResponse({})(scope, receive, send)
            case "/tests/fire":
                fired: Any = await Timers(database).once(at=clock.now())
                await JSONResponse({"fired": fired})(scope, receive, send)
            case _:
                await service(scope, receive, send)

    return app


def main() -> None:
    leash.tie(os.getppid(), by=signal.SIGKILL)
    telemetry.configure("tests", "ERROR")
    app = an_app_of(os.environ["ASSENT_DATABASE_URL"])
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    keeper = os.getpid()
    while True:
        life = os.fork()
        if life == 0:
            leash.tie(keeper, by=signal.SIGKILL)
            server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
            asyncio.run(server.serve([listening]))
            os._exit(0)
        _, status = os.waitpid(life, 0)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            sys.exit(f"it ended by itself: {status}")


if __name__ == "__main__":
    main()
