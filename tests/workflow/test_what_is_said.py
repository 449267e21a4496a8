"""A review has a thread that only grows, and evidence that nobody can put another in the place of."""

from typing import Any

import httpx

from tests.workflow.test_policy_language import LEGAL, SECURITY, rules
from tests.workflow.world import World

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
DPIA = {
    "name": "Data protection impact assessment",
    "uri": "s3://governance/dpia/retention.pdf",
    "sha256": DIGEST,
    "media_type": "application/pdf",
}

WRONG = (
    {"sha256": DIGEST[:-1]},
    {"sha256": DIGEST.upper()},
    {"uri": "javascript:alert(1)"},
    {"uri": "JavaScript:alert(1)"},
    {"uri": "data:text/html,<script>"},
    {"uri": "no reference"},
    {"uri": "https://a b"},
    {"media_type": "pdf"},
    {"name": ""},
)


async def say(world: World, review: str, body: str, *, by: str, role: str, **members: Any) -> httpx.Response:
    path = f"/v1/reviews/{review}/comments"
    return await world.ask("POST", path, by=by, role=role, json={"body": body, **members})


async def thread(world: World, review: str, **parameters: str) -> list[dict[str, Any]]:
    answer = await world.ask("GET", f"/v1/reviews/{review}/comments", params=parameters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_all_who_take_part_are_heard_in_one_thread_and_nobody_else(world: World) -> None:
    await rules(world, LEGAL, SECURITY)
    candidacy = await world.put_forward(by="ada")
    review = candidacy["review"]
    task = (await world.tasks(candidacy["id"]))["legal"]
    heard = [
        await say(world, review, "Why did the **recall** fall?", by="lucia", role="legal", task=task["id"]),
        await say(world, review, "  A new segment: see the report.  ", by="ada", role="data_scientist"),
        await say(world, review, "The image is clean.", by="sven", role="security"),
    ]
    assert [answer.status_code for answer in heard] == [201, 201, 201], [answer.text for answer in heard]
    said = await thread(world, review)
    assert [(each["author"], each["body"]) for each in said] == [
        ("lucia", "Why did the **recall** fall?"),
        ("ada", "A new segment: see the report."),
        ("sven", "The image is clean."),
    ]
    assert [each["author"] for each in await thread(world, review, task=task["id"])] == ["lucia"]

    strangers = [
        await say(world, review, "I was passing by", by="rosa", role="risk"),
        await say(world, review, "Me, too", by="dora", role="data_scientist"),
        await say(world, review, "And I", by="victor", role="viewer"),
        await say(world, review, "And I rule", by="adam", role="admin"),
    ]
    assert [answer.status_code for answer in strangers] == [403, 403, 403, 403]
    assert "names" in strangers[0].json()["detail"]
    assert len(await thread(world, review)) == 3

    told = await world.told("assent.governance.comment.added.v1")
    assert [(event.subject, event.data["author"]) for event in told] == [(each["id"], each["author"]) for each in said]
    records = (await world.ask("GET", "/v1/audit", params={"action": "comment.added"})).json()["items"]
    assert [(record["actor"], record["details"]["body"]) for record in records] == [
        (each["author"], each["body"]) for each in said
    ]


async def test_whom_the_use_case_names_is_heard_whatever_the_review_asks(world: World) -> None:
    await rules(world, SECURITY)
    candidacy = await world.put_forward()
    named = await say(world, candidacy["review"], "I answer for this.", by="Bea", role="business_owner")
    other = await say(world, candidacy["review"], "I do not.", by="boris", role="business_owner")
    assert (named.status_code, other.status_code) == (201, 403)


async def test_a_request_for_changes_is_in_the_thread_and_is_answered_there(world: World) -> None:
    await rules(world, LEGAL)
    candidacy = await world.put_forward(by="ada")
    task = (await world.tasks(candidacy["id"]))["legal"]
    assert (await world.decide(task, "request_changes", by="lucia")).status_code == 200
    answered = await say(world, candidacy["review"], "Mended in version 8.", by="ada", role="data_scientist")
    assert answered.status_code == 201, "the round has ended, the talk has not"
    said = await thread(world, candidacy["review"])
    assert [(each["author"], each["verdict"], each["task"]) for each in said] == [
        ("lucia", "request_changes", task["id"]),
        ("ada", None, None),
    ]


async def test_nothing_said_can_be_changed_or_taken_back(world: World) -> None:
    candidacy = await world.put_forward(by="ada")
    made = await say(world, candidacy["review"], "Wrong", by="ada", role="data_scientist")
    path = f"/v1/reviews/{candidacy['review']}/comments/{made.json()['id']}"
    for method in ("PUT", "PATCH", "DELETE"):
        assert (await world.ask(method, path, by="ada", role="data_scientist")).status_code in (404, 405)
    key = {"headers": {"Idempotency-Key": "once"}}
    body = {"json": {"body": "Right"}}
    path = f"/v1/reviews/{candidacy['review']}/comments"
    for _ in range(2):
        assert (await world.ask("POST", path, by="ada", role="data_scientist", **body, **key)).status_code == 201
    assert [each["body"] for each in await thread(world, candidacy["review"])] == ["Wrong", "Right"]


async def test_what_is_no_comment_and_what_is_no_evidence_is_refused(world: World) -> None:
    candidacy = await world.put_forward(by="ada")
    for body in ("", "   ", "x" * 4001, "a\x00b"):
        refused = await say(world, candidacy["review"], body, by="ada", role="data_scientist")
        assert refused.status_code in (400, 422), refused.text
    unknown = "01980000-0000-7000-8000-000000000000"
    refused = await say(world, candidacy["review"], "There", by="ada", role="data_scientist", task=unknown)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/task")
    assert await thread(world, candidacy["review"]) == []

    path = f"/v1/reviews/{candidacy['review']}/evidence"
    for wrong in WRONG:
        refused = await world.ask("POST", path, by="ada", role="data_scientist", json=DPIA | wrong)
        assert refused.status_code == 422, wrong
    assert (await world.ask("GET", path)).json()["items"] == []


async def test_evidence_stands_beside_the_review_and_its_decision_with_its_digest(world: World) -> None:
    await rules(world, LEGAL)
    candidacy = await world.put_forward(by="ada")
    path = f"/v1/reviews/{candidacy['review']}/evidence"
    card = DPIA | {"name": "Model card", "uri": "https://wiki.example.com/cards/7", "media_type": "text/html"}
    made = await world.ask("POST", path, by="ada", role="data_scientist", json=card)
    assert made.status_code == 201, made.text
    assert (await world.ask("POST", path, by="rosa", role="risk", json=card)).status_code == 403
    task = (await world.tasks(candidacy["id"]))["legal"]
    decided = await world.ask(
        *("POST", f"/v1/tasks/{task['id']}/decision"),
        by="lucia",
        role="legal",
        json={"verdict": "approve", "evidence": [DPIA | {"note": "Section 4"}]},
    )
    assert decided.status_code == 200, decided.text

    shown = (await world.ask("GET", f"/v1/reviews/{candidacy['review']}")).json()["evidence"]
    assert [(each["name"], each["task"], each["attached_by"]) for each in shown] == [
        ("Model card", None, "ada"),
        ("Data protection impact assessment", task["id"], "lucia"),
    ]
    assert (await world.ask("GET", path)).json()["items"] == shown
    told = await world.told("assent.governance.evidence.attached.v1")
    assert [event.data["sha256"] for event in told] == [DIGEST, DIGEST]
    records = (await world.ask("GET", "/v1/audit", params={"subject": candidacy["id"]})).json()["items"]
    by_action = {record["action"]: record for record in records}
    assert by_action["evidence.attached"]["details"]["sha256"] == DIGEST
    assert by_action["task.approved"]["details"]["evidence"] == [
        {"name": DPIA["name"], "uri": DPIA["uri"], "sha256": DIGEST}
    ]


async def test_a_refused_decision_leaves_neither_comment_nor_evidence(world: World) -> None:
    await rules(world, LEGAL)
    candidacy = await world.put_forward(by="ada")
    task = (await world.tasks(candidacy["id"]))["legal"]
    body = {"verdict": "approve", "comment": "mine", "evidence": [DPIA]}
    refused = await world.ask("POST", f"/v1/tasks/{task['id']}/decision", by="ada", role="legal", json=body)
    assert refused.status_code == 403
    assert await thread(world, candidacy["review"]) == []
    assert (await world.ask("GET", f"/v1/reviews/{candidacy['review']}/evidence")).json()["items"] == []
