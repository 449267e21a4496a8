"""A real HTTP server that answers as it is told, and keeps what it was sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI, Request, Response

from tests.support.certificates import Files


@dataclass
class Receiver:
    url: str = ""
    port: int = 0
    answers: list[Response] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    _free: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self) -> None:
        """Take what comes, and answer nothing until let go."""
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    async def take(self, request: Request) -> Response:
        self.got.append((dict(request.headers), await request.body()))
        await self._free.wait()
        return self.answers.pop(0) if self.answers else Response(status_code=204)


@asynccontextmanager
async def a_receiver(files: Files | None = None) -> AsyncIterator[Receiver]:
    receiver, app = Receiver(), FastAPI()
    receiver.let_go()
    app.add_api_route("/hook", receiver.take, methods=["POST"])
    over_tls = {"ssl_certfile": str(files.certificate), "ssl_keyfile": str(files.key)} if files else {}
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", **over_tls))  # type: ignore[arg-type]
    config = server.config
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    receiver.port = server.servers[0].sockets[0].getsockname()[1]
    receiver.url = f"{'https' if files else 'http'}://127.0.0.1:{receiver.port}/hook"
    try:
        yield receiver
    finally:
        receiver.let_go()
        await server.shutdown()
