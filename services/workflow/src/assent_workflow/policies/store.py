"""Policies by version: written once, never edited. Those that Assent ships need no row."""

from collections.abc import Mapping
from typing import Any

import asyncpg
from assent_common import ids
from assent_common.events.catalog import Stage
from assent_common.events.governance import ReviewedStages
from assent_common.kafka.topics import GOVERNANCE
from assent_common.uow import UnitOfWork

from assent_workflow.policies.model import About, Policy
from assent_workflow.policies.parse import parse
from assent_workflow.policies.select import about
from assent_workflow.policies.shipped import SHIPPED

ALL = "select name, version, text, created_by, created_at from policies order by name, version"
ONE = "select text from policies where name = $1 and version = $2"
LAST = "select max(version) from policies where name = $1"
# Two who write one policy at once: the second waits here, and then sees the first one's version.
LOCK = "select pg_advisory_xact_lock(hashtextextended('policy ' || $1, 0))"
#: All of the topic are keyed by an id; of this there is one.
STAGES_ID = ids.of_urn("assent:reviewed-stages")
LOCK_STAGES = "select stages, sequence from reviewed_stages for update"
SAVE_STAGES = "update reviewed_stages set stages = $1, sequence = sequence + 1"
INSERT = "insert into policies (name, version, text, created_by, created_at) values ($1, $2, $3, $4, $5)"


async def everything(connection: asyncpg.Connection) -> list[Policy]:
    """Every version of every policy."""
    stored = [parse(row["text"]) for row in await connection.fetch(ALL)]
    return [*(parse(text) for text in SHIPPED.values()), *stored]


async def rows(connection: asyncpg.Connection) -> list[Mapping[str, Any]]:
    """Those that a company wrote itself, with who and when."""
    return list(await connection.fetch(ALL))


async def pinned(connection: asyncpg.Connection, ref: str) -> Policy:
    """The policy of a review, by its `name@version`."""
    if ref in SHIPPED:
        return parse(SHIPPED[ref])
    name, _, version = ref.partition("@")
    text = await connection.fetchval(ONE, name, int(version))
    assert text is not None, f"the policy {ref} is gone"
    return parse(text)


async def next_version(connection: asyncpg.Connection, name: str) -> int:
    """What the next version of this policy is numbered. Holds off other writers of it until the transaction ends."""
    await connection.execute(LOCK, name)
    shipped = [int(ref.partition("@")[2]) for ref in SHIPPED if ref.startswith(f"{name}@")]
    return max([*shipped, await connection.fetchval(LAST, name) or 0], default=0) + 1


async def add(uow: UnitOfWork, policy: Policy, text: str, *, by: str) -> None:
    """What is under review stays pinned to the version that it began with."""
    await (await uow.sql()).execute(INSERT, policy.name, policy.version, text, by, uow.clock.now())
    uow.audit(by, "policy.added", policy.ref, {"text": text})
    await _tell_stages(uow)


async def _tell_stages(uow: UnitOfWork) -> None:
    """Where use cases do not go by hand any more, or do again, the catalogue hears of it. The row is locked first, so
    that of two who write policies at once the second tells what both have written."""
    connection = await uow.sql()
    row = await connection.fetchrow(LOCK_STAGES)
    assert row is not None
    asked = {stage for policy in about(await everything(connection), About.USE_CASE) for stage in policy.steps or ()}
    stages = [stage for stage in Stage if stage in asked]
    if stages != row["stages"]:
        await connection.execute(SAVE_STAGES, stages)
        told = ReviewedStages(stages=stages)
        uow.emit(GOVERNANCE, "assent.governance.reviewed_stages.changed.v1", str(STAGES_ID), row["sequence"] + 1, told)
