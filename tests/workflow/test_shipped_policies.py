"""Each policy that comes with Assent, from its file to its acceptance."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from assent_common import ids
from assent_common.events.catalog import Link, Proposal, Stage
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
    of = "step" if "to" in candidacy else "candidacy"
    answer = await world.ask("GET", "/v1/tasks", params={of: candidacy["id"], "status": "open"})
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


async def on_the_way(world: World, name: str, to: Stage, stage: Stage, **members: Any) -> dict[str, Any]:
    """A use case that this policy is meant for, proposed for a stage: it stands as a candidacy does."""
    known = {policy["name"] for policy in (await world.ask("GET", "/v1/policies")).json()["items"]}
    if name not in known:
        text = (FOLDER / f"{name}.yaml").read_text()
        assert (await world.ask("POST", "/v1/policies", role="admin", json={"text": text})).status_code == 201
    proposal = Proposal(id=ids.new(), to=to, proposed_by="bea", issuer="https://issuer", proposed_at=world.clock.now())
    await world.hears(a_use_case("for-it", stage=stage, proposal=proposal, **members))
    return await step(world, str(proposal.id), f"{name}@1")


async def step(world: World, id_: str, policy: str) -> dict[str, Any]:
    found: dict[str, Any] = (await world.ask("GET", f"/v1/use-case-steps/{id_}")).json()
    assert found["policy"] == policy
    return found


async def test_a_use_case_is_agreed_on_before_it_is_developed_before_it_runs_and_before_the_archive(
    world: World,
) -> None:
    name, policy = "default-use-cases", "default-use-cases@1"
    missing = {"impact": ["human_oversight"]}
    developed = await on_the_way(world, name, Stage.DEVELOPMENT, Stage.IDEATION, missing=missing)
    await given(world, developed, [["business_owner", "legal"]])
    assert (await step(world, developed["id"], policy))["status"] == "accepted"
    early = await on_the_way(world, name, Stage.MONITORING, Stage.DEVELOPMENT, missing=missing)
    assert [why.partition(":")[0] for why in early["blocked_by"]] == ["facets_complete"]
    runs = await on_the_way(world, name, Stage.MONITORING, Stage.DEVELOPMENT, facets=described())
    await given(world, runs, [["business_owner", "legal", "data_steward"]])
    assert (await step(world, runs["id"], policy))["status"] == "accepted"
    archived = await on_the_way(world, name, Stage.ARCHIVED, Stage.MONITORING, facets=described())
    await given(world, archived, [["business_owner"]])
    assert (await step(world, archived["id"], policy))["status"] == "accepted"


async def test_a_high_risk_use_case_runs_with_its_documents_by_law_risk_security_and_who_answers_for_it(
    world: World,
) -> None:
    name = "eu-ai-act-high-risk-use-cases"
    facets = described(legal={"risk_class": "high"})
    asked = [["legal"], ["risk", "security"], ["business_owner"]]
    runs = await on_the_way(world, name, Stage.MONITORING, Stage.DEVELOPMENT, facets=facets)
    assert [why.partition(":")[0] for why in runs["blocked_by"]] == ["documents_present"]
    await given(world, runs, asked[:2])
    [owner] = await open_tasks(world, runs)
    assert (await world.decide(owner, by="anybody")).status_code == 403
    assessed = [Link(kind="document", ref="https://wiki/fria", digest="sha256:00")]
    runs = await on_the_way(world, name, Stage.MONITORING, Stage.DEVELOPMENT, facets=facets, links=assessed)
    await given(world, runs, asked, business_owner=facets["accountability"]["business_owner"])
    runs = await step(world, runs["id"], f"{name}@1")
    assert (runs["status"], runs["reason"].partition(",")[0]) == ("accepted", f"accepted under {name}@1")


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_its_name_is_its_files(file: Path) -> None:
    assert parse(file.read_text()).ref == f"{file.stem}@1"
