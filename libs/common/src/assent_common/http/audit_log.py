"""`GET /v1/audit`: who did what, in every service."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel

from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.identity.roles import Reader

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
