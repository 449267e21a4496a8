"""Each policy that comes with Assent, from its file to its acceptance."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from assent_common.events.registry import Metric, MetricsStatus, Report
from assent_workflow.policies.parse import parse

from tests.support.assent import FACETS
from tests.workflow.world import World, a_use_case, a_version

FOLDER = Path(__file__).parents[2] / "deploy" / "policies"
MAKER = "arn:aws:sts::123456789012:assumed-role/pipelines/run"
REPORT = "s3://reports/churn/7.json"


def described(**changes: dict[str, Any]) -> dict[str, Any]:
    return {name: {**facet, **changes.get(name, {})} for name, facet in FACETS.items()}


def measured(world: World, **bias: float) -> Any:
    report = Report(
        role="model_quality",
        uri=REPORT,
        status=MetricsStatus.COMPLETE,
        written_at=world.clock.now() - timedelta(days=10),
    )
    # As Clarify's `analysis.json` tells them: by facet, group and metric.
    found = {f"post_training_bias.{name.replace('_', '.')}.di": Metric(value=value) for name, value in bias.items()}
    metrics = {"accuracy": Metric(value=0.91, report=REPORT), **found}
    return a_version(created_by=MAKER, metrics=metrics, reports=[report])


async def under(world: World, name: str, **facets: dict[str, Any]) -> dict[str, Any]:
    """A candidacy under review for a use case that this policy is meant for."""
    text = (FOLDER / f"{name}.yaml").read_text()
    assert (await world.ask("POST", "/v1/policies", role="admin", json={"text": text})).status_code == 201
    await world.hears(a_use_case("for-it", facets=described(**facets)), measured(world, age_65=0.93, gender_1=1.1))
    told = {"name": MAKER, "subject": "martin"}
    assert (await world.ask("PUT", "/v1/identities", role="admin", json=told)).status_code == 200
    candidacy = await world.put_forward(use_case="for-it")
    assert candidacy["policy"] == f"{name}@1"
    return candidacy


async def open_tasks(world: World, candidacy: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await world.ask("GET", "/v1/tasks", params={"candidacy": candidacy["id"], "status": "open"})
    tasks: list[dict[str, Any]] = answer.json()["items"]
    return tasks


async def given(world: World, candidacy: dict[str, Any], stages: Sequence[Sequence[str]], **named: str) -> None:
    """Each stage asks these roles, in any order, and goes on once all have approved."""
    for stage in stages:
        tasks = await open_tasks(world, candidacy)
        assert sorted(task["role"] for task in tasks) == sorted(stage)
        for number, task in enumerate(tasks):
            by = named.get(task["role"], f"{task['role']}-{number}")
            answer = await world.decide(task, by=by)
            assert answer.status_code == 200, answer.text


async def accepted(world: World, candidacy: dict[str, Any]) -> dict[str, Any]:
    stands = await world.candidacy(candidacy["id"])
    assert stands["status"] == "accepted", stands
    assert (await world.gate(use_case="for-it"))["allow"] is True
    return stands


async def test_light_asks_two(world: World) -> None:
    candidacy = await under(world, "light", legal={"risk_class": "minimal", "personal_data": False})
    await given(world, candidacy, [["data_scientist", "business_owner"]])
    await accepted(world, candidacy)


async def test_high_risk_goes_through_three_stages_and_two_of_risk_and_no_maker(world: World) -> None:
    candidacy = await under(world, "eu-ai-act-high-risk", legal={"risk_class": "high"})
    refused = await world.decide((await open_tasks(world, candidacy))[0], by="martin")
    assert refused.status_code == 403, "who made it judges nothing"
    stages = [["data_steward", "data_scientist"], ["legal", "risk", "risk", "security"], ["business_owner"]]
    await given(world, candidacy, stages)
    stands = await accepted(world, candidacy)
    assert stands["reason"].startswith("accepted under eu-ai-act-high-risk@1")


async def test_high_risk_waits_until_oversight_is_written_down(world: World) -> None:
    candidacy = await under(world, "eu-ai-act-high-risk", legal={"risk_class": "high"}, impact={"human_oversight": ""})
    stages = [["data_steward", "data_scientist"], ["legal", "risk", "risk", "security"], ["business_owner"]]
    await given(world, candidacy, stages)
    waiting = await world.candidacy(candidacy["id"])
    assert waiting["status"] == "under_review"
    assert any(reason.startswith("human_oversight") for reason in waiting["blocked_by"])


async def test_high_risk_is_held_back_by_a_group_that_fares_worse_and_by_none_having_been_looked_at(
    world: World,
) -> None:
    candidacy = await under(world, "eu-ai-act-high-risk", legal={"risk_class": "high"})
    assert (await world.candidacy(candidacy["id"]))["blocked_by"] == []
    for bias in ({"age_65": 0.71, "gender_1": 1.0}, {"age_65": 1.3}, {}):
        await world.hears(measured(world, **bias))
        blocked = (await world.candidacy(candidacy["id"]))["blocked_by"]
        assert [reason.partition(":")[0] for reason in blocked] == ["bias_within_limits"], bias
    await world.hears(measured(world, age_65=0.8))
    assert (await world.candidacy(candidacy["id"]))["blocked_by"] == []


async def test_model_risk_is_validated_by_two_and_decided_by_the_owner_that_the_use_case_names(world: World) -> None:
    named = {"accountability": {"validator": "Vera"}}
    candidacy = await under(world, "sr-26-2-model-risk", **named)
    stages = [["data_scientist", "data_steward"], ["risk", "risk"], ["business_owner", "legal"]]
    await given(world, candidacy, stages[:2])
    owners = next(task for task in await open_tasks(world, candidacy) if task["role"] == "business_owner")
    assert (await world.decide(owners, by="anybody")).status_code == 403
    await given(world, candidacy, stages[2:], business_owner="Bea")
    await accepted(world, candidacy)


async def test_an_old_evaluation_holds_model_risk_back(world: World) -> None:
    candidacy = await under(world, "sr-26-2-model-risk", accountability={"validator": "Vera"})
    world.clock.advance(timedelta(days=200))
    stages = [["data_scientist", "data_steward"], ["risk", "risk"], ["business_owner", "legal"]]
    await given(world, candidacy, stages, business_owner="Bea")
    waiting = await world.candidacy(candidacy["id"])
    assert waiting["status"] == "under_review"
    assert any(reason.startswith("evaluated_lately") for reason in waiting["blocked_by"])


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_its_name_is_its_files(file: Path) -> None:
    assert parse(file.read_text()).ref == f"{file.stem}@1"
