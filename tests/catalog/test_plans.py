"""Lists over twenty thousand versions are read through their indexes, whatever they cost on this machine."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from assent_catalog.datasets import history as datasets
from assent_catalog.model_versions import listing, store
from assent_catalog.model_versions.filters import MetricFilter
from assent_catalog.model_versions.kept import Kept
from assent_catalog.model_versions.store import Selection, Sort
from assent_catalog.monitors import history as monitors
from assent_catalog.search import Searcher
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
    in_a_range = Selection(metrics=[MetricFilter("accuracy", ">=", 0.1), MetricFilter("accuracy", "<", 0.9)])
    for sort in (Sort.NEWEST, Sort.OLDEST):
        for after in (None, a_key(sort)):
            plan = await explained(many, in_a_range, sort, after)
            assert "using metrics_created" in plan, plan
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


async def test_who_named_a_monitor_or_data_is_found_by_an_index(world: World) -> None:
    await world.create_use_case()
    async with world.database.connection() as connection:
        for statement in (
            """
            insert into deployment_history (urn, sequence, at, state)
            select 'd' || n, 1, now(), format('{"monitors": [{"urn": "m%s"}]}', n)::jsonb
              from generate_series(1, 5000) n
            """,
            """
            insert into model_version_history (urn, sequence, at, state)
            select 'v' || n, 1, now(), format('{"datasets": [{"urn": "s3://%s"}]}', n)::jsonb
              from generate_series(1, 5000) n
            """,
            """
            insert into use_case_history (use_case, sequence, at, by, state)
            select id, 1 + n, now(), 'bea', format('{"facets": {"data": {"datasets": ["s3://%s"]}}}', n)::jsonb
              from use_cases, generate_series(1, 5000) n
            """,
            "analyze deployment_history, model_version_history, use_case_history",
        ):
            await connection.execute(statement)

        async def plan(statement: str, *values: Any) -> str:
            return "\n".join(row["QUERY PLAN"] for row in await connection.fetch(f"explain {statement}", *values))

        watched = await plan(monitors.PAGE, "m77", None, None, None, None, 50)
        assert "deployment_history_monitors" in watched, watched
        named = await plan(datasets.PAGE, "s3://77", None, None, None, None, None, 50)
        for index in ("model_version_history_datasets", "use_case_history_datasets"):
            assert index in named, named


async def test_pages_of_words_and_of_metrics_lack_nothing_and_are_in_order(many: World) -> None:
    asked: list[dict[str, Any]] = [
        {"q": "w77"},
        {"q": "model w77"},
        {"q": "w77 model", "framework": "XGBOOST"},
        {"q": "w77", "sort": "created_at"},
        {"metric": "accuracy>=0.99"},
        {"metric": ["accuracy>=0.5", "accuracy<0.6"], "q": "w7", "sort": "created_at"},
    ]
    for params in asked:
        seen = [item["id"] for item in await many.everything("/v1/model-versions", limit=25, **params)]
        everything = await many.everything("/v1/model-versions", limit=200, **params)
        assert len(everything) >= 30, params
        assert seen == [item["id"] for item in everything] == [item["id"] for item in in_order(everything, params)]
        counted = await many.get("/v1/model-versions", facets="type", limit=1, **params)
        assert counted["total"]["value"] == len(everything), params
    await a_page_of_frequent_words_is_found_among_the_newest(many)


def in_order(items: list[dict[str, Any]], params: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(items, key=lambda item: (item["created_at"], item["id"]), reverse="sort" not in params)


async def a_page_of_frequent_words_is_found_among_the_newest(many: World) -> None:
    async with many.database.connection() as connection:
        sought = await Searcher().sought(connection, "model w7", 0)
        assert sought is not None
        assert sought.newest is not None
        page = await listing.newest_page(connection, Kept(), Selection(q="model w7"), None, 20, sought)
        whole = await listing.list_page(
            connection, Kept(), Selection(q="model w7"), Sort.NEWEST, None, 20, sought=sought
        )
        statement, values = listing.page_statement(
            Selection(q="model w7"), Sort.NEWEST, None, 20, sought=sought, among=sought.newest.marks(), states=True
        )
        plan = "\n".join(row["QUERY PLAN"] for row in await connection.fetch(f"explain {statement}", *values))
    assert len(page) == 20
    assert page == whole
    assert "model_versions_found" in plan, plan


async def test_a_word_that_few_of_the_newest_have_is_looked_for_among_them_once(
    many: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, look = 0, listing.newest_page

    async def counted(*given: Any) -> list[str]:
        nonlocal looked
        looked += 1
        return await look(*given)

    monkeypatch.setattr(listing, "newest_page", counted)
    for _ in range(3):
        assert len((await many.get("/v1/model-versions", q="w77", limit=25))["items"]) == 25
    assert looked == 1


def a_key(sort: Sort) -> list[Any]:
    """Somewhere in the middle."""
    parts: dict[str, Any] = {"timestamptz": MADE_AT + timedelta(days=7), "text": "model-50", "integer": 100}
    return [parts.get(key.type, UUID(int=0)) for key in store.keys(sort)]


async def explained(world: World, selection: Selection, sort: Sort, after: list[Any] | None = None) -> str:
    """Of the page's states, and of its items; of their order both say the same."""
    plans = []
    async with world.database.connection() as connection:
        for states in (True, False):
            statement, values = listing.page_statement(selection, sort, after, 50, states=states)
            rows = await connection.fetch(f"explain {statement}", *values)
            plans.append("\n".join(row["QUERY PLAN"] for row in rows))
    assert "Index" in plans[0], plans
    return "\n".join(plans)
