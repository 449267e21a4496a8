"""Lists over twenty thousand versions are read through their indexes, whatever they cost on this machine."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from assent_catalog.model_versions import store
from assent_catalog.model_versions.filters import MetricFilter
from assent_catalog.model_versions.store import Selection, Sort
from assent_common import ids

from tests.catalog.world import MADE_AT, MODEL, URN, World, a_version

# A page that is found by no index would read every row of these.
WHOLE_TABLES = ("Seq Scan on model_versions", "Seq Scan on metrics")


@pytest.fixture
async def many(world: World) -> World:
    """Twenty thousand versions of a hundred models; one in a hundred is a candidate."""
    await world.hears(a_version())
    async with world.database.connection() as connection:
        await connection.execute(
            """
            insert into model_versions
            select gen_random_uuid(), urn || '/' || n, source, model, md5((n % 100)::text)::uuid, 'model-' || n % 100,
                   n / 100, description, type || n % 5, framework, algorithm, source_status, source_approval_status,
                   metrics_status, content_hash, created_at + n * interval '1 minute', modified_at, live, record, raw,
                   array_to_tsvector(array['model', 'w' || n % 500]), sequence,
                   case when n % 100 = 0 then 'candidate' else 'registered' end,
                   case when n % 100 = 0 then '{"retention": "candidate"}' else '{}' end::jsonb, 1, changed_at
              from model_versions, generate_series(1, 20000) n
            """
        )
        await connection.execute(
            "insert into metrics (model_version, name, value, kind) "
            "select id, 'accuracy', random(), 'measured' from model_versions on conflict do nothing"
        )
        await connection.execute("vacuum analyze model_versions")
        await connection.execute("vacuum analyze metrics")
    return world


async def test_a_page_of_everything_is_read_in_the_order_of_an_index(many: World) -> None:
    assert len(Sort) == 8
    for sort in Sort:
        for after in (None, a_key(sort)):
            plan = await explained(many, Selection(), sort, after)
            assert "Index Scan" in plan, plan
            assert not any(whole in plan for whole in WHOLE_TABLES), plan
            assert "Sort" not in plan, plan


async def test_a_narrow_selection_is_found_by_an_index(many: World) -> None:
    for selection in (
        Selection(urn=URN),
        Selection(q="w77"),
        Selection(status=["candidate"]),
        Selection(use_case="retention"),
        Selection(model=str(ids.of_urn(MODEL))),
        Selection(metrics=[MetricFilter("accuracy", ">=", 0.999)]),
    ):
        plan = await explained(many, selection, Sort.NEWEST)
        assert "Index" in plan, plan
        assert not any(whole in plan for whole in WHOLE_TABLES), plan


def a_key(sort: Sort) -> list[Any]:
    """Somewhere in the middle."""
    parts: dict[str, Any] = {"timestamptz": MADE_AT + timedelta(days=7), "text": "model-50", "integer": 100}
    return [parts.get(key.type, UUID(int=0)) for key in store.keys(sort)]


async def explained(world: World, selection: Selection, sort: Sort, after: list[Any] | None = None) -> str:
    statement, values = store.page_statement(selection, sort, after, 50)
    async with world.database.connection() as connection:
        rows = await connection.fetch(f"explain {statement}", *values)
    return "\n".join(row["QUERY PLAN"] for row in rows)
