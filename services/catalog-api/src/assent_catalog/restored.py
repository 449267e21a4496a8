"""The database is older than what was told from it: what people wrote of use cases since is taken from there."""

from collections.abc import Sequence
from dataclasses import replace

import asyncpg
from assent_common.actors import ASSENT
from assent_common.events.catalog import UseCaseChanged
from assent_common.events.envelope import CloudEvent
from assent_common.uow import UnitOfWork

from assent_catalog.use_cases import store
from assent_catalog.use_cases.store import UseCase


async def reconcile(uow: UnitOfWork, events: Sequence[CloudEvent]) -> frozenset[str]:
    """An event says the whole of a use case, so none is lost. Records follow from what others tell, anew."""
    connection = await uow.sql()
    for said in (event.payload for event in events):
        if isinstance(said, UseCaseChanged):
            await _adopt(uow, connection, said)
    return frozenset()


async def _adopt(uow: UnitOfWork, connection: asyncpg.Connection, said: UseCaseChanged) -> None:
    key = await connection.fetchval("select key from use_cases where id = $1", said.id)
    before = await store.find(connection, key or said.key, lock=True)
    now = UseCase(
        id=said.id,
        key=said.key,
        name=said.name,
        description=said.description,
        owner=said.owner,
        stage=said.stage,
        facets=said.facets,
        links=[link.model_dump(mode="json") for link in said.links],
        created_at=said.created_at,
        created_by=said.created_by,
        modified_at=said.modified_at,
        modified_by=said.modified_by,
        sequence=1,
        changed_sequence=1,
        has_models=False,
        proposal=said.proposal.model_dump(mode="json") if said.proposal else None,
        outcome=said.outcome.model_dump(mode="json") if said.outcome else None,
    )
    if before is None:
        await store.insert(uow, now)
    elif before.id == said.id:
        numbered = replace(
            now,
            sequence=before.sequence + 1,
            changed_sequence=before.changed_sequence + 1,
            has_models=before.has_models,
        )
        await store.update(uow, numbered, was=before.sequence)
    else:
        # After the backup was restored and before this was known, somebody else took the key: theirs stands.
        return
    details = {"of": said.modified_at.isoformat(), "by": said.modified_by}
    uow.audit(ASSENT, "use_case.recovered", said.key, details)
