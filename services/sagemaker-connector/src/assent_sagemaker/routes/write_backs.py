"""`/v1/write-backs`: what SageMaker is to say, and whether it does."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from assent_common.database import Database
from assent_common.http import app as http_app
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.identity.roles import Reader
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from assent_sagemaker import write_back
from assent_sagemaker.routes.asking import SourceFilter
from assent_sagemaker.sources import Source
from assent_sagemaker.write_back import WriteBack


class WriteBackView(BaseModel):
    """What SageMaker is to say of a model version, and whether it does."""

    urn: str
    #: Null where no source has the version (yet).
    source: str | None
    #: Whether its source is written to at all; what is pending for another waits until it is.
    enabled: bool
    candidacy: UUID
    use_case: str
    desired: str
    #: What is written into the approval's description.
    description: str
    #: `pending`, `done`, `failed` (for good: denied, gone or refused), `void` (nothing is wanted any more).
    state: Literal["pending", "done", "failed", "void"]
    attempts: int
    next_attempt_at: datetime | None = Field(description="Of what is pending")
    last_error: str | None
    requested_at: datetime
    finished_at: datetime | None


def router(database: Database, configured: Mapping[str, Source]) -> APIRouter:
    routes = http_app.router(tags=["write-back"])

    @routes.get("/write-backs", summary="What SageMaker is to say, the newest decision first")
    async def list_write_backs(
        who: Reader,
        state: Annotated[
            Literal["pending", "done", "failed", "void"] | None, Query(description="Only those that stand so")
        ] = None,
        source: SourceFilter = None,
        limit: Limit = 50,
        cursor: CursorText = None,
    ) -> Page[WriteBackView]:
        selection = ["write-backs", state, source]
        after = read_cursor(cursor, of=selection, shape=[datetime.fromisoformat, str])
        async with database.connection() as connection:
            found = await write_back.newest(
                connection, state=state, source=source, before=(after[0], after[1]) if after else None, limit=limit + 1
            )
        shown, following = page(found, limit, key=lambda one: [one.requested_at, one.key], of=selection)
        return Page(items=[_view(one, configured) for one in shown], next_cursor=following)

    return routes


def _view(one: WriteBack, configured: Mapping[str, Source]) -> WriteBackView:
    source = configured.get(one.source) if one.source else None
    fields = {name: getattr(one, name) for name in WriteBackView.model_fields if hasattr(one, name)}
    if one.state != "pending":
        fields["next_attempt_at"] = None
    return WriteBackView(**fields, enabled=source is not None and source.write_back)
