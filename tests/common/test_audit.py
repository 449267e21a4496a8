"""Whatever is done to a sealed log, verifying it finds the record."""

import asyncio
import hashlib
from typing import Any

import asyncpg
import pytest
from assent_common import audit
from assent_common.database import Database
from assent_common.leases import Lease
from assent_common.settings import Settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.common import world
from tests.common.world import rows, value
from tests.support.wait import until

COUNT = 6


async def record(store: Database, count: int = COUNT, **details: Any) -> None:
    for number in range(count):
        async with store.transaction() as uow:
            uow.audit("ada", "decided", f"task-{number}", {"verdict": "approve", "number": number} | details)


async def seal(store: Database, lease: Lease | None = None) -> int:
    async with store.connection() as connection:
        fences = await (lease or Lease("audit-sealer")).claim(connection)
        assert fences
        return await audit.seal(connection, fences[0])


async def sealed(store: Database) -> None:
    await record(store)
    assert await seal(store) == COUNT
    assert await verified(store) == COUNT


async def verified(store: Database) -> int:
    async with store.connection() as connection:
        return await audit.verify(connection)


async def tamper(store: Database, statement: str) -> None:
    async with store.connection() as connection, connection.transaction():
        await connection.execute("set local session_replication_role = replica")
        await connection.execute(statement)


TAMPERING = {
    "at": "at = at + interval '1 microsecond'",
    "actor": "actor = 'eve'",
    "action": "action = 'refused'",
    "subject": "subject = 'task-9'",
    "details": 'details = details || \'{"verdict": "reject"}\'',
    "correlation_id": "correlation_id = 'other'",
    "previous": "previous = 'sha256:' || repeat('0', 63) || '1'",
    "hash": "hash = 'sha256:' || repeat('0', 64)",
    "seq": "seq = 99",
    "seq, taken away": "seq = null",
}


@pytest.mark.parametrize("column", TAMPERING)
@pytest.mark.parametrize("seq", [1, 3, COUNT - 1])
async def test_an_edit_of_any_column_is_found(store: Database, column: str, seq: int) -> None:
    await sealed(store)
    await tamper(store, f"update audit set {TAMPERING[column]} where seq = {seq}")
    with pytest.raises(audit.Tampered) as found:
        await verified(store)
    assert found.value.seq == seq


async def test_every_column_is_covered() -> None:
    covered = {name.split(",")[0] for name in TAMPERING} | {"id"}
    assert covered == {"id", "seq", "previous", "hash", *audit.Record._fields}


async def test_another_id_is_found(store: Database) -> None:
    await sealed(store)
    await tamper(store, "update audit set id = default where seq = 2")
    with pytest.raises(audit.Tampered) as found:
        await verified(store)
    assert found.value.seq == 2


async def test_a_deletion_is_found(store: Database) -> None:
    await sealed(store)
    await tamper(store, "delete from audit where seq = 3")
    with pytest.raises(audit.Tampered, match="audit record 3: missing"):
        await verified(store)


async def test_two_that_changed_places_are_found(store: Database) -> None:
    await sealed(store)
    await tamper(store, "update audit set seq = -seq where seq in (2, 3)")
    await tamper(store, "update audit set seq = case seq when -2 then 3 else 2 end where seq < 0")
    with pytest.raises(audit.Tampered) as found:
        await verified(store)
    assert found.value.seq == 2


async def test_an_insertion_is_found(store: Database) -> None:
    await sealed(store)
    await tamper(
        store,
        """insert into audit (at, actor, action, subject, details, correlation_id, seq, previous, hash)
           select at, 'eve', action, subject, details, correlation_id, 7, hash, 'sha256:' || repeat('1', 64)
             from audit where seq = 6""",
    )
    with pytest.raises(audit.Tampered) as found:
        await verified(store)
    assert found.value.seq == 7


async def test_a_tail_that_was_cut_off_is_found_by_who_remembers_where_it_ended(store: Database) -> None:
    await sealed(store)
    async with store.connection() as connection:
        remembered = await audit.head(connection)
    await tamper(store, "delete from audit where seq > 4")
    assert await verified(store) == 4, "by itself a shorter chain is whole"
    async with store.connection() as connection:
        with pytest.raises(audit.Tampered) as found:
            await audit.verify(connection, remembered)
    assert found.value.seq == 6


async def test_a_chain_made_anew_is_found_by_who_remembers_its_head(store: Database) -> None:
    await sealed(store)
    async with store.connection() as connection:
        remembered = await audit.head(connection)
    await tamper(store, "update audit set actor = 'eve', seq = null, previous = null, hash = null")
    await tamper(store, "update leases set expires_at = now() - interval '1 second'")
    assert await seal(store) == COUNT
    assert await verified(store) == COUNT
    async with store.connection() as connection:
        with pytest.raises(audit.Tampered) as found:
            await audit.verify(connection, remembered)
    assert found.value.seq == COUNT


@pytest.mark.parametrize(
    "statement", ["update audit set actor = 'eve'", "delete from audit", "truncate audit", "update audit set seq = 9"]
)
async def test_the_database_itself_refuses_to_change_a_record(store: Database, statement: str) -> None:
    await sealed(store)
    with pytest.raises(asyncpg.RestrictViolationError):
        await rows(store, statement)


async def test_two_sealers_at_once_do_not_fork_the_chain(store: Database) -> None:
    leases = [Lease("audit-sealer") for _ in range(3)]

    async def keep_sealing(lease: Lease) -> int:
        total = 0
        for _ in range(30):
            async with store.connection() as connection:
                fences = await lease.claim(connection)
                if fences:
                    total += await audit.seal(connection, fences[0], limit=5)
                await connection.execute("update leases set expires_at = now() - interval '1 second'")
        return total

    totals = await asyncio.gather(record(store, 60), *(keep_sealing(lease) for lease in leases))
    await tamper(store, "update leases set expires_at = now() - interval '1 second'")
    await seal(store)
    assert await verified(store) == 60
    assert sum(filter(None, totals)) > 0


async def test_a_sealer_that_lost_its_lease_seals_nothing(store: Database) -> None:
    await record(store)
    zombie = Lease("audit-sealer")
    async with store.connection() as connection:
        fences = await zombie.claim(connection)
        await connection.execute("update leases set expires_at = now() - interval '1 second'")
        assert await Lease("audit-sealer").claim(connection) == {0: 2}
        assert await audit.seal(connection, fences[0]) == 0
    assert await value(store, "select count(*) from audit where seq is not null") == 0


numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(details=st.dictionaries(texts, st.recursive(st.none() | st.booleans() | numbers | texts, st.lists)))
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_a_record_says_it_verifies(store: Database, details: dict[str, Any]) -> None:
    await record(store, 1, said=details)
    await tamper(store, "update leases set expires_at = now() - interval '1 second'")
    assert await seal(store) == 1
    assert await verified(store) > 0


async def test_the_relay_seals_what_is_recorded(store: Database, settings: Settings) -> None:
    async with world.running(world.a_relay(settings, store).run):
        await record(store)

        async def all_sealed() -> bool:
            return await value(store, "select count(*) from audit where seq is null") == 0

        await until(all_sealed, within_s=20)
    assert await verified(store) == COUNT


async def test_every_fault_is_named_and_the_walk_goes_on(store: Database) -> None:
    await sealed(store)
    await tamper(store, "update audit set actor = 'eve' where seq = 2; delete from audit where seq = 4")
    async with store.connection() as connection:
        found = [str(fault) async for fault in audit.faults(connection, audit.Walk())]
    assert found == ["audit record 2 (id 2): was changed: it is not what was sealed", "audit record 4: missing"]


async def test_guards_that_were_taken_off_are_missed(store: Database) -> None:
    async with store.connection() as connection:
        assert await audit.is_guarded(connection)
        await connection.execute("alter table audit disable trigger audit_append_only")
        assert not await audit.is_guarded(connection)


async def test_a_line_of_an_export_is_what_was_hashed(store: Database) -> None:
    await sealed(store)
    records = await rows(store, "select * from audit order by seq")
    assert len(records) == COUNT
    for record_ in records:
        digest = hashlib.sha256(audit.line(record_)).hexdigest()
        assert record_["hash"] == f"sha256:{digest}"
