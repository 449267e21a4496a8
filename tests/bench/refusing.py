"""What it costs to turn somebody away: `python -m tests.bench.refusing ours|bare PORT`.

Ours is the door of every service, closed. Bare is a server that says the same in the fewest words: what is left then is
reading the request and writing the answer.
"""

import sys
from types import SimpleNamespace

import uvicorn
from assent_common.http.admission import Admission
from assent_common.http.door import Door
from starlette.types import Receive, Scope, Send

BODY = b"{" + b" " * 280 + b"}"
HEADERS = [
    (b"content-length", str(len(BODY)).encode()),
    (b"content-type", b"application/problem+json"),
    (b"retry-after", b"1"),
    *((f"x-header-{number}".encode(), b"as long as ours") for number in range(6)),
]


async def nobody(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("nobody is let in")


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 503, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


class Closed:
    """An app that everybody is one too many for."""

    def __init__(self) -> None:
        self.state = SimpleNamespace(admission=Admission(nobody, at_once=0))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.state.admission(scope, receive, send)


if __name__ == "__main__":
    which, port = sys.argv[1:]
    served, speaks = (bare, "auto") if which == "bare" else (Closed(), Door)
    uvicorn.run(
        served, port=int(port), http=speaks, log_config=None, access_log=False, server_header=False, lifespan="off"
    )
