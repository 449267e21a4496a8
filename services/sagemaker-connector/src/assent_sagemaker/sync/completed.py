"""The end of a run: what the source has now, told together with how to go on from here."""

from datetime import datetime

import asyncpg
from assent_common import telemetry
from assent_common.events.registry import SyncCompleted
from assent_common.kafka.topics import REGISTRY

from assent_sagemaker import approvals, runs, sources_state, state
from assent_sagemaker.runs import Status
from assent_sagemaker.sync.run import Run


async def completed(run: Run, reason: str | None) -> None:
    """Keep and tell that the source was read to its end. Of a poll that found nothing, only the time is kept."""
    worth_telling = run.record.mode == "full" or run.counts["changed"] + run.counts["removed"] > 0
    async with run.held.transaction() as uow:
        connection = await uow.sql()
        now = uow.clock.now()
        if reason is not None:
            await _say_once(connection, run, reason)
        sequence = await sources_state.synced(
            connection,
            run.source.name,
            now,
            full=run.record.mode == "full",
            plan=run.plan,
            plan_reason=reason,
            notes=run.notes,
            watermark=run.watermark,
            seen_until=run.began_at if run.has_seen else None,
            traffic=run.traffic,
            grow=worth_telling,
        )
        if run.record.mode == "full":
            await approvals.watches(connection, run.source, run.watermark)
        if worth_telling or run.record.has_a_row:
            await _keep_run(connection, run, now)
        if worth_telling:
            uow.emit(
                REGISTRY,
                "assent.registry.sync.completed.v1",
                run.source.name,
                sequence,
                SyncCompleted(
                    source=run.source.name,
                    run=str(run.record.id),
                    mode=run.record.mode,
                    started_at=run.began_at,
                    finished_at=now,
                    changed=run.counts["changed"],
                    removed=run.counts["removed"],
                    census=await state.census(connection, run.source.name),
                ),
                scope=run.source.name,
            )


async def _say_once(connection: asyncpg.Connection, run: Run, reason: str) -> None:
    before = await sources_state.get(connection, run.source.name)
    if run.progress.search_useless and before.plan_reason != reason:
        telemetry.logger().warning("search_not_used", source=run.source.name, reason=reason)


async def _keep_run(connection: asyncpg.Connection, run: Run, now: datetime) -> None:
    if not run.record.has_a_row:
        await runs.insert(connection, run.record)
    await runs.finish(
        *(connection, run.record.id, Status.COMPLETED, now), plan=run.plan, counts=run.counts, traffic=run.traffic
    )
    await runs.prune(connection, run.source.name, now)


async def failed(run: Run, error: str) -> None:
    """Keep why it could not be read to its end. What was read until then stands."""
    async with run.held.transaction() as uow:
        connection = await uow.sql()
        now = uow.clock.now()
        again = await sources_state.failed(connection, run.source.name, now, error, run.traffic)
        if not run.record.has_a_row:
            if again:
                # Said already: an outage of a night is not a thousand runs.
                return
            await runs.insert(connection, run.record)
        await runs.finish(
            *(connection, run.record.id, Status.FAILED, now),
            plan=run.plan,
            counts=run.counts,
            traffic=run.traffic,
            error=error,
        )
