"""The inbox: what it leaves, how many of what; and who takes a task on, gives it back, or is given it."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
from assent_common import ids
from assent_common.identity.roles import Principal, Role

from tests.workflow.test_policy_language import LEGAL, RISK, SECURITY, rules
from tests.workflow.world import URN, World, a_use_case, a_version

MODEL = "arn:aws:sagemaker:eu-central-1:123456789012:model-package-group/customer-churn"


async def inbox(world: World, *, of: str = "victor", holding: str = "viewer", **parameters: Any) -> dict[str, Any]:
    answer = await world.ask("GET", "/v1/tasks", by=of, role=holding, params=parameters)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def move(world: World, task: dict[str, Any], step: str, *, by: str, role: str, **body: str) -> httpx.Response:
    return await world.ask("POST", f"/v1/tasks/{task['id']}/{step}", by=by, role=role, json=body or None)


async def known(world: World, subject: str, *roles: str, groups: tuple[str, ...] = ()) -> None:
    told = {"name": subject, "subject": subject, "roles": list(roles), "groups": list(groups)}
    answer = await world.ask("PUT", "/v1/identities", role="admin", json=told)
    assert answer.status_code == 200, answer.text


async def test_the_inbox_narrows_by_everything_and_counts_what_it_leaves(world: World) -> None:
    await rules(world, LEGAL, {**SECURITY, "due_in": "P2D"}, {**RISK, "due_in": "P20D"})
    other = URN.replace("customer-churn/7", "fraud/1")
    await world.hears(a_version(model=MODEL), a_version(other, name="fraud"), a_use_case("fraud-watch"))
    retention = await world.put_forward()
    body = {"use_case": "fraud-watch", "model_version": other}
    made = await world.ask("POST", "/v1/candidacies", by="ada", role="data_scientist", json=body)
    watch = await world.ask("POST", f"/v1/candidacies/{made.json()['id']}/submit", by="ada", role="data_scientist")
    assert watch.status_code == 200

    everything = await inbox(world, counts="true", limit=2)
    assert (len(everything["items"]), everything["counts"]) == (
        2,
        {
            "total": 6,
            "overdue": 0,
            "unassigned": 6,
            "status": {"open": 6},
            "role": {"legal": 2, "risk": 2, "security": 2},
            "stage": {"all": 6},
            "assignee": {},
            "use_case": {"fraud-watch": 3, "retention": 3},
            "model": {MODEL: 3, "fraud": 3},
        },
    )
    seen, cursor = [], None
    while True:
        page = await inbox(world, limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [task["id"] for task in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert (len(seen), len(set(seen))) == (6, 6)

    soon = (world.clock.now() + timedelta(days=10)).isoformat()
    narrowed: list[tuple[dict[str, Any], int]] = [
        ({"role": "legal"}, 2),
        ({"use_case": "retention"}, 3),
        ({"model": MODEL}, 3),
        ({"model": "fraud"}, 3),
        ({"model": "fraud", "role": "risk"}, 1),
        ({"model_version": URN}, 3),
        ({"stage": "all"}, 6),
        ({"stage": "other"}, 0),
        ({"due_before": soon}, 4),
        ({"due_before": soon, "use_case": "retention", "role": "security"}, 1),
        ({"status": "approved"}, 0),
        ({"assigned": "true"}, 0),
        ({"assignee": "lucia"}, 0),
        ({"candidacy": retention["id"]}, 3),
        ({"overdue": "true"}, 0),
    ]
    for parameters, expected in narrowed:
        page = await inbox(world, counts="true", **parameters)
        assert (len(page["items"]), page["counts"]["total"]) == (expected, expected), parameters
    assert len((await inbox(world, of="lucia", holding="legal", mine="true"))["items"]) == 2
    assert len((await inbox(world, of="ada", holding="legal", mine="true"))["items"]) == 0, "she put them forward"
    of_another = await world.ask("GET", "/v1/tasks", params={"cursor": page["next_cursor"] or "x", "role": "legal"})
    assert of_another.status_code == 400


async def test_of_many_who_claim_a_task_one_has_it_and_whoever_may_decide_it_still_may(world: World) -> None:
    await rules(world, LEGAL)
    candidacy = await world.put_forward(by="ada")
    task = (await world.tasks(candidacy["id"]))["legal"]
    answers = await asyncio.gather(*(move(world, task, "claim", by=f"lawyer-{n}", role="legal") for n in range(8)))
    codes = [answer.status_code for answer in answers]
    assert (codes.count(200), codes.count(409)) == (1, 7), codes
    [first] = [answer.json()["assignee"] for answer in answers if answer.status_code == 200]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert first in refused.json()["detail"]
    assert (await move(world, task, "claim", by=first, role="legal")).status_code == 200, "it is hers already"
    told = [event.data["assignee"] for event in await world.told("assent.governance.task.changed.v1")]
    assert told == [None, first]
    mine = await inbox(world, of=first, holding="legal", assignee="me", counts="true")
    assert ([each["id"] for each in mine["items"]], mine["counts"]["assignee"]) == ([task["id"]], {first: 1})

    assert (await move(world, task, "release", by="lawyer-9", role="legal")).status_code == 403
    assert (await move(world, task, "release", by=first, role="legal")).json()["assignee"] is None
    assert (await move(world, task, "claim", by="lara", role="legal")).json()["assignee"] == "lara"
    assert (await world.decide(task, by="lucia")).status_code == 200, "a claim keeps nobody from deciding"
    assert (await move(world, task, "claim", by="lena", role="legal")).status_code == 409
    assert (await move(world, task, "release", by="lara", role="legal")).status_code == 409
    records = (await world.ask("GET", "/v1/audit", params={"subject": candidacy["id"]})).json()["items"]
    actions = [record["action"] for record in records if record["action"].startswith("task.")]
    assert actions == ["task.claimed", "task.released", "task.claimed", "task.approved"]


async def test_a_claim_or_an_assignment_lets_nobody_decide_what_he_otherwise_may_not(world: World) -> None:
    await rules(world, LEGAL, SECURITY)
    candidacy = await world.put_forward(by="ada")
    tasks = await world.tasks(candidacy["id"])
    assert (await move(world, tasks["legal"], "claim", by="ada", role="legal")).status_code == 403, "put it forward"
    assert (await move(world, tasks["legal"], "claim", by="sven", role="security")).status_code == 403
    assert (await move(world, tasks["legal"], "claim", by="adam", role="admin")).status_code == 403
    by_legal = await move(world, tasks["legal"], "assign", by="lucia", role="legal", assignee="lara")
    assert by_legal.status_code == 403, "she does not lead"
    to_proposer = await move(world, tasks["legal"], "assign", by="rosa", role="risk", assignee="ada")
    assert (to_proposer.status_code, "put this model version forward" in to_proposer.text) == (403, True)

    given = await move(world, tasks["security"], "assign", by="rosa", role="risk", assignee="victor")
    assert (given.status_code, given.json()["assignee"]) == (200, "victor")
    assert (await world.decide(tasks["security"], by="victor", role="legal")).status_code == 403
    await known(world, "sven", "security")
    not_his = await move(world, tasks["legal"], "assign", by="adam", role="admin", assignee="sven")
    assert (not_his.status_code, "does not hold" in not_his.text) == (403, True)
    again = await move(world, tasks["security"], "assign", by="adam", role="admin", assignee="sven")
    assert again.json()["assignee"] == "sven"
    assert (await move(world, tasks["security"], "release", by="rosa", role="risk")).json()["assignee"] is None


async def test_the_load_is_shared_among_those_who_are_known_and_could_decide(world: World) -> None:
    await rules(world, {**LEGAL, "people": 2}, RISK, assign="least_loaded")
    for subject in ("ada", "lara", "lena", "lucia"):
        await known(world, subject, "legal")
    given = []
    for number in range(3):
        urn = URN.replace("/7", f"/{number + 8}")
        await world.hears(a_version(urn))
        body = {"use_case": "retention", "model_version": urn}
        made = await world.ask("POST", "/v1/candidacies", by="ada", role="data_scientist", json=body)
        path = f"/v1/candidacies/{made.json()['id']}/submit"
        assert (await world.ask("POST", path, by="ada", role="data_scientist")).status_code == 200
        page = await inbox(world, candidacy=made.json()["id"])
        assert [task["assignee"] for task in page["items"] if task["role"] == "risk"] == [None], "none is known"
        given.append({task["assignee"] for task in page["items"] if task["role"] == "legal"})
    assert given == [{"lara", "lena"}, {"lara", "lucia"}, {"lena", "lucia"}], "never who put it forward"


async def test_who_stands_in_has_what_is_his_to_decide_in_his_inbox_while_that_lasts(world: World) -> None:
    await rules(world, {**LEGAL, "substitutes": ["risk"]}, SECURITY)
    candidacy = await world.put_forward(by="ada")

    async def waiting(of: str, holding: str) -> list[str]:
        return [task["role"] for task in (await inbox(world, of=of, holding=holding, mine="true"))["items"]]

    async def delegated(by: str, to: str, role: str = "legal") -> str:
        ends_at = (world.clock.now() + timedelta(days=2)).isoformat()
        body = {"role": role, "substitute": to, "ends_at": ends_at, "reason": "on leave"}
        answer = await world.ask("POST", "/v1/delegations", by=by, role=role, json=body)
        assert answer.status_code == 201, answer.text
        id_: str = answer.json()["id"]
        return id_

    assert await waiting("rosa", "risk") == []
    given = await delegated("lucia", "rosa")
    # A role that the policy lets not stand in, who put it forward, and one for whom she does.
    await delegated("lucia", "sven")
    await delegated("lucia", "ada")
    await delegated("ada", "rita")
    assert await waiting("rosa", "risk") == ["legal"]
    assert await waiting("sven", "security") == ["security"]
    assert await waiting("ada", "risk") == []
    assert await waiting("rita", "risk") == []
    counted = await inbox(world, of="rosa", holding="risk", mine="true", counts="true")
    assert counted["counts"]["role"] == {"legal": 1}
    assert (await world.ask("DELETE", f"/v1/delegations/{given}", by="lucia", role="legal")).status_code == 204
    assert await waiting("rosa", "risk") == []
    await delegated("lucia", "rosa")
    [task] = (await inbox(world, of="rosa", holding="risk", mine="true"))["items"]
    assert (await world.decide(task, by="rosa", role="risk")).status_code == 200
    assert (await world.candidacy(candidacy["id"]))["status"] == "under_review"
    assert await waiting("rosa", "risk") == []


async def test_who_stands_in_for_whoever_asked_for_the_review_has_nothing_of_it_to_decide(world: World) -> None:
    await rules(world, {**LEGAL, "substitutes": ["risk"]}, SECURITY)
    candidacy = await world.put_forward(by="ada", submit=False)
    path = f"/v1/candidacies/{candidacy['id']}/submit"
    assert (await world.ask("POST", path, by="bob", role="data_scientist")).status_code == 200
    ends_at = (world.clock.now() + timedelta(days=2)).isoformat()
    for by, to in (("bob", "rosa"), ("lucia", "rita")):
        body = {"role": "legal", "substitute": to, "ends_at": ends_at, "reason": "on leave"}
        assert (await world.ask("POST", "/v1/delegations", by=by, role="legal", json=body)).status_code == 201
    task = (await world.tasks(candidacy["id"]))["legal"]
    for who, may in (("rosa", False), ("rita", True)):
        mine = (await inbox(world, of=who, holding="risk", mine="true"))["items"]
        assert [each["role"] for each in mine] == (["legal"] if may else [])
        assert (await world.decide(task, by=who, role="risk")).status_code == (200 if may else 403)


async def test_what_is_asked_of_a_group_only_its_members_decide(world: World) -> None:
    await rules(world, {**RISK, "group": "credit-board", "people": 2})
    candidacy = await world.put_forward(by="ada")
    answer = await inbox(world, candidacy=candidacy["id"])
    first, second = answer["items"]
    assert [task["group"] for task in (first, second)] == ["credit-board", "credit-board"]
    refused = await world.decide(first, by="rosa", role="risk")
    assert (refused.status_code, "credit-board" in refused.json()["detail"]) == (403, True)
    assert (await inbox(world, of="rosa", holding="risk", mine="true"))["items"] == []

    await known(world, "rosa", groups=("credit-board",))
    assert len((await inbox(world, of="rosa", holding="risk", mine="true"))["items"]) == 2
    assert (await world.decide(first, by="rosa", role="legal")).status_code == 403, "a member without the role"
    assert (await world.decide(first, by="rosa", role="risk")).status_code == 200
    token = f"rita-{ids.new()}"
    rita = Principal("https://issuer", "rita", frozenset({Role.RISK}), "rita", frozenset({"credit-board"}))
    world.persons[token] = rita
    decided = await world.http.post(
        f"/v1/tasks/{second['id']}/decision",
        headers={"Authorization": f"Bearer {token}"},
        json={"verdict": "approve"},
    )
    assert decided.status_code == 200, decided.text
    assert (await world.candidacy(candidacy["id"]))["status"] == "accepted"
    told = await world.told("assent.governance.task.changed.v1")
    assert {event.data["group"] for event in told} == {"credit-board"}


async def test_the_inbox_has_what_its_reader_can_decide_by_the_policy_and_nothing_else(world: World) -> None:
    maker = "arn:aws:sts::123456789012:assumed-role/pipelines/run"
    await world.hears(a_version(created_by=maker))
    told = {"name": maker, "subject": "martin"}
    assert (await world.ask("PUT", "/v1/identities", role="admin", json=told)).status_code == 200
    apart = {"maker_decides_nothing": True}
    # The use case names Bea as its business owner, and an admin says who that is.
    assert (await world.ask("PUT", "/v1/identities", role="admin", json={"name": "Bea", "subject": "b1"})).is_success
    owner = {"role": "business_owner", "due_in": "P5D", "accountable": True}
    await rules(world, owner, {**RISK, "people": 2}, separation_of_duties=apart)
    candidacy = await world.put_forward(by="ada")

    async def has(of: str, holding: str) -> int:
        page = await inbox(world, of=of, holding=holding, mine="true", counts="true")
        assert len(page["items"]) == page["counts"]["total"]
        return len(page["items"])

    assert (await has("b1", "business_owner"), await has("b2", "business_owner")) == (1, 0)
    assert (await has("rosa", "risk"), await has("martin", "risk"), await has("ada", "risk")) == (2, 0, 0)
    assert (await world.decide((await world.tasks(candidacy["id"]))["risk"], by="rosa")).status_code == 200
    assert (await has("rosa", "risk"), await has("rita", "risk")) == (0, 1)


async def test_the_inbox_of_who_may_decide_what_he_put_forward_has_it(world: World) -> None:
    apart = {"proposer_decides_nothing": False, "one_person_one_task": False}
    await rules(world, {**LEGAL, "people": 2}, SECURITY, separation_of_duties=apart)
    candidacy = await world.put_forward(by="ada")
    assert len((await inbox(world, of="ada", holding="legal", mine="true"))["items"]) == 2
    assert (await world.decide((await world.tasks(candidacy["id"]))["legal"], by="ada")).status_code == 200
    assert len((await inbox(world, of="ada", holding="legal", mine="true"))["items"]) == 0, "two of a role are two"
    assert len((await inbox(world, of="ada", holding="security", mine="true"))["items"]) == 1
