"""Look at what changed, and settle what is found, in the transaction that learns of it."""

from collections.abc import Collection, Sequence
from uuid import UUID

from assent_common.uow import UnitOfWork

from assent_workflow.findings import steps, store
from assent_workflow.findings.model import Finding, settle
from assent_workflow.findings.rules import Found, found, of_use_case


def concerning(uow: UnitOfWork, version: str) -> None:
    """Look once more before the transaction ends: what is decided of this version changes."""
    uow.at_the_end(_at_the_end, version)


def concerning_use_case(uow: UnitOfWork, use_case: UUID) -> None:
    """Look once more before the transaction ends: what is decided of this use case itself changes."""
    uow.at_the_end(_at_use_cases, str(use_case))


async def look(uow: UnitOfWork, *, versions: Collection[str] = (), deployments: Collection[str] = ()) -> list[Finding]:
    """At versions, at their candidacies, at what serves them, and at deployments: what is not as it was."""
    if not versions and not deployments:
        return []
    connection = await uow.sql()
    facts = await store.facts(connection, versions=versions, deployments=deployments)
    known = await store.of_subjects(connection, facts.subjects)
    changed = list(settle(known, found(facts), at=uow.clock.now()))
    await store.save(uow, changed)
    return changed


async def settle_one(uow: UnitOfWork, subject: str, found: Sequence[Found]) -> None:
    """Of a subject that no rule looks at: all that is so now is given."""
    known = await store.of_subjects(await uow.sql(), [subject])
    await store.save(uow, list(settle(known, found, at=uow.clock.now())))


async def _at_the_end(uow: UnitOfWork, versions: frozenset[str]) -> None:
    await look(uow, versions=versions)
    await steps.waiting_for(uow, versions)


async def _at_use_cases(uow: UnitOfWork, use_cases: frozenset[str]) -> None:
    connection = await uow.sql()
    for id_ in sorted(use_cases):
        judged = await steps.of_use_case(connection, UUID(id_))
        await settle_one(uow, id_, of_use_case(judged))
