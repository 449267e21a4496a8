"""`/v1/write-backs`: what SageMaker is to say, and whether it does."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from assent_common.database import Database
from assent_common.http import app as http_app
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import Conflict, NotFound, documented
from assent_common.identity.roles import Reader
from assent_common.uow import UnitOfWork
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from assent_sagemaker import arns, attempts
from assent_sagemaker.attempts import WriteBack
from assent_sagemaker.routes.asking import ByOperator, SourceFilter, accepted
from assent_sagemaker.sources import Source

State = Literal["pending", "done", "failed", "void"]


class WriteBackView(BaseModel):
    """What SageMaker is to say of a model version, and whether it does."""

    #: The model version's, as in every service.
    id: UUID | None
    urn: str
    #: Null where no source has the version (yet).
    source: str | None
    #: Whether its source is written to at all; what is pending for another waits until it is.
    enabled: bool
    #: Whose decision it is; null where a drift is put back to how it was before any decision.
    candidacy: UUID | None
    use_case: str | None
    desired: str
    #: What is written into the approval's description.
    description: str
    #: What is written into the customer metadata: `assent:status` and `assent:use-cases`.
    status: str | None
    use_cases: str | None
    #: Whether it puts back what somebody changed in SageMaker.
    restores: bool
    #: `pending`, `done`, `failed` (denied, gone, refused, or put back too often), `void` (not wanted any more).
    state: State
    attempts: int
    next_attempt_at: datetime | None = Field(description="Of what is pending; of what failed, when it is tried again")
    last_error: str | None
    #: What was left out, though the rest was done.
    note: str | None
    requested_at: datetime
    finished_at: datetime | None


def router(database: Database, configured: Mapping[str, Source]) -> APIRouter:
    routes = http_app.router(tags=["write-back"])

    @routes.get("/write-backs", summary="What SageMaker is to say, the newest decision first")
    async def list_write_backs(
        who: Reader,
        state: Annotated[State | None, Query(description="Only those that stand so")] = None,
        source: SourceFilter = None,
        limit: Limit = 50,
        cursor: CursorText = None,
    ) -> Page[WriteBackView]:
        selection = ["write-backs", state, source]
        after = read_cursor(cursor, of=selection, shape=[datetime.fromisoformat, str])
        async with database.connection() as connection:
            found = await attempts.newest(
                connection, state=state, source=source, before=(after[0], after[1]) if after else None, limit=limit + 1
            )
        shown, following = page(found, limit, key=lambda one: [one.requested_at, one.key], of=selection)
        return Page(items=[_view(one, configured) for one in shown], next_cursor=following)

    @routes.post(
        "/write-backs/{id:path}/retry",
        summary="Try again now",
        description="What failed, what waits for its next attempt, and what is done: where somebody changed it in "
        "SageMaker since, it is written again; what stands there already is not.",
        status_code=202,
        response_model=WriteBackView,
        responses=documented(NotFound, Conflict),
    )
    async def retry_write_back(
        asked: ByOperator, id: Annotated[str, Path(max_length=2048, description="The model version's id or ARN")]
    ) -> Response:
        async def act(uow: UnitOfWork) -> Response:
            connection = await uow.sql()
            found = await attempts.get(connection, _id_or_key(id))
            if found is None:
                raise NotFound(f"nothing is to be written back of {id!r}")
            if found.state == "void":
                raise Conflict("nothing is wanted any more: what is void is not tried again")
            again = await attempts.retry(connection, found, uow.clock.now())
            uow.audit(asked.who.subject, "write_back_retried", found.urn, {"desired": found.desired})
            return accepted(_view(again, configured))

        return await asked.once(database, act)

    return routes


def _id_or_key(text: str) -> UUID | str:
    try:
        return UUID(text)
    except ValueError:
        return arns.key(text)


def _view(one: WriteBack, configured: Mapping[str, Source]) -> WriteBackView:
    source = configured.get(one.source) if one.source else None
    fields = {name: getattr(one, name) for name in WriteBackView.model_fields if hasattr(one, name)}
    if one.state not in ("pending", "failed"):
        fields["next_attempt_at"] = None
    return WriteBackView(**fields, enabled=source is not None and source.write_back)
