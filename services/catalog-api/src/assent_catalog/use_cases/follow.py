"""A use case follows its candidacies: whether some model version stands for it."""

from collections.abc import Mapping
from dataclasses import replace

from assent_common import telemetry
from assent_common.events.envelope import CloudEvent
from assent_common.uow import UnitOfWork

from assent_catalog.use_cases import store


async def candidacies_changed(uow: UnitOfWork, causes: Mapping[str, CloudEvent]) -> None:
    """Tell of each use case that has a model now and had none, or the other way round, in the name of its cause.

    What people wrote stays as it is, and so does its ETag.
    """
    if not causes:
        return
    connection = await uow.sql()
    use_cases = await store.lock_several(connection, causes)
    having = await store.with_models(connection, causes)
    changed = [
        replace(use_case, has_models=use_case.key in having, changed_sequence=use_case.changed_sequence + 1)
        for use_case in use_cases
        if use_case.has_models is not (use_case.key in having)
    ]
    if changed:
        await store.follow(connection, changed)
    for use_case in changed:
        with telemetry.caused_by(causes[use_case.key]):
            store.tell(uow, use_case)
