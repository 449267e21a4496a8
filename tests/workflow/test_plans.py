"""What the findings ask is found through indexes, beside twenty thousand of each thing, whatever it costs here."""

from typing import Any

import pytest
from assent_workflow import subjects
from assent_workflow.candidacies import store as candidacies
from assent_workflow.facts.gather import GATHER
from assent_workflow.findings import routes, steps, store
from assent_workflow.timers import look_again
from assent_workflow.use_cases.serving import SERVING

from tests.workflow.world import URN, World, a_deployment

FILL = """
insert into model_versions
select urn || '/' || n, gen_random_uuid(), source, live, created_at, content_hash, content, record, null, 1
  from model_versions, generate_series(1, 20000) n;
insert into use_cases
select gen_random_uuid(), key || '-' || n, name, stage, facets, completeness, 1
  from use_cases, generate_series(1, 2000) n;
insert into candidacies (id, use_case_id, use_case, model_version, version_created_at, status, put_forward_by,
                         put_forward_by_issuer, created_at, changed_by, changed_at, sequence)
select gen_random_uuid(), u.id, u.key, v.urn, v.created_at, 'candidate', 'ada', 'i', now(), 'ada', now(), 1
  from (select *, row_number() over () as n from model_versions) v
  join (select *, row_number() over () as n from use_cases) u on u.n = v.n % 2001;
insert into deployments
select urn || '/' || n, source, live, kind, name, status, array[model_versions[1] || '/' || n], monitors, 1
  from deployments, generate_series(1, 20000) n;
insert into findings
select gen_random_uuid(), kind, subject_kind, subject || '/' || n, detail, severity, 'resolved', summary, evidence,
       owner, model_version || '/' || n, due_at, found_at, 1, reason, changed_by, changed_at, null, now(), 1
  from findings, generate_series(1, 20000) n;
insert into timers (id, subject, kind, due_at, fire_at)
select gen_random_uuid(), id, 'finding_due', now() + interval '1 day', now() + interval '1 day' from findings
on conflict do nothing;
"""
TABLES = ("model_versions", "use_cases", "candidacies", "deployments", "findings", "timers")


@pytest.fixture
async def many(world: World) -> World:
    await world.hears(a_deployment())
    async with world.database.connection() as connection:
        await connection.execute(FILL)
        for table in TABLES:
            await connection.execute(f"vacuum analyze {table}")
            assert await connection.fetchval(f"select count(*) > 2000 from {table}")
    return world


async def test_whatever_findings_ask_no_table_is_read_as_a_whole(many: World) -> None:
    urns = [f"{URN}/{number}" for number in (7, 77, 777)]
    async with many.database.connection() as connection:
        [served] = await connection.fetch(
            "select urn from deployments where model_versions && $1::text[] limit 1", urns[:1]
        )
        [judged] = await connection.fetch(
            "select use_case_id, use_case from candidacies where model_version = $1", urns[0]
        )
    use_cases = [judged["use_case_id"]]
    nothing_else: list[Any] = [None] * 6
    asked: list[tuple[str, tuple[Any, ...]]] = [
        (store.DEPLOYMENTS_CONCERNED, ([served["urn"]], urns)),
        (store.DEPLOYMENTS, ([served["urn"]],)),
        (store.VERSIONS, (urns,)),
        (store.CANDIDACIES, (urns,)),
        (store.OF_SUBJECTS, ([served["urn"], *urns],)),
        (store.OPEN_OF_VERSION, (urns[0],)),
        (store.CLAIM_TIMERS, (None, None, 200)),
        (routes.LIST, ("open", *nothing_else, None, None, 51)),
        (look_again.DUE, (None, 200)),
        (look_again.UNDER_REVIEW, (urns[0],)),
        (candidacies.OF_USE_CASES, (use_cases, ["archived"])),
        (subjects.NEW_THINGS, (use_cases, urns)),
        (subjects.USE_CASES_CONCERNED, (use_cases, urns)),
        (subjects.VERSIONS_CONCERNED, (use_cases, urns, use_cases)),
        (SERVING, (judged["use_case"], use_cases[0], ["Failed"], ["archived"], None, False, 51)),
        (steps.WAITING, (urns, ["archived"])),
        (look_again.STEPS_UNDER_REVIEW, (use_cases[0],)),
    ]
    for statement, values in asked:
        async with many.database.connection() as connection:
            rows = await connection.fetch(f"explain {statement}", *values)
        plan = "\n".join(row[0] for row in rows)
        assert "Scan" in plan
        for table in TABLES:
            assert f"Seq Scan on {table}" not in plan, plan


async def test_candidacies_can_be_counted_from_an_index(many: World) -> None:
    async with many.database.connection() as connection, connection.transaction():
        # Whether that is cheaper depends on how much of the table was vacuumed since it changed.
        await connection.execute("set local enable_seqscan = off")
        rows = await connection.fetch(f"explain {GATHER}")
    plan = "\n".join(row[0] for row in rows)
    assert "candidacies_status" in plan
    assert "Seq Scan on candidacies" not in plan, plan
