"""What was known at a moment, and what differs between two."""

from datetime import datetime, timedelta
from typing import Any

from assent_common import ids
from assent_common.events.governance import CandidacyStatus
from assent_common.events.registry import Better, DatasetRole, DatasetUse, Kind, Metric

from tests.catalog.test_lineage import USAGE
from tests.catalog.world import (
    ENDPOINT,
    MODEL,
    URN,
    World,
    a_candidacy,
    a_deployment,
    a_model,
    a_monitor,
    a_version,
    gone,
)

OTHER = URN.replace("/7", "/8")
DAY = timedelta(days=1)


async def told_day_by_day(world: World) -> datetime:
    """When the first day began. A version comes, is accepted and deployed, is changed, and goes; another comes."""
    began = world.clock.now()
    days: list[list[Any]] = [
        [a_model(), a_version()],
        [a_candidacy(CandidacyStatus.ACCEPTED, changed_at=began + DAY), a_deployment()],
        [a_version(accuracy=0.5, framework="PYTORCH"), a_model(description="Churn of all customers")],
        [a_version(OTHER, version=8), gone(ENDPOINT, Kind.DEPLOYMENT), gone(URN)],
    ]
    for payloads in days:
        await world.hears(*payloads)
        world.clock.advance(DAY)
    return began


def noon(began: datetime, day: int) -> str:
    return (began + (day - 0.5) * DAY).isoformat()


async def test_a_list_is_what_it_was(world: World) -> None:
    began = await told_day_by_day(world)

    async def listed(day: int, **filters: Any) -> list[tuple[int, str, float]]:
        versions = await world.everything("/v1/model-versions", as_of=noon(began, day), limit=1, **filters)
        return [(v["version"], v["status"], v["metrics"]["accuracy"]["value"]) for v in versions]

    assert await listed(0) == []
    assert await listed(1) == [(7, "registered", 0.91)]
    assert await listed(2) == [(7, "accepted", 0.91)]
    assert await listed(3) == [(7, "accepted", 0.5)]
    assert sorted(await listed(4)) == [(7, "missing_from_source", 0.5), (8, "registered", 0.91)]
    assert await listed(2, framework="PYTORCH") == []
    assert await listed(3, framework="PYTORCH", status="accepted", use_case="retention") == [(7, "accepted", 0.5)]
    assert await listed(3, metric="accuracy>=0.9") == []
    assert await listed(2, metric="accuracy>=0.9") == [(7, "accepted", 0.91)]


async def test_a_list_of_now_and_of_this_moment_are_one(world: World) -> None:
    await told_day_by_day(world)
    now = await world.everything("/v1/model-versions")
    assert len(now) == 2
    assert await world.everything("/v1/model-versions", as_of=world.clock.now().isoformat()) == now
    refused = await world.ask(
        "GET", "/v1/model-versions", params={"as_of": world.clock.now().isoformat(), "q": "churn"}
    )
    assert refused.status_code == 400


async def test_where_a_version_served_is_remembered(world: World) -> None:
    began = await told_day_by_day(world)
    served = [(await world.version(as_of=noon(began, day)))["deployments"] for day in (1, 2, 4)]
    assert [[deployment["urn"] for deployment in each] for each in served] == [[], [ENDPOINT], []]
    path = f"/v1/deployments/{ids.of_urn(ENDPOINT)}"
    assert [state["removed"] for state in await world.everything(f"{path}/history", limit=1)] == [True, False]
    assert (await world.get(path))["live"] is False


async def test_a_model_has_a_history_too(world: World) -> None:
    began = await told_day_by_day(world)
    states = await world.everything(f"/v1/models/{MODEL}/history", limit=1)
    assert [change["part"] for change in states[0]["changes"]] == ["description"]
    assert len(states) == 2
    assert len(await world.everything(f"/v1/models/{MODEL}/history", as_of=noon(began, 1))) == 1


async def test_champion_and_challenger_are_compared_metric_by_metric(world: World) -> None:
    champion = {"f1": Metric(value=0.8, better=Better.HIGHER), "rmse": Metric(value=2.0, better=Better.LOWER)}
    challenger = {"f1": Metric(value=0.85, better=Better.HIGHER), "rmse": Metric(value=2.5), "lift": Metric(value=1)}
    await world.hears(
        a_version(metrics=champion), a_version(OTHER, version=8, metrics=challenger, description="Deeper trees")
    )
    compared = await world.get(f"/v1/model-versions/{URN}/diff", against=str(ids.of_urn(OTHER)))
    assert [change["part"] for change in compared["changes"]] == ["description", "version"]
    told = {each["name"]: (each["better"], each["difference"]) for each in compared["metrics"]}
    assert told["f1"][0] == "right"
    assert abs(told["f1"][1] - 0.05) < 1e-9
    assert told["rmse"] == ("left", 0.5)
    assert told["lift"] == (None, None)


async def test_a_version_is_compared_with_what_it_was(world: World) -> None:
    began = await told_day_by_day(world)
    compared = await world.get(f"/v1/model-versions/{URN}/diff", **{"from": noon(began, 2), "to": noon(began, 3)})
    assert compared["same_content"] is False
    assert [change["part"] for change in compared["changes"]] == ["framework"]
    nothing = await world.get(f"/v1/model-versions/{URN}/diff", **{"from": noon(began, 1), "to": noon(began, 2)})
    assert (nothing["changes"], nothing["same_content"]) == ([], True)
    assert (await world.ask("GET", f"/v1/model-versions/{URN}/diff")).status_code == 400
    early = {"from": noon(began, 0)}
    assert (await world.ask("GET", f"/v1/model-versions/{URN}/diff", params=early)).status_code == 404


async def test_a_use_case_is_what_it_was(world: World) -> None:
    began = world.clock.now()
    await world.create_use_case(owner="bea")
    world.clock.advance(DAY)
    await world.change_use_case({"owner": "ben", "facets": {"legal": {"risk_class": "high"}}})
    await world.hears(a_version(), a_candidacy(changed_at=world.clock.now()))
    world.clock.advance(DAY)
    await world.hears(a_candidacy(CandidacyStatus.WITHDRAWN, changed_at=world.clock.now()))
    first, second = [await world.get("/v1/use-cases/retention", as_of=noon(began, day)) for day in (1, 2)]
    assert (first["owner"], first["facets"]["legal"]) == ("bea", {})
    assert (second["owner"], second["completeness"]["models"]["complete"]) == ("ben", True)
    assert (await world.get("/v1/use-cases/retention"))["completeness"]["models"]["complete"] is False
    listed = await world.everything("/v1/use-cases", as_of=noon(began, 1))
    assert [each["owner"] for each in listed] == ["bea"]
    assert await world.everything("/v1/use-cases", as_of=noon(began, 1), risk_class="high") == []
    assert await world.everything("/v1/use-cases", as_of=noon(began, 0)) == []
    changes = await world.get("/v1/use-cases/retention/diff", **{"from": noon(began, 1)})
    assert [change["part"] for change in changes] == ["facets.legal.risk_class", "owner"]


async def test_models_and_deployments_are_what_they_were(world: World) -> None:
    await world.hears(a_model(description="one"), a_version(), a_deployment(status="Creating"))
    one = world.clock.now()
    world.clock.advance(timedelta(days=1))
    await world.hears(a_model(description="two"), a_version(OTHER, version=8), a_deployment(model_version=OTHER))
    two = world.clock.now()
    world.clock.advance(timedelta(days=1))
    await world.hears(gone(MODEL, Kind.MODEL), gone(ENDPOINT, Kind.DEPLOYMENT))
    before = (one - timedelta(days=1)).isoformat()

    model = f"/v1/models/{ids.of_urn(MODEL)}"
    told = [await world.get(model, as_of=moment.isoformat()) for moment in (one, two, world.clock.now())]
    assert [(m["description"], m["versions"], m["live"]) for m in told] == [
        ("one", 1, True),
        ("two", 2, True),
        ("two", 2, False),
    ]
    assert (await world.get("/v1/models", as_of=one.isoformat()))["items"] == [told[0]]
    assert (await world.get("/v1/models", as_of=before))["items"] == []
    assert (await world.ask("GET", model, params={"as_of": before})).status_code == 404
    changes = await world.get(f"{model}/diff", **{"from": one.isoformat()})
    assert {change["part"]: (change["before"], change["after"]) for change in changes} == {
        "description": ("one", "two"),
        "live": (True, False),
    }

    deployment = f"/v1/deployments/{ids.of_urn(ENDPOINT)}"
    then = await world.get(deployment, as_of=one.isoformat())
    assert (then["status"], then["model_version"], then["live"]) == ("Creating", URN, True)
    listed = await world.get("/v1/deployments", as_of=one.isoformat(), model_version=URN)
    assert [each["status"] for each in listed["items"]] == ["Creating"]
    assert (await world.get("/v1/deployments", as_of=two.isoformat(), model_version=URN))["items"] == []
    assert (await world.get("/v1/deployments", as_of=world.clock.now().isoformat()))["items"] == []
    changes = await world.get(f"{deployment}/diff", **{"from": one.isoformat(), "to": two.isoformat()})
    assert {change["part"] for change in changes} == {"status", "model_version"}


async def test_a_monitor_is_what_its_deployments_said_of_it(world: World) -> None:
    began = world.clock.now()
    monitor = a_monitor()
    other = f"{ENDPOINT}-b"
    days: list[list[Any]] = [
        [a_deployment()],
        [a_deployment(monitors=[monitor]), a_deployment(other, variant="b", monitors=[monitor])],
        [a_deployment(other, variant="b", monitors=[a_monitor(last_execution_status="Completed")])],
        [gone(ENDPOINT, Kind.DEPLOYMENT), a_deployment(other, variant="b")],
    ]
    path = f"/v1/monitors/{monitor.urn}"
    for day, payloads in enumerate(days, start=1):
        await world.hears(*payloads)
        world.clock.advance(DAY)
        if day in (2, 3):
            assert await world.get(path) == await world.get(path, as_of=noon(began, day))

    states = await world.everything(f"{path}/history", limit=1)
    assert [(state["deployment"], state["removed"]) for state in states] == [
        *((other, True), (ENDPOINT, True), (other, False), (other, False), (ENDPOINT, False)),
    ]
    assert [change["part"] for change in states[2]["changes"]] == ["last_execution_status"]
    assert len(await world.everything(f"{path}/history", as_of=noon(began, 2))) == 2

    for day, status in ((2, "CompletedWithViolations"), (3, "Completed")):
        then = await world.get(path, as_of=noon(began, day))
        assert (then["last_execution_status"], then["deployments"]) == (status, [ENDPOINT, other])
        for more in ({}, {"deployment": ENDPOINT}, {"deployment": other}):
            assert await world.everything("/v1/monitors", as_of=noon(began, day), **more) == [then]
    for day in (1, 4):
        assert (await world.ask("GET", path, params={"as_of": noon(began, day)})).status_code == 404
        assert await world.everything("/v1/monitors", as_of=noon(began, day)) == []
    changes = await world.get(f"{path}/diff", **{"from": noon(began, 2), "to": noon(began, 3)})
    assert [(change["part"], change["after"]) for change in changes] == [("last_execution_status", "Completed")]
    assert (await world.ask("GET", "/v1/monitors/arn:none/history")).status_code == 404
    unknown = await world.ask("GET", "/v1/monitors/arn:none/history", params={"as_of": noon(began, 2)})
    assert unknown.status_code == 404


async def test_data_is_what_versions_and_use_cases_used_it_for(world: World) -> None:
    began = world.clock.now()

    def trained(urn: str, *roles: DatasetRole) -> Any:
        return a_version(urn, datasets=[DatasetUse(urn=USAGE, role=role) for role in roles])

    await world.hears(trained(URN, DatasetRole.TRAINING), a_version(OTHER, version=8))
    world.clock.advance(DAY)
    await world.create_use_case(facets={"data": {"datasets": [USAGE]}})
    await world.hears(trained(URN, DatasetRole.TRAINING, DatasetRole.TEST), trained(OTHER, DatasetRole.TEST))
    world.clock.advance(DAY)
    await world.hears(trained(URN), gone(OTHER))
    await world.change_use_case({"facets": {"data": {"datasets": None}}})
    world.clock.advance(DAY)
    path = f"/v1/datasets/{ids.of_urn(USAGE)}"

    told = [
        (each["named_by"], each["before"], each["roles"], each["by"])
        for each in await world.everything(f"{path}/history", limit=1)
    ]
    assert told == [
        ("retention", ["described"], [], "bea"),
        (URN, ["test", "training"], [], None),
        ("retention", [], ["described"], "bea"),
        (OTHER, [], ["test"], None),
        (URN, ["training"], ["test", "training"], None),
        (URN, [], ["training"], None),
    ]
    used = {
        day: {name: then[name] for name in ("model_versions", "use_cases", "roles")}
        for day in (1, 2, 3)
        for then in [await world.get(path, as_of=noon(began, day))]
    }
    assert used == {
        1: {"model_versions": 1, "use_cases": [], "roles": ["training"]},
        2: {"model_versions": 2, "use_cases": ["retention"], "roles": ["test", "training"]},
        3: {"model_versions": 1, "use_cases": [], "roles": ["test"]},
    }
    assert await world.get(path) == await world.get(path, as_of=noon(began, 3))
    assert await world.everything("/v1/datasets", as_of=noon(began, 3)) == await world.everything("/v1/datasets")
    assert len(await world.everything("/v1/datasets", as_of=noon(began, 2), use_case="retention")) == 1
    assert await world.everything("/v1/datasets", as_of=noon(began, 1), use_case="retention") == []
    assert await world.everything("/v1/datasets", as_of=noon(began, 0)) == []
    assert (await world.ask("GET", path, params={"as_of": noon(began, 0)})).status_code == 404
    changes = await world.get(f"{path}/diff", **{"from": noon(began, 1), "to": noon(began, 2)})
    assert [change["part"] for change in changes] == ["model_versions", "roles", "use_cases"]
