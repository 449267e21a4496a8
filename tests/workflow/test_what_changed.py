"""What changed is part of the review: since the use case's last acceptance, and since the round before."""

from typing import Any

from assent_common import canonical

from tests.workflow.test_policy_language import LEGAL, approve, rules
from tests.workflow.world import URN, World, a_version

NEXT = URN.replace("/7", "/8")


def measured(urn: str = URN, *, accuracy: float, artifact: str = "churn.tar.gz", **metrics: float) -> Any:
    """A version as the registry's reports measure it."""
    found = {"accuracy": accuracy, **metrics}
    content = {
        "artifacts": {"0": {"ModelDataUrl": f"s3://models/{artifact}"}},
        "metrics": {
            "model_quality": {name: {"value": value, "standard_deviation": 0.1} for name, value in found.items()}
        },
    }
    return a_version(urn, accuracy=accuracy, content=content, content_hash=canonical.digest(content))


async def changes(world: World, candidacy: dict[str, Any]) -> dict[str, Any]:
    review = (await world.candidacy(candidacy["id"]))["review"]
    answer = await world.ask("GET", f"/v1/reviews/{review}/changes")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def put_forward(world: World, urn: str) -> dict[str, Any]:
    body = {"use_case": "retention", "model_version": urn}
    made = await world.ask("POST", "/v1/candidacies", by="ada", role="data_scientist", json=body)
    assert made.status_code == 201, made.text
    return await submit(world, made.json())


async def submit(world: World, candidacy: dict[str, Any]) -> dict[str, Any]:
    answer = await world.ask("POST", f"/v1/candidacies/{candidacy['id']}/submit", by="ada", role="data_scientist")
    assert answer.status_code == 200, answer.text
    submitted: dict[str, Any] = answer.json()
    return submitted


async def test_the_first_review_of_a_use_case_is_compared_with_nothing(world: World) -> None:
    candidacy = await world.put_forward()
    assert await changes(world, candidacy) == {"since_accepted": None, "since_last_round": None}


async def test_a_successor_is_compared_with_what_is_accepted_and_metrics_have_their_difference(world: World) -> None:
    await rules(world, LEGAL)
    await world.hears(measured(accuracy=0.91, f1=0.8), measured(NEXT, accuracy=0.9, artifact="new.tar.gz", recall=0.7))
    first = await put_forward(world, URN)
    await approve(world, first, "legal")
    second = await put_forward(world, NEXT)

    found = await changes(world, second)
    assert found["since_last_round"] is None
    since = found["since_accepted"]
    assert (since["model_version"], since["status"], since["parts"]) == (URN, "accepted", ["artifacts", "metrics"])
    assert since["metrics"] == [
        {"name": "model_quality.accuracy", "before": 0.91, "after": 0.9, "difference": -0.01},
        {"name": "model_quality.f1", "before": 0.8, "after": None, "difference": None},
        {"name": "model_quality.recall", "before": None, "after": 0.7, "difference": None},
    ]
    url = {"part": "artifacts.0.ModelDataUrl", "before": "s3://models/churn.tar.gz", "after": "s3://models/new.tar.gz"}
    assert since["changes"][0] == url
    assert (len(since["changes"]), since["more"]) == (4, 0)

    review = (await world.ask("GET", f"/v1/reviews/{second['review']}")).json()
    (event,) = [
        event for event in await world.told("assent.governance.review.requested.v1") if event.subject == review["id"]
    ]
    assert event.data["since_accepted"] == review["since_accepted"]
    assert (review["since_accepted"]["parts"], review["since_accepted"]["fields"]) == (["artifacts", "metrics"], 4)


async def test_what_was_mended_since_the_last_round_is_shown_and_history_does_not_move(world: World) -> None:
    await rules(world, LEGAL)
    await world.hears(measured(accuracy=0.7))
    candidacy = await put_forward(world, URN)
    asked = await world.decide((await world.tasks(candidacy["id"]))["legal"], "request_changes")
    assert asked.status_code == 200
    await world.hears(measured(accuracy=0.9))
    await submit(world, candidacy)
    found = await changes(world, candidacy)
    since = found["since_last_round"]
    assert (since["status"], since["parts"]) == ("changes_requested", ["metrics"])
    assert [(each["name"], each["difference"]) for each in since["metrics"]] == [("model_quality.accuracy", 0.2)]
    assert found["since_accepted"] is None

    await approve(world, candidacy, "legal")
    assert (await world.candidacy(candidacy["id"]))["status"] == "accepted"
    await world.hears(measured(accuracy=0.5))
    assert (await changes(world, candidacy)) == found, "what came later is no part of it"


async def test_a_change_under_review_is_in_what_differs(world: World) -> None:
    await rules(world, LEGAL)
    await world.hears(measured(accuracy=0.9), measured(NEXT, accuracy=0.9))
    await approve(world, await put_forward(world, URN), "legal")
    second = await put_forward(world, NEXT)
    assert (await changes(world, second))["since_accepted"]["changes"] == []
    await world.hears(measured(NEXT, accuracy=0.6))
    assert (await changes(world, second))["since_accepted"]["parts"] == ["metrics"]


async def test_nobody_is_told_of_a_review_that_is_none(world: World) -> None:
    unknown = "01980000-0000-7000-8000-000000000000"
    assert (await world.ask("GET", f"/v1/reviews/{unknown}/changes")).status_code == 404
