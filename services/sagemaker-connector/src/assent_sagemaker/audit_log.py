"""The audit log, to be read."""

from collections.abc import Mapping
from typing import Any

import asyncpg

# Indexes: the primary key, audit_subject.
LIST = """
select id, at, actor, action, subject, details, correlation_id, seq, hash from audit
 where ($1::text is null or subject = $1) and ($2::bigint is null or id < $2)
 order by id desc
 limit $3
"""


async def newest(
    connection: asyncpg.Connection, *, subject: str | None, before: int | None, limit: int
) -> list[Mapping[str, Any]]:
    return [dict(row) for row in await connection.fetch(LIST, subject, before, limit)]
