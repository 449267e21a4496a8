"""`/v1/sync-runs`: readings of sources, and asking for one."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

from assent_common import ids, telemetry
from assent_common.database import Database
from assent_common.http import app as http_app
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import Conflict, NotFound, documented
from assent_common.identity.roles import Principal, Reader
from assent_common.uow import UnitOfWork
from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from assent_sagemaker import runs, sources_state
from assent_sagemaker.routes.asking import ByOperator, SourceFilter, SourceName, accepted, known
from assent_sagemaker.routes.traffic import TrafficView
from assent_sagemaker.runs import Cause, Mode, Status, SyncRun
from assent_sagemaker.sources import Source


class SyncRunView(BaseModel):
    """One reading of a source. Of polls, only those that found something or failed are kept."""

    id: UUID
    source: str
    mode: Mode
    #: `start`, `reconcile`, `poll` or `request`.
    cause: Cause
    status: Status
    requested_by: str | None
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    #: From `started_at` to `finished_at`; null while it runs.
    duration_seconds: float | None
    plan: str | None
    #: What it is at: `listing`, `searching`, `describing`, `deployments`.
    phase: str | None
    #: How far it got: `listed`, `read`, `described`, `changed`, `removed`, `unmappable`.
    counts: dict[str, int]
    traffic: TrafficView
    error: str | None
    correlation_id: str


def router(database: Database, configured: Mapping[str, Source], wake: Callable[[str], None]) -> APIRouter:
    routes = http_app.router(tags=["runs"])

    @routes.post(
        "/sources/{name}/sync",
        summary="Read a source, now",
        description="Whole, or with `mode=incremental` only what changed since the last time. A full sync counts as a "
        "listing: what two of them in a row lack is removed. While one that was asked for has not begun, asking for "
        "the same again answers with the same run. A source that was never read whole is read whole first.",
        status_code=202,
        response_model=SyncRunView,
        responses=documented(NotFound, Conflict),
        tags=["sources"],
    )
    async def sync_source(
        asked: ByOperator,
        name: SourceName,
        mode: Annotated[Mode, Query(description="Everything, or what changed since the last time")] = "full",
    ) -> Response:
        known(configured, name)

        async def act(uow: UnitOfWork) -> Response:
            connection = await uow.sql()
            await sources_state.lock(connection, name)
            run = await runs.requested(connection, name, mode)
            if run is None:
                run = _requested(name, mode, asked.who, uow.clock.now())
                await runs.insert(connection, run)
                uow.audit(asked.who.subject, "sync_requested", name, {"run": str(run.id), "mode": mode})
            return accepted(_view(run), {"Location": f"/v1/sync-runs/{run.id}"})

        answer = await asked.once(database, act)
        wake(name)
        return answer

    @routes.get("/sync-runs", summary="Sync runs, the newest first")
    async def list_sync_runs(
        who: Reader,
        source: SourceFilter = None,
        status: Annotated[Status | None, Query(description="Only those that stand so")] = None,
        limit: Limit = 50,
        cursor: CursorText = None,
    ) -> Page[SyncRunView]:
        selection = ["sync-runs", source, status]
        after = read_cursor(cursor, of=selection, shape=[datetime.fromisoformat, UUID])
        async with database.connection() as connection:
            found = await runs.newest(
                connection,
                source=source,
                status=status,
                before=(after[0], after[1]) if after else None,
                limit=limit + 1,
            )
        shown, following = page(found, limit, key=lambda run: [run.requested_at, run.id], of=selection)
        return Page(items=[_view(run) for run in shown], next_cursor=following)

    @routes.get("/sync-runs/{id}", summary="One sync run, with its progress", responses=documented(NotFound))
    async def get_sync_run(who: Reader, id: UUID) -> SyncRunView:
        async with database.connection() as connection:
            run = await runs.get(connection, id)
        if run is None:
            raise NotFound(f"there is no sync run {id}")
        return _view(run)

    return routes


def _view(run: SyncRun) -> SyncRunView:
    return SyncRunView.model_validate(run, from_attributes=True)


def _requested(source: str, mode: Mode, who: Principal, now: datetime) -> SyncRun:
    return SyncRun(
        id=ids.new(),
        source=source,
        mode=mode,
        cause=Cause.REQUEST,
        status=Status.REQUESTED,
        requested_by=who.subject,
        requested_at=now,
        started_at=None,
        finished_at=None,
        plan=None,
        phase=None,
        counts={},
        traffic={},
        error=None,
        correlation_id=telemetry.correlation_id(),
        traceparent=telemetry.traceparent(),
    )
