"""Every test has a database of its own."""

import asyncpg
import pytest


@pytest.mark.parametrize("attempt", ["first", "second"])
async def test_a_database_is_empty_whoever_had_one_before(database_plain_url: str, attempt: str) -> None:
    connection = await asyncpg.connect(database_plain_url)
    assert await connection.fetchval("select count(*) from pg_tables where schemaname = 'public'") == 0
    await connection.execute("create table models (name text)")
    # Left open: a test that failed does not clean up, and its database goes all the same.
    connection.terminate()
