"""How the work goes, in numbers: one statement, by indexes but for what serves."""

from datetime import datetime

import asyncpg
from pydantic import BaseModel

# Index: tasks_open, tasks_decided, reviews_ended, findings_unresolved, candidacies_status, candidacies_model_version.
# Where nothing was decided, a time is null, never zero.
GATHER = """
with waiting as (
    select stage, role, count(*) as waiting, count(*) filter (where due_at < now()) as overdue,
           extract(epoch from now() - min(opened_at))::float8 as longest_s
      from tasks where status = 'open' group by stage, role),
decided as (
    select stage, role, count(*) as decided,
           percentile_cont(0.5) within group (order by extract(epoch from decided_at - opened_at)::float8) as median_s,
           percentile_cont(0.9) within group (order by extract(epoch from decided_at - opened_at)::float8) as p90_s
      from tasks
     where decided_at > now() - interval '90 days' and status in ('approved', 'rejected', 'changes_requested')
     group by stage, role),
ended as (
    select count(*) filter (where status = 'accepted') as accepted,
           count(*) filter (where status = 'rejected') as rejected,
           count(*) filter (where status = 'changes_requested') as changes_requested,
           count(*) filter (where status = 'cancelled') as cancelled,
           percentile_cont(0.5) within group (order by extract(epoch from ended_at - requested_at)::float8)
               filter (where status = 'accepted') as median_s,
           percentile_cont(0.9) within group (order by extract(epoch from ended_at - requested_at)::float8)
               filter (where status = 'accepted') as p90_s
      from reviews where ended_at > now() - interval '90 days'),
standing as (
    select kind, severity, status, count(*) as findings,
           count(*) filter (where found_at > now() - interval '7 days') as up_to_a_week,
           count(*) filter (where found_at <= now() - interval '7 days' and found_at > now() - interval '30 days')
               as up_to_a_month,
           count(*) filter (where found_at <= now() - interval '30 days') as older,
           count(*) filter (where due_at < now()) as overdue
      from findings where status <> 'resolved' group by kind, severity, status),
serving as (select distinct unnest(model_versions) as urn from deployments where live)
select now() as as_of,
       (select coalesce(jsonb_agg(to_jsonb(b) order by stage, role), '[]')
          from (select * from waiting full join decided using (stage, role)) b) as tasks,
       (select to_jsonb(e) from ended e) as reviews,
       (select coalesce(jsonb_object_agg(status, n), '{}')
          from (select status, count(*) as n from candidacies where step_to is null group by status) c) as candidacies,
       (select coalesce(jsonb_agg(to_jsonb(f) order by kind, severity, status), '[]') from standing f) as findings,
       (select count(*) from serving) as serving,
       (select count(*) from serving s where not exists (
            select from candidacies c
             where c.model_version = s.urn and c.status = 'accepted' and c.step_to is null)) as unaccepted
"""


class Work(BaseModel):
    """What is asked of a role in a stage, and how long it takes."""

    stage: str
    role: str
    waiting: int
    overdue: int
    #: Of those that wait, how long the first has waited; null where none waits.
    longest_s: float | None
    #: In the last 90 days: how many were decided, and within what time from asking half and nine tenths of them were.
    decided: int
    median_s: float | None
    p90_s: float | None


class Reviews(BaseModel):
    """How the rounds of the last 90 days ended, and how long those took that ended in an acceptance."""

    accepted: int
    rejected: int
    changes_requested: int
    cancelled: int
    #: Accepted, of all that somebody judged (not cancelled); null where there was none.
    acceptance_rate: float | None
    median_s: float | None
    p90_s: float | None


class Standing(BaseModel):
    """Findings of one kind, severity and status that are not resolved, by age."""

    kind: str
    severity: str
    status: str
    findings: int
    up_to_a_week: int
    up_to_a_month: int
    older: int
    overdue: int


class Serving(BaseModel):
    """Model versions that serve, and how many of them without an acceptance for anything."""

    model_versions: int
    without_acceptance: int


class Facts(BaseModel):
    """How the work goes. As of a moment that is at most a minute ago."""

    as_of: datetime
    tasks: list[Work]
    reviews: Reviews
    #: Status → how many candidacies.
    candidacies: dict[str, int]
    findings: list[Standing]
    serving: Serving


async def gather(connection: asyncpg.Connection) -> Facts:
    async with connection.transaction():
        # On one core: this can wait, and the gate cannot.
        await connection.execute("set local max_parallel_workers_per_gather = 0")
        row = await connection.fetchrow(GATHER)
    ended = row["reviews"]
    judged = ended["accepted"] + ended["rejected"] + ended["changes_requested"]
    counted = ("waiting", "overdue", "decided")
    return Facts(
        as_of=row["as_of"],
        tasks=[Work(**{**work, **{name: work[name] or 0 for name in counted}}) for work in row["tasks"]],
        reviews=Reviews(**ended, acceptance_rate=ended["accepted"] / judged if judged else None),
        candidacies=row["candidacies"],
        findings=[Standing(**each) for each in row["findings"]],
        serving=Serving(model_versions=row["serving"], without_acceptance=row["unaccepted"]),
    )
