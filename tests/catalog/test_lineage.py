"""From the data to what it is used for, and back."""

from typing import Any
from xml.etree import ElementTree as ET

from assent_common import ids
from assent_common.events.governance import CandidacyStatus
from assent_common.events.registry import DatasetRole, DatasetUse, Kind, TrainingJob

from tests.catalog.world import ACCOUNT, ENDPOINT, URN, World, a_candidacy, a_deployment, a_version, gone

JOB = f"{ACCOUNT}:training-job/churn-2026-10"
USAGE = "s3://company-data/churn/usage"
HOLDOUT = "s3://company-data/churn/holdout"
TRAINED: dict[str, Any] = {
    "training": TrainingJob(urn=JOB, name="churn-2026-10", found_by="artifact", status="Completed"),
    "datasets": [
        DatasetUse(urn=USAGE, role=DatasetRole.TRAINING, name="train"),
        DatasetUse(urn=HOLDOUT, role=DatasetRole.TEST),
    ],
}
SVG = "{http://www.w3.org/2000/svg}"


async def the_whole_chain(world: World) -> None:
    await world.create_use_case(facets={"data": {"datasets": [USAGE]}})
    await world.hears(a_version(**TRAINED), a_deployment(), a_candidacy(CandidacyStatus.ACCEPTED))


def edges(graph: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(edge["source"], edge["relation"], edge["target"]) for edge in graph["edges"]}


CHAIN = {
    (USAGE, "training", JOB),
    (JOB, "trained", URN),
    (HOLDOUT, "test", URN),
    (URN, "deployed", ENDPOINT),
    (URN, "accepted", "retention"),
    (ENDPOINT, "serves", "retention"),
    (USAGE, "described", "retention"),
}


async def test_the_same_chain_is_seen_from_both_of_its_ends(world: World) -> None:
    await the_whole_chain(world)
    down = await world.get(f"/v1/datasets/{ids.of_urn(USAGE)}/lineage", direction="down")
    assert edges(down) == CHAIN - {(HOLDOUT, "test", URN)}
    up = await world.get("/v1/use-cases/retention/lineage", direction="up")
    assert edges(up) == CHAIN
    by_kind = {node["kind"]: node for node in up["nodes"]}
    assert by_kind["model_version"]["status"] == "accepted"
    assert by_kind["deployment"]["id"] == str(ids.of_urn(ENDPOINT))
    assert by_kind["training_job"]["name"] == "churn-2026-10"
    assert by_kind["use_case"]["name"] == "Retention"


async def test_it_goes_no_farther_than_asked(world: World) -> None:
    await the_whole_chain(world)
    near = await world.get(f"/v1/model-versions/{URN}/lineage", depth=1)
    assert edges(near) == {
        (JOB, "trained", URN),
        (HOLDOUT, "test", URN),
        (URN, "deployed", ENDPOINT),
        (URN, "accepted", "retention"),
    }


async def test_what_is_no_longer_said_leads_nowhere(world: World) -> None:
    await the_whole_chain(world)
    await world.hears(
        a_version(),
        gone(ENDPOINT, Kind.DEPLOYMENT),
        a_candidacy(CandidacyStatus.RETIRED),
    )
    await world.change_use_case({"facets": {"data": None}})
    graph = await world.get(f"/v1/model-versions/{URN}/lineage")
    assert (graph["edges"], [node["urn"] for node in graph["nodes"]]) == ([], [URN])


async def test_a_deployment_serves_a_use_case_only_if_its_model_was_accepted_for_it(world: World) -> None:
    await the_whole_chain(world)
    await world.hears(a_candidacy(CandidacyStatus.SUSPENDED))
    graph = await world.get(f"/v1/deployments/{ids.of_urn(ENDPOINT)}/lineage")
    assert (ENDPOINT, "serves", "retention") not in edges(graph)
    assert (URN, "suspended", "retention") not in edges(graph)
    whole = await world.get("/v1/use-cases/retention/lineage")
    assert (URN, "suspended", "retention") in edges(whole)


async def test_a_cycle_is_gone_round_once(world: World) -> None:
    """A model that labels the data that the next is trained on, which labels the data of the first."""
    other = URN.replace("/7", "/8")
    first = [DatasetUse(urn=ENDPOINT, role=DatasetRole.TRAINING)]
    second = [DatasetUse(urn=f"{ENDPOINT}-b", role=DatasetRole.TRAINING)]
    await world.hears(
        a_version(datasets=first),
        a_version(other, version=8, datasets=second),
        a_deployment(f"{ENDPOINT}-b"),
        a_deployment(model_version=other),
    )
    graph = await world.get(f"/v1/model-versions/{URN}/lineage")
    assert len(graph["edges"]) == 4
    assert not graph["truncated"]


async def test_openlineage_says_the_same_in_its_own_words(world: World) -> None:
    await the_whole_chain(world)
    events = await world.get(f"/v1/model-versions/{URN}/lineage", format="openlineage")
    trained = next(event for event in events if event["job"]["name"] == "training-job/churn-2026-10")
    assert trained["inputs"] == [{"namespace": "s3://company-data", "name": "churn/usage"}]
    assert trained["outputs"] == [{"namespace": ACCOUNT, "name": "model-package/customer-churn/7"}]


async def test_a_hostile_name_is_only_text_in_the_picture(world: World) -> None:
    hostile = "</text><script>alert(1)</script>\u202e\x07"
    await world.hears(a_version(name=hostile, **TRAINED))
    answer = await world.ask("GET", f"/v1/model-versions/{URN}/lineage", params={"format": "svg"})
    assert answer.headers["content-type"].startswith("image/svg+xml")
    root = ET.fromstring(answer.text)  # noqa: S314 - what we wrote ourselves
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {"svg", "title", "path", "g", "rect", "text"}
    assert any("<script>" in (element.text or "") for element in root.iter(f"{SVG}text"))
    assert "\u202e" not in answer.text


async def test_datasets_are_listed_with_what_they_are_used_for(world: World) -> None:
    await the_whole_chain(world)
    await world.hears(a_version(URN.replace("/7", "/8"), version=8, **TRAINED))
    found = await world.everything("/v1/datasets", limit=1)
    assert [(d["urn"], d["model_versions"], d["use_cases"], d["roles"]) for d in found] == [
        (HOLDOUT, 2, [], ["test"]),
        (USAGE, 2, ["retention"], ["training"]),
    ]
    assert [d["urn"] for d in await world.everything("/v1/datasets", q="USAGE")] == [USAGE]
    assert [d["urn"] for d in await world.everything("/v1/datasets", use_case="retention")] == [USAGE]
    assert (await world.get(f"/v1/datasets/{USAGE}"))["id"] == str(ids.of_urn(USAGE))


async def test_what_nobody_knows_has_no_lineage(world: World) -> None:
    answer = await world.ask("GET", "/v1/datasets/s3://elsewhere/lineage")
    assert (answer.status_code, answer.headers["retry-after"]) == (404, "1")
