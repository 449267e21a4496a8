"""`/v1/sources`: how reading each of them goes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from assent_common.database import Database
from assent_common.events.registry import Kind
from assent_common.http import app as http_app
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import NotFound, documented
from assent_common.identity.roles import Reader
from fastapi import APIRouter, Query
from pydantic import BaseModel

from assent_sagemaker import approvals, sources_state
from assent_sagemaker.routes.asking import SourceName, known
from assent_sagemaker.routes.traffic import TrafficView
from assent_sagemaker.sources import Source
from assent_sagemaker.sources_state import SourceState, Waiting


class RemovalsWaitingView(BaseModel):
    """More of a source than its `max_removal_share` seems deleted."""

    count: int
    #: When the first of them was not listed any more.
    since: datetime


class SourceView(BaseModel):
    """A registry that is read, and how reading it goes."""

    name: str
    region: str
    role_arn: str | None
    #: The AWS account that it reads, as far as that is known.
    account: str | None
    include: list[str]
    exclude: list[str]
    shared_groups: bool
    max_removal_share: float
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
    #: What the listings lack, and is not removed before a person says so: `POST …/removals`. Null where nothing waits.
    removals_waiting: RemovalsWaitingView | None
    #: Versions whose approval somebody changed in SageMaker without a decision.
    drifting: int
    #: The newest change seen, by the source's own clock.
    watermark: datetime | None
    #: When the last reading began that got to its end: what was registered or changed before, it has seen, as far as
    #: SageMaker's own index had it. What was deleted is seen by full readings alone: `last_full_at`.
    seen_until: datetime | None
    #: How old a change may be that was not seen yet: now less `seen_until`. Null until the first reading.
    freshness_s: float | None
    last_synced_at: datetime | None
    last_full_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    next_poll_at: datetime | None
    #: Of the last reading, whichever way it ended.
    traffic: TrafficView


Failing = Annotated[bool | None, Query(description="Only those whose last reading failed, or only those whose did not")]
Containing = Annotated[str | None, Query(alias="q", max_length=100, description="Only those whose name contains this")]


def router(database: Database, configured: Mapping[str, Source]) -> APIRouter:
    routes = http_app.router(tags=["sources"])

    async def views(of: Sequence[Source]) -> list[SourceView]:
        names = [source.name for source in of]
        async with database.connection() as connection:
            stands = await sources_state.all_of(connection, names)
            live = await sources_state.counts(connection, names)
            drifting = await approvals.drifting(connection, names)
            waiting = await sources_state.waiting(connection, names)
        now = database.clock.now()
        return [
            _view(
                *(source, stands.get(source.name), live[source.name], waiting.get(source.name)),
                *(drifting.get(source.name, 0), now),
            )
            for source in of
        ]

    @routes.get("/sources", summary="The sources, and how reading them goes")
    async def list_sources(
        who: Reader,
        q: Containing = None,
        failing: Failing = None,
        limit: Limit = 50,
        cursor: CursorText = None,
    ) -> Page[SourceView]:
        selection = ["sources", q, failing]
        after = read_cursor(cursor, of=selection, shape=[str])
        names = {name for name in configured if (q or "").casefold() in name and (after is None or name > after[0])}
        if failing is not None:
            async with database.connection() as connection:
                fail = await sources_state.failing(connection)
            names = names & fail if failing else names - fail
        shown, following = page(sorted(names)[: limit + 1], limit, key=lambda name: [name], of=selection)
        return Page(items=await views([configured[name] for name in shown]), next_cursor=following)

    @routes.get("/sources/{name}", summary="One source", responses=documented(NotFound))
    async def get_source(who: Reader, name: SourceName) -> SourceView:
        return (await views([known(configured, name)]))[0]

    return routes


def _view(
    source: Source,
    stands: SourceState | None,
    live: Mapping[Kind, int],
    waiting: Waiting | None,
    drifting: int,
    now: datetime,
) -> SourceView:
    seen_until = stands.seen_until if stands else None
    return SourceView(
        name=source.name,
        region=source.region,
        role_arn=source.role_arn,
        account=stands.account if stands else None,
        include=list(source.include),
        exclude=list(source.exclude),
        shared_groups=source.shared_groups,
        max_removal_share=source.max_removal_share,
        plan_setting=source.plan,
        plan=stands.plan if stands else None,
        plan_reason=stands.plan_reason if stands else None,
        notes=list(stands.notes) if stands else [],
        poll_interval_s=source.poll_interval.total_seconds(),
        reconcile_interval_s=source.reconcile_interval.total_seconds(),
        write_back=source.write_back,
        live=dict(live),
        removals_waiting=RemovalsWaitingView(count=waiting.objects, since=waiting.since) if waiting else None,
        drifting=drifting,
        watermark=stands.watermark if stands else None,
        seen_until=seen_until,
        freshness_s=(now - seen_until).total_seconds() if seen_until else None,
        last_synced_at=stands.last_synced_at if stands else None,
        last_full_at=stands.last_full_at if stands else None,
        last_error=stands.last_error if stands else None,
        last_error_at=stands.last_error_at if stands else None,
        next_poll_at=stands.next_poll_at if stands else None,
        traffic=TrafficView.model_validate(stands.traffic if stands else {}),
    )
