"""What somebody can decide in another's place: which approvals, of which policies."""

from datetime import datetime
from typing import NamedTuple

import asyncpg
from assent_common.identity.roles import Principal

from assent_workflow.policies import store as policies

# Index: delegations_substitute, tasks_open.
GIVEN = """
select distinct r.policy, t.stage, t.role, d.delegator
  from delegations d
  join tasks t on t.role = d.role and t.status = 'open'
  join reviews r on r.id = t.review
 where d.substitute = $1 and d.substitute_issuer = $2 and d.revoked_at is null and d.begins_at <= $3 and d.ends_at > $3
"""


class Delegated(NamedTuple):
    """An approval that is his to give for the delegator."""

    policy: str
    stage: str
    role: str
    delegator: str
    #: Only of tasks that are the delegator's by name.
    by_name: bool


async def delegated_to(connection: asyncpg.Connection, who: Principal, at: datetime) -> tuple[Delegated, ...]:
    """As `reviews.duties` will see it when he decides."""
    found = []
    for row in await connection.fetch(GIVEN, who.subject, who.issuer, at):
        approval = (await policies.pinned(connection, row["policy"])).approval(row["stage"], row["role"])
        if approval is not None and {row["role"], *approval.substitutes} & {role.value for role in who.roles}:
            found.append(Delegated(row["policy"], row["stage"], row["role"], row["delegator"], approval.accountable))
    return tuple(found)
