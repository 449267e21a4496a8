"""A page of model versions, one after the other by its keys, as the JSON that is sent."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import asyncpg

from assent_catalog.model_versions.filters import MetricFilter
from assent_catalog.model_versions.kept import Kept, State
from assent_catalog.model_versions.store import CREATED, ID, ITEM, KEYS, KNOWN_AT, Selection, Sort, keys
from assent_catalog.search import Sought

STATE = "v.id, v.xmin, v.changed_sequence"
# Index: the primary key.
WRITE = f"select {STATE}, {ITEM} from model_versions v where v.id = any($1::uuid[])"  # noqa: S608 - a constant
# The keys of the newest first, as a metric's row has them.
_MEASURED_KEYS = (CREATED._replace(expression="m.created_at"), ID._replace(expression="m.model_version"))


async def list_page(
    connection: asyncpg.Connection,
    kept: Kept,
    selection: Selection,
    sort: Sort,
    after: Sequence[Any] | None,
    limit: int,
    *,
    as_of: datetime | None = None,
    sought: Sought | None = None,
    among: Sequence[str] = (),
) -> list[str]:
    """At most `limit` items after the key, as JSON. Those that are kept are not written again."""
    if as_of is None:
        statement, values = page_statement(selection, sort, after, limit, sought=sought, among=among, states=True)
        states = [State(*state) for state in await connection.fetch(statement, *values)]
        items = await _items(connection, kept, states)
        if items is not None:
            return items
    statement, values = page_statement(selection, sort, after, limit, as_of=as_of, sought=sought, among=among)
    return [item for (item,) in await connection.fetch(statement, *values)]


async def newest_page(
    connection: asyncpg.Connection,
    kept: Kept,
    selection: Selection,
    after: Sequence[Any] | None,
    limit: int,
    sought: Sought,
) -> list[str]:
    """The same of words that thousands have, looked for among the newest versions: less than `limit` may mean that
    there are more. Empty where that is not worth a try."""
    among = sought.newest.marks(after[0] if after else None) if sought.newest is not None else ()
    if not among:
        return []
    return await list_page(connection, kept, selection, Sort.NEWEST, after, limit, sought=sought, among=among)


async def _items(connection: asyncpg.Connection, kept: Kept, states: Sequence[State]) -> list[str] | None:
    """None where one of them is not as it was a moment ago: a page is of one moment."""
    items = [kept.get(state) for state in states]
    missing = [place for place, item in enumerate(items) if item is None]
    if missing:
        rows = await connection.fetch(WRITE, [states[place].id for place in missing])
        written = {State(*state): item for *state, item in rows}
        for place in missing:
            item = written.get(states[place])
            if item is None:
                return None
            items[place] = item
            kept.put(states[place], item)
    return [item for item in items if item is not None]


def page_statement(
    selection: Selection,
    sort: Sort,
    after: Sequence[Any] | None,
    limit: int,
    *,
    as_of: datetime | None = None,
    sought: Sought | None = None,
    among: Sequence[str] = (),
    states: bool = False,
) -> tuple[str, Sequence[Any]]:
    """A statement made of this package's constants, and what a caller gave, to be bound. With `states` it tells which
    versions are on the page, in which state, and else the items."""
    table, sorted_by = "model_versions v" if as_of is None else f"{KNOWN_AT} v", keys(sort)
    first: MetricFilter | None = None
    if selection.metrics and as_of is None and sorted_by is KEYS["created_at"]:
        first, *others = selection.metrics
        selection = replace(selection, metrics=others)
    where = selection.where(as_of, sought, among)
    if first is not None:
        # The newest of those in the range, one after the other, rather than the newest of all. Index: metrics_created,
        # metrics_value.
        table, sorted_by = f"{table} join metrics m on m.model_version = v.id", _MEASURED_KEYS
        where.add(f"m.name = {{}} and m.value {first.operator} {{}}", first.name, first.value)
    direction, beyond = ("desc", "<") if sort.startswith("-") else ("asc", ">")
    if after is not None:
        places = ", ".join(f"{{}}::{key.type}" for key in sorted_by)
        where.add(f"({', '.join(key.expression for key in sorted_by)}) {beyond} ({places})", *after)
    # A list of everything is planned once: with its limit bound it would be planned each time.
    cut = where.bind(limit) if where.values else str(limit)
    in_order = f"order by {', '.join(f'{key.expression} {direction}' for key in sorted_by)}"
    chosen = f"from {table} where {where} {in_order} limit {cut}"
    if states:
        return f"select {STATE} {chosen}", where.values
    expressions = list(enumerate(key.expression for key in sorted_by))
    # Cut before the items are made: Postgres would make one of each row that was found, and throw most away.
    statement = f"""
        select {ITEM}
          from (select v.*, {", ".join(f"{each} as key_{place}" for place, each in expressions)} {chosen}) v
         order by {", ".join(f"key_{place} {direction}" for place, _ in expressions)}
    """  # noqa: S608 - every part is a constant of this package
    return statement, where.values
