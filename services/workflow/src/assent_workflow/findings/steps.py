"""What is known of a use case's own steps, for the rules."""

from uuid import UUID

import asyncpg

from assent_workflow.findings.rules import JudgedStep, JudgedUseCase

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


async def of_use_case(connection: asyncpg.Connection, id_: UUID) -> JudgedUseCase:
    row = await connection.fetchrow(USE_CASE, id_)
    assert row is not None
    steps = [JudgedStep(**dict(step)) for step in await connection.fetch(STEPS, id_)]
    return JudgedUseCase(**dict(row), steps=steps)
