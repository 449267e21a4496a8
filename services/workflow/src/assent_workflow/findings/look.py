"""Look at what changed, and settle what is found, in the transaction that learns of it."""

from collections.abc import Collection, Sequence

from assent_common.uow import UnitOfWork

from assent_workflow.findings import store
from assent_workflow.findings.model import Finding, settle
from assent_workflow.findings.rules import Found, found


def concerning(uow: UnitOfWork, version: str) -> None:
    """Look once more before the transaction ends: what is decided of this version changes."""
    uow.at_the_end(_at_the_end, version)


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
