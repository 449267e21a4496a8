"""Objects that are gone: told once each."""

from collections.abc import Collection

from assent_common.events.registry import Removed
from assent_common.kafka.topics import REGISTRY
from assent_common.uow import UnitOfWork

from assent_sagemaker import metrics, state


async def remove(uow: UnitOfWork, source: str, keys: Collection[str]) -> int:
    """Keep and tell that these are a source's no more. How many of them were there until now."""
    now = uow.clock.now()
    removed = await state.remove(await uow.sql(), keys, now)
    for one in sorted(removed):
        uow.emit(
            REGISTRY,
            f"assent.registry.{one.kind.value}.removed.v1",
            one.urn,
            one.sequence,
            Removed(urn=one.urn, source=source, kind=one.kind, removed_at=now),
            scope=source,
        )
        metrics.CHANGES.labels(one.kind.value).inc()
    return len(removed)
