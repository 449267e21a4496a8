"""Findings as rows, and the facts that the rules look at, in whole sets."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID
from zlib import crc32

import asyncpg
import orjson
from assent_common.events.governance import FindingChanged
from assent_common.kafka.topics import GOVERNANCE
from assent_common.uow import UnitOfWork

from assent_workflow.findings.model import Finding, FindingStatus
from assent_workflow.findings.rules import Deployment, Facts, Judged, Kind, Served, Severity, Standing, Version
from assent_workflow.timers import store as timers
from assent_workflow.timers.model import Timer, TimerKind

# Who looks at a version or a deployment keeps others from looking until his transaction ends: of two that change what
# is known of it, the second sees what the first did. A number of locks that is the same however large a batch is.
LOCK = "select pg_advisory_xact_lock($1, bucket) from unnest($2::int[]) bucket"
BUCKETS = 128
_OF_VERSIONS, _OF_DEPLOYMENTS = 1_634_956_148, 1_634_956_149
# Index: deployments_serving, and the primary key.
DEPLOYMENTS_CONCERNED = """
select urn, model_versions from deployments where urn = any($1::text[]) or (live and model_versions && $2::text[])
"""
# Index: candidacies_model_version.
DEPLOYMENTS = """
select d.urn, d.name, d.live, d.status, d.monitors, s.served
  from deployments d
  left join lateral (
    select jsonb_agg(jsonb_build_object('urn', m.urn, 'live', v.live, 'standings', c.standings,
                                        'owner', accountable(m.urn)) order by m.urn) as served
      from unnest(d.model_versions) as m(urn)
      left join model_versions v on v.urn = m.urn
      left join lateral (
        select jsonb_agg(jsonb_build_array(c.status, c.use_case, u.stage) order by c.id) as standings
          from candidacies c left join use_cases u on u.id = c.use_case_id
         where c.model_version = m.urn and (v.created_at is null
               or abs(extract(epoch from c.version_created_at - v.created_at)) < 1)) c on true) s on true
 where d.urn = any($1::text[])
"""
VERSIONS = """
select v.urn, v.live, v.record->'approval_drift' as drift, accountable(v.urn) as owner
  from model_versions v where v.urn = any($1::text[])
"""
CANDIDACIES = """
select c.id::text, c.use_case, c.model_version, c.status, c.content_hash, v.content_hash as stands, v.live,
       c.overridden_by, c.expires_at,
       t.fired_at as expired_at, accountable(c.model_version) as owner
  from candidacies c
  join model_versions v on v.urn = c.model_version
  left join timers t on t.subject = c.id and t.kind = 'expiry' and t.fired_at is not null
 where c.model_version = any($1::text[])
"""
# Index: findings_subject.
OF_SUBJECTS = "select * from findings where subject = any($1::text[]) order by id for update"
LOCK_ONE = "select * from findings where id = $1 for update"
SAVE = """
insert into findings select * from jsonb_populate_recordset(null::findings, $1::jsonb)
on conflict (id) do update
   set severity = excluded.severity, status = excluded.status, summary = excluded.summary,
       evidence = excluded.evidence, owner = excluded.owner, due_at = excluded.due_at, found_at = excluded.found_at,
       times_found = excluded.times_found, reason = excluded.reason, changed_by = excluded.changed_by,
       changed_at = excluded.changed_at, accepted_until = excluded.accepted_until, resolved_at = excluded.resolved_at,
       sequence = excluded.sequence
"""
# Index: findings_model_version.
OPEN_OF_VERSION = """
select kind, severity, summary from findings where model_version = $1 and status = 'open' order by id
"""
# Index: timers_waiting.
CLAIM_TIMERS = """
select t.* from timers t join findings f on f.id = t.subject
 where t.fired_at is null and t.candidacy is null and t.fire_at <= coalesce($1::timestamptz, now())
   and t.kind <> 'look_again'
   and ($2::uuid is null or t.id = $2)
 order by t.fire_at limit $3
   for update of t, f skip locked
"""


async def facts(connection: asyncpg.Connection, *, versions: Collection[str], deployments: Collection[str]) -> Facts:
    """What is known of these versions, of what serves them and of these deployments. Nobody else looks meanwhile."""
    await connection.execute(LOCK, _OF_VERSIONS, _buckets(versions))
    concerned = await connection.fetch(DEPLOYMENTS_CONCERNED, list(deployments), list(versions))
    urns = [row["urn"] for row in concerned]
    await connection.execute(LOCK, _OF_DEPLOYMENTS, _buckets(urns))
    serving = await connection.fetch(DEPLOYMENTS, urns)
    known = await connection.fetch(VERSIONS, list(versions))
    judged = await connection.fetch(CANDIDACIES, list(versions))
    return Facts(
        deployments=[_deployment(row) for row in serving],
        versions=[Version(**dict(row)) for row in known],
        candidacies=[Judged(**dict(row)) for row in judged],
    )


async def of_subjects(connection: asyncpg.Connection, subjects: Collection[str]) -> list[Finding]:
    """All that was ever found of them, locked."""
    return [finding_of(row) for row in await connection.fetch(OF_SUBJECTS, list(subjects))]


async def lock(connection: asyncpg.Connection, id_: UUID) -> Finding | None:
    row = await connection.fetchrow(LOCK_ONE, id_)
    return finding_of(row) if row else None


async def open_of_version(connection: asyncpg.Connection, urn: str) -> list[Mapping[str, Any]]:
    return list(await connection.fetch(OPEN_OF_VERSION, urn))


async def claim_timers(
    connection: asyncpg.Connection, *, at: datetime | None, most: int, only: UUID | None = None
) -> list[asyncpg.Record]:
    return list(await connection.fetch(CLAIM_TIMERS, at, only, most))


async def save(uow: UnitOfWork, findings: Sequence[Finding]) -> None:
    """Write them, let their time run, put on record and tell."""
    if not findings:
        return
    connection = await uow.sql()
    rows = [{member.name: getattr(finding, member.name) for member in fields(finding)} for finding in findings]
    await connection.execute(SAVE, orjson.dumps(rows, default=str).decode())
    waiting = [timer for finding in findings for timer in _timers(finding)]
    await timers.keep(connection, [finding.id for finding in findings], waiting, candidacy=None)
    for finding in findings:
        details = {"kind": finding.kind, "subject": finding.subject, "reason": finding.reason}
        uow.audit(finding.changed_by, f"finding.{finding.status}", str(finding.id), details)
        _tell(uow, finding)


def finding_of(row: Mapping[str, Any]) -> Finding:
    typed = {"kind": Kind(row["kind"]), "severity": Severity(row["severity"]), "status": FindingStatus(row["status"])}
    return Finding(**{**row, **typed})


def _timers(finding: Finding) -> list[Timer]:
    if finding.status is FindingStatus.OPEN:
        return [Timer(finding.id, TimerKind.FINDING_DUE, finding.due_at)]
    timers = []
    if finding.model_version is not None:
        timers.append(Timer(finding.id, TimerKind.LOOK_AGAIN, finding.changed_at))
    if finding.accepted_until is not None:
        timers.append(Timer(finding.id, TimerKind.RISK_EXPIRY, finding.accepted_until))
    return timers


def _deployment(row: Mapping[str, Any]) -> Deployment:
    served = [
        Served(each["urn"], each["live"], [Standing(*of) for of in each["standings"] or ()], each["owner"])
        for each in row["served"] or ()
    ]
    return Deployment(row["urn"], row["name"], row["live"], row["status"], served, row["monitors"])


def _buckets(urns: Collection[str]) -> list[int]:
    """In one order for all, so that nobody waits for somebody who waits for him."""
    return sorted({crc32(urn.encode()) % BUCKETS for urn in urns})


def _tell(uow: UnitOfWork, finding: Finding) -> None:
    told = {member: getattr(finding, member) for member in FindingChanged.model_fields if hasattr(finding, member)}
    uow.emit(
        GOVERNANCE,
        "assent.governance.finding.changed.v1",
        str(finding.id),
        finding.sequence,
        FindingChanged(**{**told, "kind": finding.kind.value, "status": finding.status.value}),
    )
