"""The inbox: which tasks a filter leaves, the most urgent first, and how many of what."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from assent_common.events.governance import TaskStatus
from assent_common.identity.roles import Principal

from assent_workflow.policies.model import About
from assent_workflow.tasks.duties import Duties
from assent_workflow.tasks.schemas import TaskCounts
from assent_workflow.tasks.standing_in import Delegated

SELECT = """
select t.*, c.use_case, c.model_version, c.put_forward_by, v.traceparent, c.step_to,
       case when c.step_to is null then t.candidacy end as of_candidacy,
       case when c.step_to is not null then t.candidacy end as of_step
  from tasks t
  join candidacies c on c.id = t.candidacy
  left join model_versions v on v.urn = c.model_version
"""
# A statement is made of the conditions that are asked for, so that each is planned for what it asks.
# Index: tasks_open by role, tasks_given by assignee, tasks_due else; tasks_candidacy.
CONDITIONS: Mapping[str, str] = {
    "candidacy": "t.candidacy = {}::uuid and c.step_to is null",
    "step": "t.candidacy = {}::uuid and c.step_to is not null",
    "about": "(case when c.step_to is null then 'model_version' else 'use_case' end) = {}::text",
    "role": "t.role = {}::text",
    "status": "t.status = {}::text",
    "overdue": "(t.status = 'open' and t.due_at < now()) = {}::boolean",
    "assignee": "t.assignee = {}::text",
    "assigned": "(t.assignee is not null) = {}::boolean",
    "stage": "t.stage = {}::text",
    "use_case": "c.use_case = {}::text",
    "model_version": "c.model_version = {}::text",
    # Index: model_versions_model, model_versions_name.
    "model": "c.model_version in (select urn from model_versions where record ->> 'model' = {0}::text"
    " union all select urn from model_versions where record ->> 'name' = {0}::text)",
    "due_before": "t.due_at < {}::timestamptz",
}
# What a person can decide now: of his roles and groups, or in the place of another; and by what the review's policy
# says, neither put forward by either nor asked for by himself, nor made by him, and the only one of its review that he
# decides. What nobody can decide until it is told who a maker is stays: somebody has to see that.
# Index: tasks_review, and the primary keys.
MINE = """
t.status = 'open' and {of_role} and (t.asked_group is null or t.asked_group = any({0}::text[]))
and exists (
  select from reviews r
   where r.id = t.review
     and (r.policy = any({3}::text[])
          or (c.put_forward_by, c.put_forward_by_issuer) <> ({1}::text, {2}::text)
             and (r.requested_by <> {1}::text or r.requested_by = c.put_forward_by))
     and not exists (
         select from tasks d
          where d.review = t.review and d.status <> 'cancelled'
            and ((d.decided_by, d.decided_by_issuer) = ({1}::text, {2}::text)
                 or (d.on_behalf_of, d.on_behalf_of_issuer) = ({1}::text, {2}::text))
            and (r.policy <> all({4}::text[]) or (d.stage, d.role) = (t.stage, t.role)))
     and (r.policy <> all({5}::text[])
          or not exists (
             select from model_versions v
               left join other_entities m on m.urn = v.record ->> 'model' and m.kind = 'model'
              where v.urn = c.model_version
                and (v.record ->> 'created_by' = any({6}::text[]) or v.record ->> 'modified_by' = any({6}::text[])
                     or m.created_by = any({6}::text[])))))
"""
# Where only whom the use case names decides, one who holds the role is not asked unless that is he.
OF_ROLE = """
t.role = any({0}::text[])
and (not exists (select from reviews r
                  where r.id = t.review and r.policy || '/' || t.stage || '/' || t.role = any({1}::text[]))
     or (select u.facets -> 'accountability' ->> t.role from use_cases u where u.id = c.use_case_id) = any({2}::text[]))
"""
IN_PLACE_OF = """exists (
  select from reviews r
    join unnest({}::text[], {}::text[], {}::text[], {}::text[], {}::boolean[])
      as d(policy, stage, role, delegator, by_name)
      on (d.policy, d.stage, d.role) = (r.policy, t.stage, t.role)
   where r.id = t.review and d.delegator not in (c.put_forward_by, r.requested_by)
     and (not d.by_name or t.assignee = d.delegator))"""
# One pass over what is left. Of the six, `grouping` has a bit for each that a row is not about.
COUNTS = """
with sets as materialized (
  select grouping(t.status, t.role, t.stage, t.assignee, c.use_case, c.model_version) as bits,
         t.status, t.role, t.stage, t.assignee, c.use_case, c.model_version, count(*) as number,
         count(*) filter (where t.status = 'open' and t.due_at < now()) as overdue,
         count(*) filter (where t.status = 'open' and t.assignee is null) as unassigned
    from tasks t join candidacies c on c.id = t.candidacy
   where {where}
   group by grouping sets ((), (t.status), (t.role), (t.stage), (t.assignee), (c.use_case), (c.model_version))
)
select 'total' as what, '' as value, number::bigint as number from sets where bits = 63
union all select 'overdue', '', overdue from sets where bits = 63
union all select 'unassigned', '', unassigned from sets where bits = 63
union all select 'status', status, number from sets where bits = 31
union all (select 'role', role, number from sets where bits = 47 order by 3 desc, 2 limit 100)
union all (select 'stage', stage, number from sets where bits = 55 order by 3 desc, 2 limit 100)
union all (select 'assignee', assignee, number from sets where bits = 59 and assignee is not null
            order by 3 desc, 2 limit 100)
union all (select 'use_case', use_case, number from sets where bits = 61 order by 3 desc, 2 limit 100)
union all (select 'model', coalesce(v.record ->> 'model', v.record ->> 'name'), sum(number)::bigint
             from sets join model_versions v on v.urn = model_version
            where bits = 62 and coalesce(v.record ->> 'model', v.record ->> 'name') is not null
            group by 2 order by 3 desc, 2 limit 100)
"""
NO_DUTIES = Duties([], [], [], [], [])
_ALONE = frozenset({"total", "overdue", "unassigned"})


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is asked for; what is absent narrows nothing."""

    candidacy: UUID | None = None
    step: UUID | None = None
    about: About | None = None
    role: str | None = None
    status: TaskStatus | None = None
    overdue: bool | None = None
    assignee: str | None = None
    assigned: bool | None = None
    stage: str | None = None
    use_case: str | None = None
    model_version: str | None = None
    model: str | None = None
    due_before: datetime | None = None
    #: With the groups that are told of him.
    mine: Principal | None = None
    #: And what is his to decide for others.
    delegated: tuple[Delegated, ...] = ()
    #: And what keeps him from the rest.
    duties: Duties = NO_DUTIES

    @property
    def key(self) -> list[Any]:
        """What a cursor belongs to."""
        who = [self.mine.issuer, self.mine.subject] if self.mine else None
        return [*(getattr(self, name) for name in CONDITIONS), who]

    def where(self) -> tuple[str, list[Any]]:
        """The conditions, and their values in the order of their numbers."""
        said, values = ["true"], list[Any]()
        for name, condition in CONDITIONS.items():
            value = getattr(self, name)
            if value is not None:
                values.append(value)
                said.append(condition.format(f"${len(values)}"))
        if self.mine is not None:

            def given(*more: Any) -> list[str]:
                values.extend(more)
                return [f"${number}" for number in range(len(values) - len(more) + 1, len(values) + 1)]

            duties = self.duties
            of_role = OF_ROLE.format(*given([role.value for role in self.mine.roles], duties.by_name, duties.names))
            if self.delegated:
                columns = map(list, zip(*self.delegated, strict=True))
                of_role = f"(({of_role}) or {IN_PLACE_OF.format(*given(*columns))})"
            who = given(list(self.mine.groups), self.mine.subject, self.mine.issuer)
            who += given(duties.lets_proposers, duties.lets_one_do_more, duties.keeps_makers, duties.names)
            said.append(MINE.format(*who, of_role=of_role))
        return " and ".join(said), values


async def page(
    connection: asyncpg.Connection, selection: Selection, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[Mapping[str, Any]]:
    """By due time and id."""
    where, values = selection.where()
    if after is not None:
        values += after
        where += f" and (t.due_at, t.id) > (${len(values) - 1}::timestamptz, ${len(values)}::uuid)"
    values.append(limit)
    statement = f"{SELECT} where {where} order by t.due_at, t.id limit ${len(values)}"
    return list(await connection.fetch(statement, *values))


async def counts(connection: asyncpg.Connection, selection: Selection) -> TaskCounts:
    """In one statement, so that they fit each other."""
    where, values = selection.where()
    found: dict[str, Any] = defaultdict(dict)
    for row in await connection.fetch(COUNTS.format(where=where), *values):
        if row["what"] in _ALONE:
            found[row["what"]] = row["number"]
        else:
            found[row["what"]][row["value"]] = row["number"]
    return TaskCounts(**{name: found[name] for name in TaskCounts.model_fields})
