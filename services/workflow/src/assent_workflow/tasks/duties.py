"""What keeps somebody from tasks of a role that he holds, by policy: as `reviews.duties` sees it when he decides."""

from typing import NamedTuple

import asyncpg
from assent_common.identity.roles import Principal

from assent_workflow.policies import store as policies

# Index: identities_person, the unique name.
NAMES = """
select name from identities where issuer = $1 and subject = $2
 union all select $2 where not exists (select from identities where name = $2)
"""


class Duties(NamedTuple):
    """Policies by `name@version`."""

    #: As what the registry and use cases know him.
    names: list[str]
    #: Of these, who put it forward or asked for it decides, too.
    lets_proposers: list[str]
    #: Of these, one person decides several tasks, but for those of one role in one stage.
    lets_one_do_more: list[str]
    #: Of these, who made or changed it at its source does not decide.
    keeps_makers: list[str]
    #: `name@version/stage/role`: of these, only whom the use case names decides.
    by_name: list[str]


async def duties_of(connection: asyncpg.Connection, who: Principal) -> Duties:
    found = Duties([row["name"] for row in await connection.fetch(NAMES, who.issuer, who.subject)], [], [], [], [])
    for policy in await policies.everything(connection):
        apart = policy.separation_of_duties
        if not apart.proposer_decides_nothing:
            found.lets_proposers.append(policy.ref)
        if not apart.one_person_one_task:
            found.lets_one_do_more.append(policy.ref)
        if apart.maker_decides_nothing:
            found.keeps_makers.append(policy.ref)
        asked = ((stage, approval) for stage in policy.stages for approval in stage.approvals)
        found.by_name.extend(f"{policy.ref}/{stage.name}/{each.role}" for stage, each in asked if each.accountable)
    return found
