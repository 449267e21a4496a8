"""What the role that a service works as may do in its database, where another role owns that.

It reads and writes every table, makes none and changes none. Audit records it adds, and never changes or takes away: of
those it may set the columns of the chain, once, which the trigger sees to. It cannot take the trigger away, for the
table is not its own.
"""

import asyncpg

# All or nothing for whoever works meanwhile: it is one transaction.
GIVE = """
grant connect on database {database} to {role};
grant usage on schema public to {role};
grant select, insert, update, delete on all tables in schema public to {role};
revoke insert, update, delete on alembic_version from {role};
revoke update, delete on audit from {role};
grant update (seq, previous, hash) on audit to {role};
"""
NAMES = "select quote_ident($1) as role, quote_ident(current_database()) as database"


async def give(connection: asyncpg.Connection, role: str) -> None:
    """To that role, by the one that owns the tables. Again and again is the same as once."""
    names = await connection.fetchrow(NAMES, role)
    await connection.execute(GIVE.format(**names))
