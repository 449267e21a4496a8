"""Alembic, run by the service itself when it starts: one process at a time, whoever comes first, and each revision a
transaction: what one locks is free again while the next one builds its indexes.

A service's package has `migrations/` with `env.py` (two lines: `from assent_common.migrations import run` and
`run(metadata)`) and `versions/`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import as_file, files

from alembic import command, context, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import AdaptedConnection, Connection, MetaData
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import SchemaItem

from assent_common import grants, schema, telemetry
from assent_common.database import Database, is_transient

LOCK = 1_634_956_147
"""An arbitrary number: the advisory lock that migrating processes share."""

# Of the session, as each revision is a transaction of its own. To fill a column of a million rows takes what it takes.
ALONE = f"""
select pg_advisory_lock({LOCK});
set lock_timeout = '5s';
set statement_timeout = 0;
"""
NO_LONGER = f"""
reset statement_timeout;
reset lock_timeout;
select pg_advisory_unlock({LOCK});
"""


async def upgrade(
    database: Database,
    package: str,
    *,
    deadline_s: float = 120,
    revision: str = "head",
    works_as: str | None = None,
) -> None:
    """Bring the schema up to date. Waits for the database up to `deadline_s`; raises what it said last after that.

    Where a revision fails, those before it stay, and are not done again.

    `works_as` is the role that the service works as, where it is not the one of `database`: it is given what it needs.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + deadline_s
    backoff_s = 0.2
    while True:
        try:
            async with _alone(database) as connection:
                await connection.run_sync(_migrate, package, revision)
                if works_as is not None:
                    raw = await connection.get_raw_connection()
                    assert raw.driver_connection is not None
                    await grants.give(raw.driver_connection, works_as)
            return
        except Exception as error:
            if not is_transient(error) or loop.time() > give_up_at:
                raise
            telemetry.logger().info("waiting_for_database", reason=repr(error))
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, 5)


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[AsyncConnection]:
    """A connection that is in no transaction, while no other process migrates."""
    async with database.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is not None
        try:
            await raw.driver_connection.execute(ALONE)
            yield connection
            await connection.commit()
            await raw.driver_connection.execute(NO_LONGER)
        except BaseException:
            # The lock ends with the session, in whatever state that is.
            await connection.invalidate()
            raise


def _migrate(connection: Connection, package: str, revision: str) -> None:
    with as_file(files(package) / "migrations") as scripts:
        config = Config()
        config.set_main_option("script_location", str(scripts))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        if revision == "head" and _is_of_a_later_release(config, connection):
            # Migrations only add while two releases run beside each other: this one may begin again meanwhile.
            telemetry.logger().warning("schema_is_of_a_later_release", package=package)
            return
        # Alembic begins and ends transactions only where it finds none.
        connection.commit()
        down = revision.startswith(("-", "base"))
        # After half of the way, `-2` would be another revision for who tries again.
        config.attributes["a_transaction_each"] = not down
        (command.downgrade if down else command.upgrade)(config, revision)


def _is_of_a_later_release(config: Config, connection: Connection) -> bool:
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    return not known.issuperset(MigrationContext.configure(connection).get_current_heads())


def script(statements: str) -> None:
    """Execute several statements as they would be typed into psql: for `upgrade()` and `downgrade()`.

    Alembic's own `op.execute` prepares what it gets, and Postgres prepares one statement at a time.
    """
    adapted = op.get_bind().connection.dbapi_connection
    assert isinstance(adapted, AdaptedConnection)
    adapted.run_async(lambda connection: connection.execute(statements))


def run(metadata: MetaData) -> None:
    """What `migrations/env.py` calls."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        include_object=_is_the_services_own,
        transaction_per_migration=context.config.attributes["a_transaction_each"],
    )
    with context.begin_transaction():
        context.run_migrations()


def _is_the_services_own(_: SchemaItem, name: str | None, kind: str, __: bool, ___: SchemaItem | None) -> bool:
    return not (kind == "table" and name in schema.TABLES)
