"""`Idempotency-Key`: the same request twice has one effect and one answer (as Stripe does), for 24 hours."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated

import orjson
from fastapi import Header, Request
from starlette.responses import Response

from assent_common.http.problems import Conflict, Invalid
from assent_common.identity.roles import Principal
from assent_common.uow import UnitOfWork

IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, description="The same key makes a repeated request answer as the first did"),
]

TRY_LOCK = "select pg_try_advisory_xact_lock(hashtextextended($1 || chr(31) || $2, 0))"
FIND = "select request, status, headers, body from idempotency_keys where principal = $1 and key = $2"
KEEP = """
insert into idempotency_keys (principal, key, request, status, headers, body) values ($1, $2, $3, $4, $5::jsonb, $6)
"""


async def once(
    uow: UnitOfWork, request: Request, who: Principal, key: str | None, act: Callable[[], Awaitable[Response]]
) -> Response:
    """Act, and keep the answer in the same transaction; or answer as before, with `Idempotency-Replayed: true`.

    Raises Conflict (409) while the first is still running, Invalid (422) when the key came with another request.
    What ends in an error is not kept: it had no effect.
    """
    if key is None:
        return await act()
    connection = await uow.sql()
    principal = f"{who.issuer}\x1f{who.subject}"
    fingerprint = await _fingerprint(request)
    if not await connection.fetchval(TRY_LOCK, principal, key):
        raise Conflict("a request with this Idempotency-Key is still running", headers={"Retry-After": "1"})
    kept = await connection.fetchrow(FIND, principal, key)
    if kept is not None:
        if kept["request"] != fingerprint:
            raise Invalid("this Idempotency-Key was used for another request")
        return Response(kept["body"], kept["status"], kept["headers"] | {"Idempotency-Replayed": "true"})
    answer = await act()
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    await connection.execute(
        KEEP, principal, key, fingerprint, answer.status_code, orjson.dumps(headers).decode(), bytes(answer.body)
    )
    return answer


async def _fingerprint(request: Request) -> str:
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    digest.update(await request.body())
    return digest.hexdigest()
