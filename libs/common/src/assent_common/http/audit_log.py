"""`/v1/audit`: who did what, in every service; and what an auditor needs to check it without us."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from assent_common import audit
from assent_common.audit import checkpoints
from assent_common.database import Database
from assent_common.events.audit import AuditCheckpoint
from assent_common.http.app import router
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import Conflict, documented
from assent_common.identity.roles import CostlyReader, Reader
from assent_common.signing import Signer

routes = router(tags=["audit"])

# Index: the primary key, or audit_subject.
LIST = """
select id, at, actor, action, subject, details, correlation_id, seq, hash
  from audit
 where ($1::text is null or subject = $1) and ($2::text is null or actor = $2) and ($3::text is null or action = $3)
   and ($4::bigint is null or id > $4)
 order by id
 limit $5
"""
# Index: audit_seq_key.
CHAINED = "select * from audit where seq > $1 and seq <= $2 order by seq limit 1000"


class AuditRecord(BaseModel):
    """Something that somebody did. `seq` and `hash` are null until the record is chained, a moment later."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    correlation_id: str
    seq: int | None
    hash: str | None


@routes.get("/audit", summary="List who did what, oldest first")
async def list_audit_records(
    request: Request,
    _: Reader,
    subject: Annotated[str | None, Query(description="What it was done to: an id, a key or a urn")] = None,
    actor: Annotated[str | None, Query(description="Who did it")] = None,
    action: Annotated[str | None, Query(description="What was done, e.g. `candidacy.submitted`")] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[AuditRecord]:
    """Append-only, and chained: `assent audit verify` finds any edit."""
    selection = [subject, actor, action]
    after = read_cursor(cursor, of=selection, shape=[int])
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(LIST, subject, actor, action, after[0] if after else None, limit + 1)
    records = [AuditRecord(**{**row, "details": row["details"]}) for row in rows]
    items, next_cursor = page(records, limit, key=lambda record: [record.id], of=selection)
    return Page(items=items, next_cursor=next_cursor)


class PublicKeys(BaseModel):
    """A JSON Web Key Set (RFC 7517): Ed25519, as RFC 9864 names it. Empty where the service has no key."""

    keys: list[dict[str, str]]


@routes.get("/audit/keys", summary="Read the public keys that sign checkpoints")
async def get_audit_keys(request: Request, _: Reader) -> PublicKeys:
    """The one in use first, then others that are published. Keep them, and keep old ones: they check what was signed
    when they were in use."""
    signer: Signer | None = request.app.state.signer
    return PublicKeys(keys=signer.jwks()["keys"] if signer else [])


@routes.get("/audit/checkpoint", summary="Sign where the log ends now", responses=documented(Conflict))
async def get_audit_checkpoint(request: Request, _: Reader) -> AuditCheckpoint:
    """To be kept beside an export up to it. Each minute one goes to Kafka, too (`assent.audit.v1`). 409 without a key.

    A record is chained a moment after it was written: what was done in this second may not be in yet.
    """
    signer: Signer | None = request.app.state.signer
    if signer is None:
        raise Conflict("this service has no key to sign with (ASSENT_SIGNING_KEY)")
    database: Database = request.app.state.database
    async with database.connection() as connection:
        head = await audit.head(connection)
    return checkpoints.signed(signer, database.service, head, database.clock.now())


@routes.get(
    "/audit/export",
    summary="Export the log, for an auditor",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/jsonl": {"schema": {"type": "string"}}}}},
)
async def export_audit(
    request: Request,
    _: CostlyReader,
    up_to: Annotated[int | None, Query(ge=0, le=2**62, description="The last record's `seq`; all by default")] = None,
) -> StreamingResponse:
    """One record a line, in order. The SHA-256 of a line is the `previous` of the next: `sha256sum` is all it takes
    to check it, up to the head of a checkpoint."""
    database: Database = request.app.state.database
    lines = _lines(database, up_to if up_to is not None else 2**62)
    # What cannot be begun is a problem with its status, not a file that breaks off.
    first = await anext(lines, b"")
    return StreamingResponse(
        _rejoined(first, lines),
        media_type="application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="audit-{database.service}.jsonl"'},
    )


async def _lines(database: Database, up_to: int) -> AsyncIterator[bytes]:
    seq = 0
    while True:
        # None is held between two reads: a slow reader must not keep a connection from others.
        async with database.connection() as connection:
            rows = await connection.fetch(CHAINED, seq, up_to)
        if not rows:
            return
        seq = rows[-1]["seq"]
        yield b"".join(audit.line(row) + b"\n" for row in rows)


async def _rejoined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
