"""The connector's HTTP routes: how its sources stand, and asking it to look or to tell everything again."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from assent_common import ids, telemetry
from assent_common.database import Database
from assent_common.events.registry import Kind
from assent_common.http import app as http_app
from assent_common.http.idempotency import IdempotencyKey, once
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import Conflict, NotFound, documented
from assent_common.identity.roles import Principal, Reader, Role, allow
from assent_common.kafka.topics import REGISTRY
from assent_common.outbox.replay import replay
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from assent_sagemaker import runs, sources_state, write_back
from assent_sagemaker.runs import Cause, Status, SyncRun
from assent_sagemaker.sources import Source
from assent_sagemaker.sources_state import SourceState
from assent_sagemaker.write_back import WriteBack

Operator = Annotated[Principal, allow(Role.ADMIN, Role.SERVICE)]
"""Who may make the connector work: an administrator, or a service that lacks something."""

SourceName = Annotated[str, Path(max_length=100, description="The name of a source")]
SourceFilter = Annotated[str | None, Query(max_length=100, description="Only those of this source")]


class SourceView(BaseModel):
    """A registry that is read, and how reading it goes."""

    name: str
    region: str
    role_arn: str | None
    include: list[str]
    exclude: list[str]
    #: As it is set: `auto`, `search` or `describe`.
    plan_setting: str
    #: As it is read: `search`, 100 records a call, or `describe`, a call each. Null until it was read once.
    plan: str | None
    plan_reason: str | None
    #: What could not be read the last time, in words.
    notes: list[str]
    poll_interval_s: float
    reconcile_interval_s: float
    write_back: bool
    #: Live objects by kind.
    live: dict[Kind, int]
    #: The newest change seen, by the source's own clock.
    watermark: datetime | None
    last_synced_at: datetime | None
    last_full_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    next_poll_at: datetime | None


class SyncRunView(BaseModel):
    """One reading of a source. Of polls, only those that found something or failed are kept."""

    id: UUID
    source: str
    mode: Literal["full", "incremental"]
    #: `start`, `reconcile`, `poll` or `request`.
    cause: Cause
    status: Status
    requested_by: str | None
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    plan: str | None
    #: What it is at: `listing`, `searching`, `describing`, `deployments`.
    phase: str | None
    #: How far it got: `listed`, `read`, `described`, `changed`, `removed`, `unmappable`.
    counts: dict[str, int]
    error: str | None
    correlation_id: str


class ReplayView(BaseModel):
    """What is going to be published again."""

    source: str
    #: Entities whose current state is on its way to the topic, `sync.completed` among them.
    events: int


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


def router(database: Database, sources: Sequence[Source], wake: Callable[[str], None]) -> APIRouter:
    """`wake` tells the duty of a source that there is something to do."""
    routes = http_app.router(tags=["sources"])
    by_name = {source.name: source for source in sources}

    def known(name: str) -> Source:
        if name not in by_name:
            raise NotFound(f"there is no source {name!r}; there are {', '.join(sorted(by_name))}")
        return by_name[name]

    async def views(of: Sequence[Source]) -> list[SourceView]:
        names = [source.name for source in of]
        async with database.connection() as connection:
            stands = await sources_state.all_of(connection, names)
            live = await sources_state.counts(connection, names)
        return [_source_view(source, stands.get(source.name), live[source.name]) for source in of]

    @routes.get("/sources", summary="The sources, and how reading them goes")
    async def list_sources(who: Reader, limit: Limit = 50, cursor: CursorText = None) -> Page[SourceView]:
        after = read_cursor(cursor, of="sources", shape=[str])
        wanted = sorted(name for name in by_name if after is None or name > after[0])
        shown, following = page(wanted[: limit + 1], limit, key=lambda name: [name], of="sources")
        return Page(items=await views([by_name[name] for name in shown]), next_cursor=following)

    @routes.get("/sources/{name}", summary="One source", responses=documented(NotFound))
    async def get_source(who: Reader, name: SourceName) -> SourceView:
        return (await views([known(name)]))[0]

    @routes.post(
        "/sources/{name}/sync",
        summary="Read a source whole, now",
        description="A full sync counts as a listing: what two of them in a row lack is removed. While one that was "
        "asked for has not begun, asking again answers with the same run.",
        status_code=202,
        response_model=SyncRunView,
        responses=documented(NotFound, Conflict),
    )
    async def sync_source(
        who: Operator, request: Request, name: SourceName, idempotency_key: IdempotencyKey = None
    ) -> Response:
        known(name)
        async with database.transaction() as uow:
            connection = await uow.sql()

            async def act() -> Response:
                await sources_state.lock(connection, name)
                asked = await runs.requested(connection, name)
                if asked is None:
                    asked = _requested(name, who, uow.clock.now())
                    await runs.insert(connection, asked)
                    uow.audit(_actor(who), "sync_requested", name, {"run": str(asked.id)})
                view = SyncRunView.model_validate(asked, from_attributes=True)
                return _accepted(view, {"Location": f"/v1/sync-runs/{asked.id}"})

            answer = await once(uow, request, who, idempotency_key, act)
        wake(name)
        return answer

    @routes.post(
        "/sources/{name}/replay",
        summary="Tell everything of a source again",
        description="Publishes the current state of every entity of the source again, as it was told last. Consumers "
        "that have it already are not changed by it. The source itself is not read.",
        status_code=202,
        response_model=ReplayView,
        responses=documented(NotFound, Conflict),
    )
    async def replay_source(
        who: Operator, request: Request, name: SourceName, idempotency_key: IdempotencyKey = None
    ) -> Response:
        known(name)
        async with database.transaction() as uow:
            connection = await uow.sql()

            async def act() -> Response:
                events = await replay(connection, REGISTRY.name, name)
                uow.audit(_actor(who), "replay_requested", name, {"events": events})
                return _accepted(ReplayView(source=name, events=events), {})

            answer = await once(uow, request, who, idempotency_key, act)
        database.outbox_written.set()
        return answer

    @routes.get("/sync-runs", summary="Sync runs, the newest first", tags=["runs"])
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
        items = [SyncRunView.model_validate(run, from_attributes=True) for run in shown]
        return Page(items=items, next_cursor=following)

    @routes.get(
        "/sync-runs/{id}", summary="One sync run, with its progress", tags=["runs"], responses=documented(NotFound)
    )
    async def get_sync_run(who: Reader, id: UUID) -> SyncRunView:
        async with database.connection() as connection:
            run = await runs.get(connection, id)
        if run is None:
            raise NotFound(f"there is no sync run {id}")
        return SyncRunView.model_validate(run, from_attributes=True)

    @routes.get("/write-backs", summary="What SageMaker is to say, the newest decision first", tags=["write-back"])
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
        return Page(items=[_write_back_view(one, by_name) for one in shown], next_cursor=following)

    return routes


def _source_view(source: Source, stands: SourceState | None, live: Mapping[Kind, int]) -> SourceView:
    return SourceView(
        name=source.name,
        region=source.region,
        role_arn=source.role_arn,
        include=list(source.include),
        exclude=list(source.exclude),
        plan_setting=source.plan,
        plan=stands.plan if stands else None,
        plan_reason=stands.plan_reason if stands else None,
        notes=list(stands.notes) if stands else [],
        poll_interval_s=source.poll_interval.total_seconds(),
        reconcile_interval_s=source.reconcile_interval.total_seconds(),
        write_back=source.write_back,
        live=dict(live),
        watermark=stands.watermark if stands else None,
        last_synced_at=stands.last_synced_at if stands else None,
        last_full_at=stands.last_full_at if stands else None,
        last_error=stands.last_error if stands else None,
        last_error_at=stands.last_error_at if stands else None,
        next_poll_at=stands.next_poll_at if stands else None,
    )


def _write_back_view(one: WriteBack, sources: Mapping[str, Source]) -> WriteBackView:
    source = sources.get(one.source) if one.source else None
    fields = {name: getattr(one, name) for name in WriteBackView.model_fields if hasattr(one, name)}
    if one.state != "pending":
        fields["next_attempt_at"] = None
    return WriteBackView(**fields, enabled=source is not None and source.write_back)


def _requested(source: str, who: Principal, now: datetime) -> SyncRun:
    return SyncRun(
        id=ids.new(),
        source=source,
        mode="full",
        cause=Cause.REQUEST,
        status=Status.REQUESTED,
        requested_by=_actor(who),
        requested_at=now,
        started_at=None,
        finished_at=None,
        plan=None,
        phase=None,
        counts={},
        error=None,
        correlation_id=telemetry.correlation_id(),
        traceparent=telemetry.traceparent(),
    )


def _actor(who: Principal) -> str:
    return who.subject


def _accepted(view: BaseModel, headers: Mapping[str, str]) -> Response:
    return Response(view.model_dump_json(), 202, dict(headers), "application/json")
