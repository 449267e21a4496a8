"""What a review keeps of what its checks saw."""

from assent_common.events.catalog import Link, LinkKind

from tests.workflow.test_at_once import governed_by
from tests.workflow.world import URN, World, a_use_case, a_version


async def test_a_check_keeps_what_it_saw_and_a_challenger_is_held_against_its_champion(world: World) -> None:
    checks = """
checks:
  - name: no_worse
    description: No worse than the champion.
    expression: size(champion) == 0 || version.metrics.accuracy >= champion.metrics.accuracy - 0.01
stages: [{name: one, approvals: [{role: legal, due_in: P1D}]}]
"""
    await governed_by(world, checks)
    first = await world.put_forward()
    assert (await world.decide((await world.tasks(first["id"]))["legal"])).status_code == 200
    assert (await world.candidacy(first["id"]))["status"] == "accepted"
    challenger = URN.replace("/7", "/8")
    await world.hears(a_version(challenger, accuracy=0.8))
    body = {"use_case": "retention", "model_version": challenger}
    put = await world.ask("POST", "/v1/candidacies", by="ada", role="data_scientist", json=body)
    path = f"/v1/candidacies/{put.json()['id']}/submit"
    submitted = (await world.ask("POST", path, by="ada", role="data_scientist")).json()
    review = (await world.ask("GET", f"/v1/reviews/{submitted['review']}")).json()
    [check] = review["checks"]
    assert check["passed"] is False
    assert {each["name"]: each["value"] for each in check["seen"]} == {
        "version.metrics.accuracy": 0.8,
        "champion.metrics.accuracy": 0.91,
    }
    [*_, told] = await world.told("assent.governance.review.requested.v1")
    assert told.data["checks"][0]["seen"] == check["seen"]


async def test_a_version_waits_for_a_document_of_its_use_case_and_no_longer(world: World) -> None:
    checks = """
checks:
  - name: documents
    description: An assessment is linked, with its digest.
    expression: use_case.links.exists(l, l.kind == "document" && l.ref.endsWith("dpia.pdf") && has(l.digest))
stages: [{name: one, approvals: [{role: legal, due_in: P1D}]}]
"""
    await governed_by(world, checks)
    candidacy = await world.put_forward()
    assert (await world.decide((await world.tasks(candidacy["id"]))["legal"])).status_code == 200
    waits = await world.candidacy(candidacy["id"])
    assert waits["status"] == "under_review"
    assert waits["blocked_by"] == ["documents: not so: An assessment is linked, with its digest."]
    linked = Link(kind=LinkKind.DOCUMENT, ref="s3://governance/dpia.pdf", digest="sha256:" + "ab" * 32)
    await world.hears(a_use_case(links=[linked]))
    assert (await world.candidacy(candidacy["id"]))["status"] == "accepted"
