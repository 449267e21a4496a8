"""`/v1/deployments`."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.identity.roles import Reader
from fastapi import Query, Request
from pydantic import BaseModel

routes = router(tags=["deployments"])

LIST = """
select d.id, d.urn, d.source, d.kind, d.name, d.variant, d.status, d.model_version, d.created_at, d.modified_at,
       v.status as model_version_status
  from deployments d left join model_versions v on v.urn = d.model_version
 where d.live and ($1::text is null or d.source = $1) and ($2::text is null or d.model_version = $2)
   and ($3::text is null or d.urn > $3)
 order by d.urn limit $4
"""


class DeploymentOut(BaseModel):
    """What serves a model version now."""

    id: UUID
    urn: str
    source: str
    kind: str
    name: str
    variant: str | None
    status: str | None
    #: The urn of what it serves; null where that could not be told.
    model_version: str | None
    #: Whether anybody agreed to it.
    model_version_status: str | None
    created_at: datetime
    modified_at: datetime | None


@routes.get("/deployments", summary="List what serves now")
async def list_deployments(
    request: Request,
    _: Reader,
    source: Annotated[str | None, Query(max_length=100)] = None,
    model_version: Annotated[str | None, Query(max_length=2048, description="Urn")] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[DeploymentOut]:
    """With the status of the model version behind each."""
    of = [source, model_version]
    after = read_cursor(cursor, of=of, shape=[str]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(LIST, source, model_version, after[0], limit + 1)
    deployments = [DeploymentOut.model_validate(dict(row)) for row in rows]
    items, next_cursor = page(deployments, limit, key=lambda deployment: [deployment.urn], of=of)
    return Page(items=items, next_cursor=next_cursor)
