"""What is known of a use case's own steps, for the rules."""

from collections.abc import Collection
from uuid import UUID

import asyncpg
from assent_common.uow import UnitOfWork

from assent_workflow.findings.rules import CLOSED_STAGES, JudgedStep, JudgedUseCase
from assent_workflow.timers import store as timers
from assent_workflow.timers.model import Timer, TimerKind

# Index: candidacies_steps, tasks_candidacy.
STEPS = """
select c.id::text, c.step_to as to, c.status, c.reason,
       c.accepted_at is not null as accepted,
       array(select t.role from tasks t join timers w on w.subject = t.id and w.kind = 'due' and w.fired_at is not null
              where t.candidacy = c.id and t.status = 'open' order by t.role) as overdue
  from candidacies c
 where c.use_case_id = $1 and c.step_to is not null and c.status not in ('retired', 'withdrawn')
 order by c.id
"""
USE_CASE = """
select id::text, key, stage, left(facets->'accountability'->>'business_owner', 200) as owner
  from use_cases where id = $1
"""
# Use cases of which a step may wait for what serves for them alone, which it does no more where a candidacy, also of
# another use case, is another. Index: candidacies_model_version, candidacies_steps.
WAITING = """
select distinct s.use_case_id as id from candidacies v join candidacies s on s.use_case_id = v.use_case_id
 where v.model_version = any($1::text[]) and s.step_to = any($2::text[]) and s.status = 'under_review'
 order by id
"""


async def of_use_case(connection: asyncpg.Connection, id_: UUID) -> JudgedUseCase:
    row = await connection.fetchrow(USE_CASE, id_)
    assert row is not None
    steps = [JudgedStep(**dict(step)) for step in await connection.fetch(STEPS, id_)]
    return JudgedUseCase(**dict(row), steps=steps)


async def waiting_for(uow: UnitOfWork, versions: Collection[str]) -> None:
    """Have them looked at again once this transaction is over: candidacies of these versions are not what they were."""
    connection = await uow.sql()
    ids = [row["id"] for row in await connection.fetch(WAITING, list(versions), list(CLOSED_STAGES))]
    if ids:
        now = uow.clock.now()
        again = [Timer(id_, TimerKind.LOOK_AGAIN, now) for id_ in ids]
        await timers.keep(connection, ids, again, candidacy=None)
