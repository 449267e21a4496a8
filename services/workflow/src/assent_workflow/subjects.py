"""What is known of use cases and model versions, as rows.

Who needs several locks takes them in one order: use cases, model versions, candidacies; within each by their keys. So
nobody waits for somebody who waits for him.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import asyncpg
from assent_common.canonical import ContentHash

from assent_workflow.candidacies.model import Candidacy, Matter, Step
from assent_workflow.external import store as external
from assent_workflow.external.model import Answer
from assent_workflow.findings import store as findings
from assent_workflow.findings.rules import CLOSED_STAGES
from assent_workflow.identities import store as identities
from assent_workflow.policies import evaluate
from assent_workflow.policies.model import About, Assessment, Assign, Policy
from assent_workflow.policies.select import about
from assent_workflow.policies.select import select as the_one
from assent_workflow.policies.subject import StepSubject, Subject, UseCase, Version, facts
from assent_workflow.use_cases.serving import to_switch_off

__all__ = ["Subject", "assess", "assessed", "select", "subject_of", "use_case_by_key", "version_by_name", "with_others"]

# Share-locked, all that follow: what is judged does not change while it is judged.
USE_CASE_BY_KEY = "select * from use_cases where key = $1 for share"
USE_CASE = "select * from use_cases where id = $1 for share"
VERSION_BY_NAME = "select * from model_versions where urn = $1 or id = $2 for share"
VERSION = "select * from model_versions where urn = $1 for share"
# The one accepted last, where there are several. Index: candidacies_standing.
CHAMPION = """
select v.* from candidacies c join model_versions v on v.urn = c.model_version
 where c.use_case_id = $1 and c.model_version <> $2 and c.status = 'accepted'
 order by c.changed_at desc limit 1
"""
MAKER_OF_MODEL = "select created_by from other_entities where urn = $1 and kind = 'model'"
# Of a candidacy, in the order in which they are named. Index: the primary keys.
SUBJECT_OF = """
select true from candidacies c join use_cases u on u.id = c.use_case_id join model_versions v on v.urn = c.model_version
 where c.id = $1 for share of u, v
"""
# A step that is accepted ends the others of its use case, whose row guards them all.
USE_CASE_OF_STEP = """
select from use_cases
 where id = (select use_case_id from candidacies where id = $1 and step_to is not null) for update
"""
# Nobody can be kept off a row that is not there. Who brings one brings it alone, and before he holds anything: two who
# brought the same held other rows meanwhile, and a third who had seen it come held them in the right order. Who brings
# nothing new waits for nobody here. Index: the primary keys.
NEW_THINGS = """
select pg_advisory_xact_lock(hashtextextended('new things', 0))
 where exists (select from unnest($1::uuid[]) as t(id) where not exists (select from use_cases u where u.id = t.id))
    or exists (select from unnest($2::text[]) as t(urn)
                where not exists (select from model_versions v where v.urn = t.urn))
"""
# Those that change, and those that the candidacies concerned are judged with; as an array, for two conditions joined by
# `or` read the whole table; and those of which a step waits for what serves. Index: candidacies_model_version,
# candidacies_steps, the primary key.
USE_CASES_CONCERNED = """
select from use_cases
 where id = any(array(
       select unnest($1::uuid[])
        union
       select use_case_id from candidacies
        where model_version = any($2::text[]) and status not in ('retired', 'withdrawn')
        union
       select s.use_case_id from candidacies v join candidacies s on s.use_case_id = v.use_case_id
        where v.model_version = any($2::text[]) and s.step_to is not null and s.status = 'under_review'))
 order by id for update
"""
# Index: candidacies_standing, the primary key.
VERSIONS_CONCERNED = """
select from model_versions
 where urn = any(array(
       select unnest($2::text[])
        union
       select model_version from candidacies
        where use_case_id = any($1::uuid[]) and status not in ('retired', 'withdrawn')
          and (status = 'under_review' or use_case_id = any($3::uuid[]))))
 order by urn for update
"""
# Index: candidacies_use_case would need the key; candidacies_standing begins with the id.
VERSIONS_OF = """
select distinct model_version from candidacies where use_case_id = any($1::uuid[]) and step_to is null
"""


async def use_case_by_key(connection: asyncpg.Connection, key: str) -> UseCase | None:
    row = await connection.fetchrow(USE_CASE_BY_KEY, key)
    return _use_case(row) if row else None


async def version_by_name(connection: asyncpg.Connection, urn_or_id: str) -> Version | None:
    try:
        id_ = UUID(urn_or_id)
    except ValueError:
        id_ = None
    row = await connection.fetchrow(VERSION_BY_NAME, urn_or_id, id_)
    return _version(row) if row else None


async def hold(connection: asyncpg.Connection, candidacy: UUID) -> None:
    """Keep what a candidacy is about as it is until the end of the transaction; before the candidacy is locked."""
    if not await connection.fetchval(SUBJECT_OF, candidacy):
        await connection.execute(USE_CASE_OF_STEP, candidacy)


async def hold_to_change(
    connection: asyncpg.Connection,
    *,
    use_cases: Collection[UUID],
    given_up: Collection[UUID] = (),
    versions: Collection[str],
) -> None:
    """Keep everybody off these, and off what the candidacies concerned are judged with beside them.

    Of use cases that are given up, all that stand are concerned.
    """
    await connection.execute(NEW_THINGS, list(use_cases), list(versions))
    await connection.execute(USE_CASES_CONCERNED, list(use_cases), list(versions))
    await connection.execute(VERSIONS_CONCERNED, list(use_cases), list(versions), list(given_up))


async def versions_of(connection: asyncpg.Connection, use_cases: Collection[UUID]) -> list[str]:
    """The model versions that were ever put forward for these."""
    return [row["model_version"] for row in await connection.fetch(VERSIONS_OF, list(use_cases))] if use_cases else []


async def subject_of(connection: asyncpg.Connection, matter: Matter) -> Subject | StepSubject:
    """What a candidacy or a step is about, as it stands now, held until the end of the transaction."""
    match matter:
        case Candidacy():
            return await _of_candidacy(connection, matter)
        case Step():
            return await _of_step(connection, matter)
    raise TypeError(type(matter))


async def _of_step(connection: asyncpg.Connection, step: Step) -> StepSubject:
    row = await connection.fetchrow(USE_CASE, step.use_case_id)
    assert row is not None
    return await on_the_way(connection, _use_case(row), step.to, again=step.accepted_at is not None)


async def on_the_way(connection: asyncpg.Connection, use_case: UseCase, to: str, *, again: bool = False) -> StepSubject:
    """With whom it names, and what serves for it where it is to be given up."""
    serving = await to_switch_off(connection, use_case.key, use_case.id) if to in CLOSED_STAGES else []
    alone = StepSubject(use_case, str(to), again, serving)
    return alone._replace(
        identities=await identities.of(connection, {known.name for known in alone.accountable.values()})
    )


async def _of_candidacy(connection: asyncpg.Connection, candidacy: Candidacy) -> Subject:
    version = await connection.fetchrow(VERSION, candidacy.model_version)
    use_case = await connection.fetchrow(USE_CASE, candidacy.use_case_id)
    assert version is not None
    assert use_case is not None
    return await with_others(connection, _use_case(use_case), _version(version))


async def with_others(connection: asyncpg.Connection, use_case: UseCase, version: Version) -> Subject:
    """With findings, the champion, and whom the two name. Those are not held: a change to them is seen next time."""
    champion = await connection.fetchrow(CHAMPION, use_case.id, version.urn)
    maker = await connection.fetchval(MAKER_OF_MODEL, version.record.get("model"))
    found = await findings.open_of_version(connection, version.urn)
    alone = Subject(use_case, version, found, champion=_version(champion) if champion else None, model_created_by=maker)
    named = {known.name for known in (*alone.makers, *alone.accountable.values())}
    return alone._replace(identities=await identities.of(connection, named))


async def assessed(
    connection: asyncpg.Connection, policy: Policy, subject: Subject | StepSubject, at: datetime, *, review: UUID | None
) -> Assessment:
    """With what the policy needs to know beyond the subject: whom to share among, what a review's other systems say."""
    known = await identities.colleagues(connection) if policy.assign is Assign.LEAST_LOADED else ()
    asked = any(check.external is not None for check in policy.checks)
    answers = await external.answers(connection, review, subject.content_hash) if asked else {}
    return replace(assess(policy, subject, at, answers), colleagues=known)


def assess(
    policy: Policy, subject: Subject | StepSubject, at: datetime, answers: Mapping[str, Answer] = MappingProxyType({})
) -> Assessment:
    return evaluate.assess(
        policy,
        facts(subject, at),
        content_hash=subject.content_hash,
        answers=answers,
        makers=subject.makers,
        accountable=subject.accountable,
    )


def select(policies: Iterable[Policy], subject: Subject | StepSubject, at: datetime) -> Policy:
    """Raises NoOnePolicy."""
    match subject:
        case StepSubject():
            return the_one(about(policies, About.USE_CASE, to=subject.to), facts(subject, at))
        case Subject():
            return the_one(about(policies, About.MODEL_VERSION), facts(subject, at))


def _use_case(row: Mapping[str, Any]) -> UseCase:
    completeness = row["completeness"]
    return UseCase(
        id=row["id"],
        key=row["key"],
        name=row["name"],
        stage=row["stage"],
        facets=row["facets"],
        links=row["links"],
        missing={name: facet["missing"] for name, facet in completeness.items() if not facet["complete"]},
    )


def _version(row: Mapping[str, Any]) -> Version:
    return Version(
        urn=row["urn"],
        id=row["id"],
        live=row["live"],
        created_at=row["created_at"],
        content_hash=ContentHash(row["content_hash"]),
        content=row["content"],
        record=row["record"],
    )
