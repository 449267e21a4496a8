"""Use cases in bulk, from templates, with a company's own fields, and what keeps two from being one."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.catalog.world import World, a_world

CSV = {"Content-Type": "text/csv"}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"cost_centre": {"type": "string", "pattern": "^[0-9]{4}$"}, "region": {"enum": ["EMEA", "APAC"]}},
    "required": ["region"],
}


async def imports(world: World, file: str, **params: Any) -> httpx.Response:
    return await world.ask(
        *("POST", "/v1/use-cases/import"),
        by="bea",
        role="business_owner",
        content=file.encode(),
        headers=CSV,
        params=params,
    )


def outcomes(answer: httpx.Response) -> list[tuple[int, str, str]]:
    assert answer.status_code == 200, answer.text
    return [(row["row"], row["key"], row["outcome"]) for row in answer.json()["rows"]]


async def test_a_dry_run_says_what_would_become_of_each_row_and_writes_nothing(world: World) -> None:
    await world.create_use_case("retention", name="Retention")
    file = "key,name,legal.risk_class\nretention,Retention,limited\nchurn,Churn,huge\nBad Key,X,\nfraud,Fraud,high\n"
    tried = await imports(world, file, dry_run=True)
    assert outcomes(tried) == [
        (2, "retention", "changed"),
        (3, "churn", "invalid"),
        (4, None, "invalid"),
        (5, "fraud", "created"),
    ]
    assert tried.json()["rows"][1]["errors"][0]["pointer"] == "/facets/legal/risk_class"
    assert [u["key"] for u in await world.everything("/v1/use-cases")] == ["retention"]
    assert len(await world.told("use_case")) == 1

    refused = await imports(world, file)
    assert refused.status_code == 422
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [
        "/rows/3/facets/legal/risk_class",
        "/rows/4/key",
    ]
    assert [u["key"] for u in await world.everything("/v1/use-cases")] == ["retention"]


async def test_an_import_creates_changes_what_it_names_and_leaves_the_rest(world: World) -> None:
    await world.create_use_case("retention", name="Retention", facets={"impact": {"harm": "none"}})
    file = "key,name,owner,legal.risk_class\nretention,Retention,Bea,limited\nfraud,Fraud,,high\n"
    assert outcomes(await imports(world, file)) == [(2, "retention", "changed"), (3, "fraud", "created")]
    kept = await world.get("/v1/use-cases/retention")
    assert kept["facets"] == {
        "business_context": {},
        "legal": {"risk_class": "limited"},
        "data": {},
        "impact": {"harm": "none"},
        "accountability": {},
    }
    assert (await world.get("/v1/use-cases/fraud"))["owner"] == "bea"
    assert outcomes(await imports(world, file)) == [(2, "retention", "unchanged"), (3, "fraud", "unchanged")]


async def test_what_was_exported_is_imported_without_a_change(world: World) -> None:
    await world.create_use_case(
        name="=Retention", facets={"legal": {"annex_iii": ["5(b)"], "personal_data": False}}, links=[A_LINK]
    )
    exported = await world.ask("GET", "/v1/exports/use-cases")
    assert outcomes(await imports(world, exported.text)) == [(2, "retention", "unchanged")]


async def test_only_who_writes_use_cases_imports_them(world: World) -> None:
    answer = await world.ask("POST", "/v1/use-cases/import", content=b"key,name\na,A\n", headers=CSV)
    assert answer.status_code == 403
    unknown = await world.ask("POST", "/v1/use-cases/import", role="data_steward", content=b"x", headers={})
    assert unknown.status_code == 400


A_LINK = {"kind": "document", "ref": "https://wiki.example.com/retention", "title": "Business case"}


async def test_the_same_put_twice_does_no_more_than_once(world: World) -> None:
    body = {"name": "Retention", "links": [A_LINK]}
    put: dict[str, Any] = {"by": "bea", "role": "business_owner", "json": body}
    first = await world.ask("PUT", "/v1/use-cases/retention", **put)
    assert (first.status_code, first.headers["location"]) == (201, "/v1/use-cases/retention")
    assert first.json()["links"] == [A_LINK | {"digest": None}]
    again = await world.ask("PUT", "/v1/use-cases/retention", **{**put, "json": {**body, "owner": "bea"}})
    assert (again.status_code, again.headers["etag"]) == (200, first.headers["etag"])
    other = {**put, "json": {"name": "Retention of everybody"}}
    assert (await world.ask("PUT", "/v1/use-cases/retention", **other)).status_code == 428
    stale = {"If-Match": '"9"'}
    assert (await world.ask("PUT", "/v1/use-cases/retention", **other, headers=stale)).status_code == 412
    read = {"If-Match": first.headers["etag"]}
    replaced = await world.ask("PUT", "/v1/use-cases/retention", **other, headers=read)
    assert (replaced.status_code, replaced.json()["links"], replaced.json()["owner"]) == (200, [], None)


async def test_a_template_is_a_beginning_and_what_is_said_replaces_it(world: World) -> None:
    templates = await world.get("/v1/use-case-templates")
    assert "credit-scoring" in {template["name"] for template in templates["items"]}
    given = {"template": "credit-scoring", "facets": {"impact": {"affected_parties": ["shop customers"]}}}
    created = (await world.create_use_case("shop-card", **given)).json()
    assert created["facets"]["impact"] == {"affected_parties": ["shop customers"]}
    assert created["facets"]["legal"]["annex_iii"] == ["5(b)"]
    assert created["suggested_risk"]["risk_class"] == "high"
    body = {"key": "x", "name": "X", "template": "astrology"}
    refused = await world.ask("POST", "/v1/use-cases", role="data_steward", json=body)
    assert refused.status_code == 400
    assert "credit-scoring" in refused.json()["detail"]


async def test_another_risk_class_than_the_suggested_needs_a_reason(world: World) -> None:
    await world.create_use_case(facets={"legal": {"annex_iii": ["5(b)"]}})
    refused = await world.change_use_case({"facets": {"legal": {"risk_class": "minimal"}}})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/facets/legal/risk_class_reason"
    assert "Annex III" in refused.json()["errors"][0]["detail"]
    why = {"risk_class": "limited", "risk_class_reason": "Fraud only: excepted from 5(b)"}
    assert (await world.change_use_case({"facets": {"legal": why}})).status_code == 200


async def test_who_creates_what_somebody_has_already_is_told_so(world: World) -> None:
    await world.create_use_case("customer-retention", name="Customer retention calls")
    await world.create_use_case("invoice-reading", name="Reading of invoices")
    created = await world.create_use_case("retention-calls", name="Calls for customer retention")
    assert created.headers["link"] == '</v1/use-cases/customer-retention>; rel="related"'
    similar = await world.get("/v1/use-cases/retention-calls/similar")
    assert similar["items"] == [{"key": "customer-retention", "name": "Customer retention calls"}]


async def test_it_is_said_whose_job_a_gap_is_by_name(world: World) -> None:
    await world.create_use_case(facets={"accountability": {"legal": "Lucia"}})
    gaps = await world.get("/v1/use-cases/retention/completeness")
    assert (gaps["facets"]["legal"]["whose_job"], gaps["facets"]["legal"]["person"]) == ("legal", "Lucia")
    assert gaps["facets"]["data"]["person"] is None


@pytest.fixture
async def company(database_url: str) -> AsyncIterator[World]:
    async with a_world(database_url, custom=SCHEMA) as world:
        yield world


async def test_a_company_has_fields_of_its_own(company: World) -> None:
    assert await company.get("/v1/use-case-schema") == SCHEMA
    created = await company.create_use_case(facets={"custom": {"region": "EMEA", "cost_centre": "4711"}})
    assert created.json()["facets"]["custom"] == {"region": "EMEA", "cost_centre": "4711"}
    refused = await company.change_use_case({"facets": {"custom": {"region": "Mars", "colour": "red"}}})
    assert refused.status_code == 422
    assert {fault["pointer"] for fault in refused.json()["errors"]} == {"/facets/custom/region", "/facets/custom"}


async def test_without_a_schema_there_are_none(world: World) -> None:
    body = {"key": "x", "name": "X", "facets": {"custom": {"region": "EMEA"}}}
    refused = await world.ask("POST", "/v1/use-cases", role="data_steward", json=body)
    assert refused.status_code == 422
