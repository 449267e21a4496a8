"""Answers put together from what Postgres wrote: nothing is parsed only to be written again.

That they are as the OpenAPI says, the contract tests hold.
"""

from collections.abc import Iterable
from typing import Any

import orjson
from starlette.responses import Response


def page(items: Iterable[str], **members: Any) -> Response:
    """A list; the items are JSON already."""
    rest = orjson.dumps(members).decode()
    return Response(f'{{"items":[{",".join(items)}],{rest[1:]}', media_type="application/json")


def record(text: str, *, etag: str | None, **members: str) -> Response:
    """A JSON object with these members, JSON already, before its own."""
    begun = ",".join(f'"{name}":{value}' for name, value in members.items())
    headers = {"ETag": etag} if etag is not None else None
    return Response(f"{{{begun},{text[1:]}", headers=headers, media_type="application/json")
