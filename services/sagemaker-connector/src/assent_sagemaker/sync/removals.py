"""What is gone: only what two complete listings in a row have lacked, never by one; and too much at once only when a
person has said so.

A listing that failed on its way does not come here at all.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping

from assent_common import telemetry
from assent_common.events.registry import Kind
from assent_common.uow import UnitOfWork

from assent_sagemaker import metrics, sources_state, state, views
from assent_sagemaker.reading import Reader
from assent_sagemaker.sync.gone import remove
from assent_sagemaker.sync.observe import Observer, Seen
from assent_sagemaker.sync.run import Run

LISTINGS = 2
#: Of a source that holds no more than this, everything may go at once: that is a cleaning-up, not a disaster.
FEW = 20


async def count_listing(run: Run, kinds: Collection[Kind], listed: Collection[str]) -> None:
    """Count one complete listing of these kinds, and tell what it proves to be gone. Once a run: it is one listing,
    however often the run is taken up."""
    if set(kinds) <= set(run.progress.counted):
        return
    source = run.source
    async with run.transaction() as uow:
        connection = await uow.sql()
        # Nobody confirms what waits while it is counted.
        await sources_state.lock(connection, source.name)
        live = await state.count_live(connection, source.name, kinds)
        missed = await state.missed(connection, source.name, kinds, listed, uow.clock.now())
        await views.count_listing(connection, source.name, kinds, listed, listings=LISTINGS)
        lost = [key for key, count in missed.items() if count >= LISTINGS]
        heirs = await views.pass_on(connection, lost)
        gone = [key for key in lost if key not in heirs]
        if asks_for_a_person(live, len(gone), source.max_removal_share):
            metrics.REMOVALS_REFUSED.labels(source.name).inc()
            telemetry.logger().error("removals_wait", source=source.name, live=live, missing=len(gone))
        else:
            run.counts["removed"] += await remove(uow, source.name, gone)
        run.progress.counted += kinds
    await _tell_of_new_owners(run, heirs)


async def confirm(uow: UnitOfWork, source: str) -> int:
    """Remove what waits for a person. How many that were."""
    connection = await uow.sql()
    await sources_state.lock(connection, source)
    return await remove(uow, source, await state.waiting(connection, source, LISTINGS))


def asks_for_a_person(live: int, gone: int, share: float) -> bool:
    return live > FEW and gone > live * share


async def _tell_of_new_owners(run: Run, heirs: Mapping[str, str]) -> None:
    """As they were last read: the new owner reads them by itself, at its next reconcile at the latest."""
    keys = defaultdict(list)
    for key, heir in heirs.items():
        keys[heir].append(key)
    for heir, its in keys.items():
        observer = Observer(heir, run.held.database, run.transaction, Reader(run.account), run.clock, counts=run.counts)
        async with run.held.database.connection() as connection:
            known = list((await state.known(connection, its)).values())
        await observer.groups(_as_seen(one) for one in known if one.kind is Kind.MODEL)
        await observer.again([one for one in known if one.kind is Kind.MODEL_VERSION])


def _as_seen(known: state.Known) -> Seen:
    return Seen(known.document, known.tags, known.summary_hash)
