"""Who may decide a task in place of those whom it is asked of, as far as anybody but their tokens says."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from assent_workflow.notifications.happenings import StandIn
from assent_workflow.policies import store as policies
from assent_workflow.policies.model import Policy

# Index: the primary keys; delegations are few, and read whole.
GIVEN = """
select t.id as task, r.policy, t.stage, t.role, t.asked_group, coalesce(a.subject, t.assignee) as assignee,
       c.put_forward_by, r.requested_by, d.delegator, d.substitute, known.roles, known.groups
  from tasks t
  join reviews r on r.id = t.review
  join candidacies c on c.id = t.candidacy
  join delegations d on d.role = t.role and d.revoked_at is null and d.begins_at <= $2 and d.ends_at > $2
  left join identities a on a.name = t.assignee
 cross join lateral (select array_agg(distinct r) filter (where r is not null) as roles,
                            array_agg(distinct g) filter (where g is not null) as groups
                       from identities i left join unnest(i.roles) r on true left join unnest(i.groups) g on true
                      where i.subject = d.substitute) known
 where t.id = any($1::uuid[])
 order by t.id, d.id
"""


async def stand_ins(connection: asyncpg.Connection, tasks: Collection[UUID], at: datetime) -> dict[UUID, list[StandIn]]:
    """By task. Whose roles and groups nobody has told is taken at the word of who delegated to him."""
    found: dict[UUID, list[StandIn]] = {}
    if not tasks:
        return found
    for row in await connection.fetch(GIVEN, list(tasks), at):
        if _counts(row, await policies.pinned(connection, row["policy"])):
            found.setdefault(row["task"], []).append(StandIn(row["substitute"], row["delegator"]))
    return found


def _counts(row: Mapping[str, Any], policy: Policy) -> bool:
    """As `reviews.duties` will see it when he decides."""
    approval = policy.approval(row["stage"], row["role"])
    if approval is None or (approval.accountable and row["delegator"] != row["assignee"]):
        return False
    may = {row["role"], *approval.substitutes}
    if row["roles"] is not None and may.isdisjoint(row["roles"]):
        return False
    if row["asked_group"] is not None and row["groups"] is not None and row["asked_group"] not in row["groups"]:
        return False
    apart = policy.separation_of_duties.proposer_decides_nothing
    theirs = {row["put_forward_by"], row["requested_by"]}
    return not (apart and theirs & {row["substitute"], row["delegator"]})
