"""A service that works as a role which owns nothing does all its work, and cannot touch an audit record."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest
from assent_common import audit, migrations
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_common.kafka import topics
from assent_common.settings import Settings
from assent_local import broker
from assent_local.doctor import databases
from assent_local.doctor.finding import Is
from assent_local.postgres import Databases
from pydantic import SecretStr

from tests.common import world
from tests.common.test_service_life import a_service, readiness
from tests.contract.services import PACKAGES
from tests.support.wait import until
from tests.workflow.world import a_use_case, a_version, a_world

DENIED = asyncpg.InsufficientPrivilegeError
#: What an intruder with the service's password would try.
TAMPERING = {
    "update audit set actor = 'eve'": DENIED,
    "update audit set details = '{}' where seq = 1": DENIED,
    "update audit set at = now(), seq = null": DENIED,
    "delete from audit": DENIED,
    "truncate audit": DENIED,
    "truncate audit, outbox": DENIED,
    "drop table audit": DENIED,
    "alter table audit disable trigger audit_append_only": DENIED,
    "drop trigger audit_append_only on audit": DENIED,
    "create or replace function audit_is_append_only() returns trigger language sql as 'select null'": DENIED,
    "set session_replication_role = replica": DENIED,
    "create table mine ()": DENIED,
    "update alembic_version set version_num = '0001'": DENIED,
    # What the sealer may, it may once: that is for the trigger to say.
    "update audit set seq = seq + 10": asyncpg.RestrictViolationError,
    "update audit set hash = 'sha256:0' where seq = 1": asyncpg.RestrictViolationError,
}


MAY = """
select c.relname as name,
       array(select p from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p
              where has_table_privilege(c.oid, p)) as may
  from pg_class c where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
"""


class Roles(NamedTuple):
    works: str
    owns: str


@pytest.fixture
async def roles(postgres_server: Databases, database: str) -> AsyncIterator[Roles]:
    """The URLs of one database, by who works with it and by who owns it."""
    suffix, password = secrets.token_hex(4), secrets.token_hex(8)
    works, owns = f"works_{suffix}", f"owns_{suffix}"
    admin = await asyncpg.connect(postgres_server.plain_url(database))
    try:
        for role in (works, owns):
            await admin.execute(f"create role {role} login password '{password}'")
        await admin.execute(f"alter database {database} owner to {owns}; revoke all on database {database} from public")
        await admin.execute(f"alter schema public owner to {owns}")
        parts = urlsplit(postgres_server.url(database))
        yield Roles(
            *(
                urlunsplit(parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port}"))
                for role in (works, owns)
            )
        )
        await admin.execute(
            f"alter database {database} owner to current_user; alter schema public owner to current_user;"
            f"drop owned by {works}, {owns}"
        )
        await admin.execute(f"drop role {works}, {owns}")
    finally:
        await admin.close()


@pytest.fixture
def working(roles: Roles) -> Settings:
    return Settings(database_url=SecretStr(roles.works))


async def test_it_works_and_seals_and_nobody_with_its_password_changes_a_record(
    working: Settings, roles: Roles
) -> None:
    with broker.embedded() as embedded:
        embedded.create_topic(topics.REGISTRY.name, 3)
        reached = working.model_copy(update={"kafka_bootstrap_servers": embedded.bootstrap_servers})
        await _tampered(reached, roles)


async def _tampered(reached: Settings, roles: Roles) -> None:
    async with a_service(reached, ASSENT_DATABASE_OWNER_URL=roles.owns) as (_, client):
        await until(lambda: _is_ready(client), within_s=60)
        store = world.a_database(reached)
        try:
            for number in range(3):
                async with store.transaction() as uow:
                    uow.audit("ada", "decided", f"task-{number}", {"verdict": "approve"})
            await until(lambda: _sealed(store, 3), within_s=60)
            tried = 0
            for statement, refused in TAMPERING.items():
                async with store.connection() as connection:
                    with pytest.raises(refused):
                        await connection.execute(statement)
                tried += 1
            assert tried > 10
            async with store.connection() as connection:
                assert await audit.verify(connection) == 3
                assert await audit.is_guarded(connection)
        finally:
            await store.close()


@pytest.mark.parametrize("service", list(PACKAGES))
async def test_of_each_service_it_may_use_every_table_and_change_none(
    working: Settings, roles: Roles, service: str
) -> None:
    owner = Database(roles.owns, service=service, clock=SystemClock())
    store = world.a_database(working, service)
    try:
        for _ in range(2):
            await migrations.upgrade(owner, PACKAGES[service], works_as=urlsplit(roles.works).username)
        # The next start, without the owner's password: there is nothing to do, and so nothing to be allowed.
        await migrations.upgrade(store, PACKAGES[service])
        rows = await world.rows(store, MAY)
        may = {row["name"]: row["may"] for row in rows}
        assert len(may) > 10
        assert may.pop("audit") == ["SELECT", "INSERT"]
        assert may.pop("alembic_version") == ["SELECT"]
        assert {name: kinds for name, kinds in may.items() if kinds != ["SELECT", "INSERT", "UPDATE", "DELETE"]} == {}
        columns = await world.rows(
            store,
            """select attname from pg_attribute where attrelid = 'audit'::regclass and attnum > 0
                  and has_column_privilege('audit', attname, 'UPDATE')""",
        )
        assert {row["attname"] for row in columns} == {"seq", "previous", "hash"}
        said = {url: [each async for each in databases.look(service, url)] for url in (roles.works, roles.owns)}
        noted = {url: [each.says for each in found if each.how is Is.NOTED] for url, found in said.items()}
        assert not [says for says in noted[roles.works] if "guard" in says]
        assert [says for says in noted[roles.owns] if "could take the guard" in says]
    finally:
        await owner.close()
        await store.close()


async def test_a_version_goes_its_whole_way_by_that_role(working: Settings, roles: Roles) -> None:
    owner = Database(roles.owns, service="workflow", clock=SystemClock())
    try:
        await migrations.upgrade(owner, "assent_workflow", works_as=urlsplit(roles.works).username)
    finally:
        await owner.close()
    async with a_world(working.database_url.get_secret_value()) as workflow:
        await workflow.hears(a_use_case(), a_version())
        candidacy = await workflow.put_forward()
        await workflow.approve_all(candidacy["id"])
        assert (await workflow.candidacy(candidacy["id"]))["status"] == "accepted"
        assert (await workflow.gate())["allow"] is True


async def test_a_schema_of_another_release_ends_it_where_it_owns_nothing(working: Settings, roles: Roles) -> None:
    owner = Database(roles.owns, service="workflow", clock=SystemClock())
    store = world.a_database(working, "workflow")
    try:
        works = urlsplit(roles.works).username
        await migrations.upgrade(owner, "assent_workflow", revision="0001", works_as=works)
        with pytest.raises(Exception, match=r"must be owner of|permission denied"):
            await migrations.upgrade(store, "assent_workflow")
    finally:
        await owner.close()
        await store.close()


async def test_a_job_makes_the_schema_and_who_works_needs_no_owner_after_it(roles: Roles) -> None:
    environment = {"ASSENT_DATABASE_URL": roles.works, "ASSENT_DATABASE_OWNER_URL": roles.owns}
    job = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "assent_common.migrate", "assent_workflow"), env={**os.environ, **environment}
    )
    assert await job.wait() == 0
    store = Database(roles.works, service="workflow", clock=SystemClock())
    try:
        await migrations.upgrade(store, "assent_workflow")
        async with store.connection() as connection:
            may = {row["name"]: set(row["may"]) for row in await connection.fetch(MAY)}
    finally:
        await store.close()
    assert may["candidacies"] == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert may["audit"] == {"SELECT", "INSERT"}


async def _is_ready(client: httpx.AsyncClient) -> bool:
    return await readiness(client) == "ready"


async def _sealed(store: Database, count: int) -> bool:
    return await world.value(store, "select count(*) from audit where seq is not null") == count
