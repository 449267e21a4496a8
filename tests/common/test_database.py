"""A unit of work is one transaction, by whichever door its statements come."""

import asyncio
from contextlib import suppress

import asyncpg
import pytest
from assent_common import database
from assent_common.clock import SystemClock
from assent_common.database import Database, is_transient
from assent_common.kafka import topics
from assent_common.settings import Settings
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.common import world
from tests.common.world import change, value
from tests.support.wait import until

KEEP = "insert into entities values ('churn', 1)"


async def test_what_is_done_on_the_bare_connection_is_undone_with_the_rest(store: Database) -> None:
    with suppress(world.Undone):
        async with store.transaction() as uow:
            await (await uow.sql()).execute(KEEP)
            uow.emit(topics.REGISTRY, world.OBSERVED, "churn", 1, world.a_model("churn"))
            uow.audit("ada", "changed", "churn")
            await uow.flush()
            raise world.Undone
    assert await value(store, "select count(*) from entities") == 0
    assert await value(store, "select count(*) from outbox") == 0
    assert await value(store, "select count(*) from audit") == 0


async def test_nothing_of_it_is_seen_before_the_end(store: Database) -> None:
    async with store.transaction() as uow:
        await (await uow.sql()).execute(KEEP)
        await uow.session.execute(text("insert into entities values ('fraud', 1)"))
        assert await value(store, "select count(*) from entities") == 0
    assert await value(store, "select count(*) from entities") == 2


async def test_a_row_lock_holds_until_the_end(store: Database) -> None:
    await change(store, "churn")
    inside, leave = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with store.transaction() as uow:
            await (await uow.sql()).execute("select from entities where key = 'churn' for update")
            inside.set()
            await leave.wait()

    holder = asyncio.create_task(hold())
    await inside.wait()
    async with store.connection() as connection:
        with pytest.raises(asyncpg.LockNotAvailableError):
            await connection.execute("select from entities where key = 'churn' for update nowait")
    leave.set()
    await holder


async def test_bad_values_are_not_taken_for_a_database_that_is_away(store: Database) -> None:
    """Else a consumer would try them for ever."""
    async with store.connection() as connection:
        with pytest.raises(asyncpg.DataError) as too_big:
            await connection.execute("insert into entities values ('x', $1)", 2**70)
        with pytest.raises(asyncpg.PostgresError) as nul:
            await connection.execute("select $1::text", "a\0b")
        with pytest.raises(asyncpg.PostgresError) as no_table:
            await connection.execute("select * from nowhere")
    for error in (too_big, nul, no_table):
        assert not is_transient(error.value), error.value


@pytest.mark.parametrize("bare", [True, False])
async def test_what_a_newer_release_migrates_away_from_under_a_statement_is_asked_again(
    database_url: str, bare: bool
) -> None:
    """A column was added beside those of a statement that is prepared already: the trial of T15 found it."""
    service = Database(database_url, service="before", clock=SystemClock(), pool_size=1)
    newer = Database(database_url, service="newer", clock=SystemClock(), pool_size=1)

    async def read() -> object:
        async with service.transaction() as uow:
            if bare:
                return await (await uow.sql()).fetchval("select * from entities")
            return (await uow.session.execute(text("select * from entities"))).scalar_one()

    try:
        async with newer.connection() as connection:
            await connection.execute("create table entities (key text); insert into entities values ('churn')")
        assert await read() == "churn"
        async with newer.connection() as connection:
            await connection.execute("alter table entities add column owner text")
        with pytest.raises(Exception, match="cached statement plan is invalid") as failed:
            await read()
        assert is_transient(failed.value)
        assert await read() == "churn"
    finally:
        await service.close()
        await newer.close()


async def test_a_database_that_is_away_is(store: Database) -> None:
    async with store.connection() as connection:
        with pytest.raises(asyncpg.QueryCanceledError) as cancelled:
            await connection.execute("set statement_timeout = 1; select pg_sleep(1)")
        await connection.execute("reset statement_timeout")
    assert is_transient(cancelled.value)

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as killed:
        async with store.connection() as connection:
            await connection.execute("select pg_terminate_backend(pg_backend_pid())")
    assert is_transient(killed.value)

    with pytest.raises(DBAPIError) as killed_in_transaction:
        async with store.transaction() as uow:
            await uow.session.execute(text("select pg_terminate_backend(pg_backend_pid())"))
    assert is_transient(killed_in_transaction.value)


async def test_a_connection_that_died_in_the_pool_is_not_handed_out(
    store: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "IDLE_S", 0.0)
    other = world.a_database(settings)
    async with store.connection() as connection:
        pid = await connection.fetchval("select pg_backend_pid()")
    async with other.connection() as executioner:
        await executioner.execute("select pg_terminate_backend($1)", pid)
        await until(lambda: _is_gone(executioner, pid), within_s=10)
    async with store.connection() as connection:
        assert await connection.fetchval("select pg_backend_pid()") != pid
    await other.close()


async def test_a_connection_that_was_closed_a_moment_ago_is_not_handed_out_though_nobody_asks_it(
    store: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "IDLE_S", 3600.0)
    other = world.a_database(settings)
    async with store.transaction() as uow:
        pooled = await uow.sql()
        pid = await pooled.fetchval("select pg_backend_pid()")
    async with other.connection() as executioner:
        await executioner.execute("select pg_terminate_backend($1)", pid)
    await until(pooled.is_closed, within_s=30)
    async with store.transaction() as uow:
        assert await (await uow.sql()).fetchval("select pg_backend_pid()") != pid
    await other.close()


async def _is_gone(connection: asyncpg.Connection, pid: int) -> bool:
    return await connection.fetchval("select not exists (select from pg_stat_activity where pid = $1)", pid) is True


async def test_bare_reads_and_transactions_share_the_pool(database_url: str) -> None:
    """However they mix, nobody waits for a connection that lies idle, and there are never more than the pool has."""
    narrow = Database(database_url, service="tests", clock=SystemClock(), pool_size=2)
    seen: set[int] = set()

    async def read() -> None:
        async with narrow.connection() as connection:
            seen.add(await connection.fetchval("select pg_backend_pid()"))

    async def change_something() -> None:
        async with narrow.transaction() as uow:
            seen.add(await (await uow.sql()).fetchval("select pg_backend_pid()"))

    async def look() -> None:
        async with narrow.reading() as session:
            seen.add((await session.execute(text("select pg_backend_pid()"))).scalar_one())

    for _ in range(5):
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            for number in range(60):
                tasks.create_task((read, change_something, read, look)[number % 4]())
    async with narrow.connection(), narrow.transaction() as uow:
        await uow.sql()
    assert 1 <= len(seen) <= 2
    await narrow.close()


async def test_a_connection_that_a_session_is_done_with_goes_to_who_waits_though_another_is_kept(
    database_url: str,
) -> None:
    narrow = Database(database_url, service="tests", clock=SystemClock(), pool_size=2)

    async def read() -> int:
        async with narrow.connection() as connection:
            return int(await connection.fetchval("select 1"))

    async with narrow.connection():
        async with narrow.transaction() as uow:
            await uow.sql()
            waiting = asyncio.create_task(read())
            await until(lambda: narrow._bare._waiting, within_s=10)
        assert await waiting == 1
    await narrow.close()


async def test_one_who_goes_away_while_waiting_takes_no_connection_along(database_url: str) -> None:
    narrow = Database(database_url, service="tests", clock=SystemClock(), pool_size=2)

    async def read(hold: asyncio.Event | None = None) -> int:
        async with narrow.connection() as connection:
            if hold is not None:
                await hold.wait()
            return int(await connection.fetchval("select 1"))

    for _ in range(20):
        hold = asyncio.Event()
        holding = [asyncio.create_task(read(hold)) for _ in range(2)]
        waiting = [asyncio.create_task(read()) for _ in range(8)]
        await asyncio.sleep(0)
        hold.set()
        for number, each in enumerate(waiting):
            if number % 2:
                await asyncio.sleep(0)
                each.cancel()
        await asyncio.gather(*holding, *waiting, return_exceptions=True)
    async with asyncio.timeout(30):
        assert sum(await asyncio.gather(read(), read(), read())) == 3
    await narrow.close()


async def test_a_bare_connection_that_died_between_two_uses_is_not_used(store: Database) -> None:
    async with store.connection() as connection:
        pid = await connection.fetchval("select pg_backend_pid()")
    async with store.transaction() as uow:
        await (await uow.sql()).execute("select pg_terminate_backend($1)", pid)
        await until(lambda: connection.is_closed(), within_s=10)
    async with store.connection() as again:
        assert await again.fetchval("select 1") == 1
