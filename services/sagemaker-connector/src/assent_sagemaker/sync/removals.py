"""What is gone: only what two complete listings in a row have lacked, never by one, and never half of a source at once.

A listing that failed on its way does not come here at all.
"""

from collections.abc import Collection, Mapping

from assent_common import telemetry
from assent_common.events.registry import Kind, Removed
from assent_common.kafka.topics import REGISTRY

from assent_sagemaker import metrics, state
from assent_sagemaker.sync.run import Run

LISTINGS = 2
#: More than half of more than so many at once needs one more listing to be believed.
MANY = 20


async def count_listing(run: Run, kinds: Collection[Kind], listed: Collection[str]) -> None:
    """Count one complete listing of these kinds, and tell what it proves to be gone."""
    async with run.transaction() as uow:
        connection = await uow.sql()
        live = await state.count_live(connection, run.source.name, kinds)
        missed = await state.missed(connection, run.source.name, kinds, listed)
        gone = proven(live, missed)
        if not gone and (due := sum(count >= LISTINGS for count in missed.values())):
            run.note(
                f"{due} of {live} live objects are in the listing no more: removed if the next one lacks them, too"
            )
            metrics.REMOVALS_REFUSED.labels(run.source.name).inc()
            telemetry.logger().error("removals_refused", source=run.source.name, live=live, missing=due)
        now = uow.clock.now()
        removed = await state.remove(connection, gone, now)
        for one in sorted(removed):
            uow.emit(
                REGISTRY,
                f"assent.registry.{one.kind.value}.removed.v1",
                one.urn,
                one.sequence,
                Removed(urn=one.urn, source=run.source.name, kind=one.kind, removed_at=now),
                scope=run.source.name,
            )
            metrics.CHANGES.labels(one.kind.value).inc()
        run.counts["removed"] += len(removed)


def proven(live: int, missed: Mapping[str, int]) -> list[str]:
    """The keys that are gone, by how many listings in a row have lacked each."""
    gone = [key for key, count in missed.items() if count >= LISTINGS]
    if live > MANY and len(gone) * 2 > live:
        gone = [key for key in gone if missed[key] > LISTINGS]
    return gone
