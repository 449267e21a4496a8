"""Describing what the AI is for, and who did it when."""

from typing import Any

import pytest
from assent_common.events.governance import CandidacyStatus

from tests.catalog.world import URN, World, a_candidacy, a_version
from tests.support.assent import FACETS


async def test_a_key_and_a_name_are_enough(world: World) -> None:
    created = await world.create_use_case("retention")
    assert created.headers["location"] == "/v1/use-cases/retention"
    assert created.json()["stage"] == "ideation"
    read = await world.ask("GET", "/v1/use-cases/retention")
    assert read.json() == created.json()
    assert read.headers["etag"] == created.headers["etag"]


async def test_a_key_is_given_once(world: World) -> None:
    await world.create_use_case("retention")
    again = await world.ask("POST", "/v1/use-cases", role="data_steward", json={"key": "retention", "name": "Again"})
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"key": "Retention!", "name": "x"}, "/key"),
        ({"key": "retention"}, "/name"),
        ({"key": "retention", "name": "x", "colour": "red"}, "/colour"),
        ({"key": "retention", "name": "x", "facets": {"legal": {"risk_class": "huge"}}}, "/facets/legal/risk_class"),
    ],
)
async def test_a_field_at_fault_is_named(world: World, body: dict[str, Any], pointer: str) -> None:
    refused = await world.ask("POST", "/v1/use-cases", role="data_steward", json=body)
    assert refused.status_code == 422
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]
    assert await world.everything("/v1/use-cases") == []


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({"facets": {"legal": {"colour": "red"}}}, "/facets/legal/colour"),
        ({"facets": {"weather": {}}}, "/facets/weather"),
        ({"facets": {"legal": {"personal_data": "perhaps"}}}, "/facets/legal/personal_data"),
        ({"stage": "monitoring"}, "/stage"),
        ({"name": None}, "/name"),
    ],
)
async def test_a_patch_that_is_at_fault_changes_nothing(world: World, patch: dict[str, Any], pointer: str) -> None:
    created = await world.create_use_case()
    refused = await world.change_use_case(patch)
    assert refused.status_code == 422, refused.text
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]
    assert await world.get("/v1/use-cases/retention") == created.json()
    assert len(await world.told("use_case")) == 1


async def test_a_change_needs_the_state_that_it_changes(world: World) -> None:
    first = await world.create_use_case()
    patch = {"description": "Calls"}
    assert (await world.change_use_case(patch, headers={})).status_code == 428
    stale = {"If-Match": first.headers["etag"]}
    assert (await world.change_use_case(patch, headers=stale)).status_code == 200
    assert (await world.change_use_case({"description": "Other"}, headers=stale)).status_code == 412
    assert (await world.get("/v1/use-cases/retention"))["description"] == "Calls"


async def test_a_patch_merges_and_null_takes_away(world: World) -> None:
    await world.create_use_case(description="Calls", facets={"legal": {"risk_class": "high", "personal_data": True}})
    patch = {"description": None, "facets": {"legal": {"risk_class": None}, "impact": {"harm": "none"}}}
    assert (await world.change_use_case(patch)).status_code == 200
    use_case = await world.get("/v1/use-cases/retention")
    assert use_case["description"] is None
    assert use_case["facets"]["legal"] == {"personal_data": True}
    assert use_case["facets"]["impact"] == {"harm": "none"}


async def test_a_patch_that_says_nothing_new_leaves_no_trace(world: World) -> None:
    created = await world.create_use_case(description="Calls")
    same = await world.change_use_case({"description": "Calls"})
    assert same.headers["etag"] == created.headers["etag"]
    assert len(await world.told("use_case")) == 1
    assert len(await world.everything("/v1/use-cases/retention/history")) == 1


async def test_completeness_says_what_is_missing_and_whose_job_it_is(world: World) -> None:
    await world.create_use_case()
    before = await world.get("/v1/use-cases/retention/completeness")
    assert before["complete"] is False
    assert before["facets"]["legal"]["missing"] == ["risk_class", "legal_basis", "personal_data"]
    assert before["facets"]["legal"]["whose_job"] == "legal"

    assert (await world.change_use_case({"facets": FACETS})).status_code == 200
    described = await world.get("/v1/use-cases/retention/completeness")
    assert [name for name, facet in described["facets"].items() if not facet["complete"]] == ["models"]

    await world.hears(a_version(), a_candidacy(use_case_id=await world.use_case_id()))
    assert (await world.get("/v1/use-cases/retention/completeness"))["complete"] is True


async def test_everybody_is_told_when_a_use_case_gets_its_model_and_when_it_loses_it(world: World) -> None:
    await world.create_use_case()
    members: dict[str, Any] = {"use_case_id": await world.use_case_id()}
    await world.hears(a_candidacy(**members), correlation_id="put-forward")
    await world.hears(a_candidacy(CandidacyStatus.UNDER_REVIEW, **members))
    await world.hears(a_candidacy(CandidacyStatus.REJECTED, **members), correlation_id="rejected")

    told = await world.told("use_case")

    assert [event.data["completeness"]["models"]["complete"] for event in told] == [False, True, False]
    assert [event.number for event in told] == sorted({event.number for event in told})
    assert [event.correlationid for event in told[1:]] == ["put-forward", "rejected"]


async def test_what_follows_from_candidacies_does_not_get_in_the_way_of_who_is_writing(world: World) -> None:
    created = await world.create_use_case()
    await world.hears(a_candidacy(use_case_id=await world.use_case_id()))
    changed = await world.change_use_case({"owner": "Bea"}, headers={"If-Match": created.headers["etag"]})
    assert changed.status_code == 200, changed.text
    assert [state["by"] for state in await world.everything("/v1/use-cases/retention/history")] == ["bea", "bea"]


async def test_stages_go_on_and_end(world: World) -> None:
    await world.create_use_case()

    async def go(stage: str) -> Any:
        return await world.ask(
            *("POST", "/v1/use-cases/retention/stage"), by="bea", role="business_owner", json={"stage": stage}
        )

    skipped = await go("monitoring")
    assert skipped.status_code == 409
    assert skipped.json()["allowed"] == ["development", "rejected", "archived"]
    for stage in ("development", "monitoring", "archived"):
        assert (await go(stage)).json()["stage"] == stage
    assert (await go("development")).status_code == 409


async def test_history_and_audit_say_who_did_what(world: World) -> None:
    await world.create_use_case()
    await world.change_use_case({"owner": "Bea Okafor"}, by="stefan", role="data_steward")

    newest, oldest = await world.everything("/v1/use-cases/retention/history", limit=1)

    assert (oldest["by"], newest["by"]) == ("bea", "stefan")
    assert {"part": "owner", "before": oldest["state"]["owner"], "after": "Bea Okafor"} in newest["changes"]
    records = await world.everything("/v1/audit", subject="retention", limit=1)
    assert [(record["actor"], record["action"]) for record in records] == [
        ("bea", "use_case.created"),
        ("stefan", "use_case.changed"),
    ]
    assert [event.number for event in await world.told("use_case")] == [1, 2]


async def test_a_repeated_request_is_answered_as_before_and_has_one_effect(world: World) -> None:
    body, headers = {"key": "retention", "name": "Retention"}, {"Idempotency-Key": "k1"}

    async def post(body: dict[str, Any]) -> Any:
        return await world.ask("POST", "/v1/use-cases", role="data_steward", json=body, headers=headers)

    first, second = await post(body), await post(body)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert second.headers["etag"] == first.headers["etag"]
    assert len(await world.told("use_case")) == 1
    assert (await post({**body, "name": "Other"})).status_code == 422


async def test_use_cases_are_found_by_what_they_are(world: World) -> None:
    await world.create_use_case("customer-retention", facets=FACETS, owner="Bea")
    await world.create_use_case("credit-scoring", facets={"legal": {"risk_class": "high"}})
    await world.hears(
        a_candidacy(use_case="customer-retention", use_case_id=await world.use_case_id("customer-retention"))
    )

    async def keys(**filters: Any) -> list[str]:
        return [use_case["key"] for use_case in await world.everything("/v1/use-cases", **filters)]

    assert await keys() == ["credit-scoring", "customer-retention"]
    assert await keys(limit=1) == ["credit-scoring", "customer-retention"]
    assert await keys(q="retent") == ["customer-retention"]
    assert await keys(risk_class="high") == ["credit-scoring"]
    assert await keys(owner="Bea") == ["customer-retention"]
    assert await keys(stage="monitoring") == []
    assert await keys(complete="true") == ["customer-retention"]
    assert await keys(complete="false") == ["credit-scoring"]


async def test_a_use_case_lists_its_models_also_before_their_records_come(world: World) -> None:
    await world.create_use_case()
    await world.hears(a_candidacy(use_case_id=await world.use_case_id()))
    early = (await world.everything("/v1/use-cases/retention/models"))[0]
    assert (early["model_version"], early["model_version_id"]) == (URN, None)
    await world.hears(a_version())
    known = (await world.everything("/v1/use-cases/retention/models"))[0]
    assert (known["name"], known["version"], known["status"]) == ("customer-churn", 7, "candidate")


async def test_a_use_case_that_is_not_there_is_not_found(world: World) -> None:
    for path in ("", "/completeness", "/models", "/history"):
        assert (await world.ask("GET", f"/v1/use-cases/nothing{path}")).status_code == 404
