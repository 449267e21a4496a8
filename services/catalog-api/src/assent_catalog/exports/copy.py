"""Rows out of Postgres as they are to be sent: written by `COPY`, so that a million rows cost no memory here.

It is one statement, so that all of it is of one moment.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from assent_common.database import Database

_AHEAD = 8
#: A control character never stands in JSON, so that nothing in it is quoted or escaped.
_AS_IT_IS = {"format": "csv", "delimiter": "\x02", "quote": "\x01"}
_CSV = {"format": "csv", "header": True}


class Number(str):
    """An expression that gives a number: no formula, even where it is negative."""

    __slots__ = ()


def csv(database: Database, columns: Mapping[str, str], source: str, *values: Any) -> AsyncIterator[bytes]:
    """Column → expression, a constant of ours, over the rows of `source`, which binds `values`.

    No cell is a formula to a spreadsheet: text that begins like one is put behind an apostrophe.
    """
    cells = ", ".join(f"{_harmless(expression)} as {name}" for name, expression in columns.items())
    return _copied(database, f"select {cells} {source}", values, _CSV)


def json_lines(database: Database, columns: Mapping[str, str], source: str, *values: Any) -> AsyncIterator[bytes]:
    """One JSON object a line."""
    members = ", ".join(f"'{name}', {expression}" for name, expression in columns.items())
    return _copied(database, f"select json_build_object({members}) {source}", values, _AS_IT_IS)


def _harmless(expression: str) -> str:
    """Spreadsheets look past spaces, and take full-width signs for the plain ones."""
    if isinstance(expression, Number):
        return expression
    return rf"regexp_replace(({expression})::text, '^(?=\s*[=+\-@\t\r\n＝＋－＠])', '''')"  # noqa: RUF001


async def _copied(
    database: Database, statement: str, values: Sequence[Any], how: Mapping[str, Any]
) -> AsyncIterator[bytes]:
    """What Postgres writes, no faster than it is taken away."""
    chunks: asyncio.Queue[bytes] = asyncio.Queue(_AHEAD)

    async def copy() -> None:
        async with database.connection() as connection:
            await connection.copy_from_query(statement, *values, output=chunks.put, **how)

    copying = asyncio.create_task(copy())
    try:
        while not (copying.done() and chunks.empty()):
            coming = asyncio.create_task(chunks.get())
            await asyncio.wait({coming, copying}, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                yield bytes(coming.result())
            else:
                coming.cancel()
        await copying
    finally:
        copying.cancel()
        await asyncio.wait({copying})
