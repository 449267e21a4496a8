"""A policy is tried on what was judged before, and compared with the one before it, before it governs anything."""

import io
from datetime import timedelta
from typing import Any

import yaml
from assent_local import trials
from assent_local.exits import Exit
from rich.console import Console

from tests.support.served import served
from tests.workflow.test_policy_language import LEGAL, RISK, SECURITY, approve, rules, status
from tests.workflow.world import URN, World, a_use_case, a_version


def a_policy(*approvals: dict[str, Any], **members: Any) -> str:
    policy = {
        "name": "tried",
        "version": 1,
        "stages": [{"name": "all", "approvals": list(approvals)}],
        "valid_for": "P30D",
        **members,
    }
    return yaml.safe_dump(policy)


async def tried(world: World, text: str, **query: Any) -> list[dict[str, Any]]:
    answer = await world.ask("POST", "/v1/policies/simulate", json={"text": text}, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def counted(world: World) -> list[int]:
    tables = ("reviews", "tasks", "candidacies", "outbox", "audit", "timers", "policies")
    async with world.database.connection() as connection:
        return [await connection.fetchval(f"select count(*) from {table}") for table in tables]


async def a_year(world: World) -> None:
    """Four versions: one accepted at 0.91, one at 0.7, one rejected, one under review."""
    await rules(world, LEGAL, RISK)
    for number, accuracy in ((1, 0.91), (2, 0.7), (3, 0.95), (4, 0.99)):
        urn = URN.replace("/7", f"/{number}")
        await world.hears(a_version(urn, accuracy=accuracy))
        body = {"use_case": "retention", "model_version": urn}
        made = await world.ask("POST", "/v1/candidacies", by="ada", role="data_scientist", json=body)
        candidacy = made.json()
        submitted = await world.ask(
            "POST", f"/v1/candidacies/{candidacy['id']}/submit", by="ada", role="data_scientist"
        )
        assert submitted.status_code == 200, submitted.text
        if number <= 2:
            await approve(world, candidacy, "legal")
            await approve(world, candidacy, "risk")
            assert await status(world, candidacy) == "accepted"
        if number == 3:
            task = (await world.tasks(candidacy["id"]))["risk"]
            assert (await world.decide(task, "reject")).status_code == 200
        world.clock.advance(timedelta(seconds=1))


async def test_a_policy_is_tried_on_a_year_by_what_was_known_then_and_does_nothing(world: World) -> None:
    await a_year(world)
    # What is known now is another matter.
    await world.hears(a_use_case(facets={}), a_version(URN.replace("/7", "/1"), accuracy=0.1))
    before = await counted(world)

    strict = {"name": "good", "description": "It is right.", "expression": "version.metrics.accuracy >= 0.9"}
    named = {"name": "named", "description": "A purpose.", "expression": "has(use_case.business_context.purpose)"}
    found = await tried(world, a_policy(LEGAL, RISK, checks=[strict, named]))
    assert [(each["decided"], each["would"], each["differs"]) for each in found] == [
        ("accepted", "accepted", False),
        ("accepted", "blocked", True),
        ("rejected", "rejected", False),
        ("open", "waiting", False),
    ]
    assert found[1]["reasons"] == ["good: not so: It is right. (accuracy is 0.7)"]
    assert found[3]["reasons"] == ["the stage all lacks legal, risk"]

    wider = await tried(world, a_policy(LEGAL, {**SECURITY, "people": 2}))
    assert [each["would"] for each in wider] == ["waiting", "waiting", "waiting", "waiting"]
    assert wider[0]["reasons"] == ["the stage all lacks 2 of security"]
    quorum = {"stages": [{"name": "most", "quorum": 2, "approvals": [LEGAL, RISK, SECURITY]}]}
    assert [each["would"] for each in await tried(world, a_policy(**quorum))][:3] == [
        *("accepted", "accepted", "rejected")
    ]
    elsewhere = await tried(world, a_policy(LEGAL, applies_to='use_case.key == "fraud"'))
    assert {(each["would"], each["differs"]) for each in elsewhere} == {("not_applicable", False)}
    assert await counted(world) == before


async def test_a_policy_that_keeps_people_apart_counts_only_what_those_said_who_could_have(world: World) -> None:
    # Under a policy that keeps nobody apart ada puts it forward, and does two of its three tasks.
    lenient = {"proposer_decides_nothing": False, "one_person_one_task": False}
    await rules(world, LEGAL, RISK, SECURITY, separation_of_duties=lenient)
    await world.hears(a_version(created_by="arn:aws:iam::1:role/rita"))
    candidacy = await world.put_forward(by="ada")
    for role, by in (("legal", "ada"), ("risk", "rita"), ("security", "rita")):
        task = (await world.tasks(candidacy["id"]))[role]
        assert (await world.decide(task, by=by)).status_code == 200
        world.clock.advance(timedelta(seconds=1))
    assert await status(world, candidacy) == "accepted"

    async def would(*approvals: dict[str, Any], **duties: bool) -> dict[str, Any]:
        apart = {**lenient, **duties}
        [found] = await tried(world, a_policy(*approvals, separation_of_duties=apart))
        return found

    alike = await would(LEGAL, RISK, SECURITY)
    assert (alike["would"], alike["reasons"], alike["not_known"]) == ("accepted", [], [])
    strict = await would(LEGAL, RISK, SECURITY, proposer_decides_nothing=True)
    assert (strict["would"], strict["differs"]) == ("waiting", True)
    assert strict["reasons"] == [
        "the stage all lacks legal",
        "what ada said as legal would not count: who puts a version forward decides nothing",
    ]
    assert strict["not_known"] == ["whether somebody else would have said the same in the place of whom it keeps apart"]
    once = await would(LEGAL, RISK, SECURITY, one_person_one_task=True)
    assert once["reasons"] == [
        "the stage all lacks security",
        "what rita said as security would not count: one person decides one task, and that was risk",
    ]
    assert (await would(LEGAL, SECURITY, one_person_one_task=True))["would"] == "accepted", "risk is not asked"

    maker = await would(RISK, maker_decides_nothing=True)
    assert maker["would"] == "accepted"
    assert "which person arn:aws:iam::1:role/rita is" in maker["not_known"][0]
    told = {"name": "arn:aws:iam::1:role/rita", "subject": "rita"}
    assert (await world.ask("PUT", "/v1/identities", role="admin", json=told)).status_code == 200
    maker = await would(RISK, maker_decides_nothing=True)
    assert (maker["would"], "who made or changed it" in maker["reasons"][1]) == ("waiting", True)
    assert any("what /v1/identities tells now" in each for each in maker["not_known"])
    accountable = await would({**LEGAL, "accountable": True})
    assert (accountable["would"], "as accountable" in accountable["reasons"][1]) == ("waiting", True)

    now = {"use_case": "retention", "model_version": URN}
    text = a_policy(RISK, separation_of_duties={"maker_decides_nothing": True})
    assert (await world.ask("POST", "/v1/policies", role="admin", json={"text": text})).status_code == 201
    answer = (await world.ask("POST", "/v1/policies/tried/simulate", json=now)).json()
    assert answer["kept_apart"] == [
        "ada, who put it forward",
        "rita, who made or changed it at its source as arn:aws:iam::1:role/rita",
    ]
    assert answer["not_known"] == ["who holds the roles that are asked, which tokens alone tell"]


async def test_a_rejection_by_one_who_is_kept_apart_is_none(world: World) -> None:
    await rules(world, LEGAL, separation_of_duties={"proposer_decides_nothing": False})
    candidacy = await world.put_forward(by="ada")
    task = (await world.tasks(candidacy["id"]))["legal"]
    assert (await world.decide(task, "reject", by="ada")).status_code == 200
    [found] = await tried(world, a_policy(LEGAL))
    assert (found["decided"], found["would"], found["differs"]) == ("rejected", "waiting", True)


async def test_who_asked_for_the_review_is_kept_apart_in_a_trial_as_well(world: World) -> None:
    await rules(world, LEGAL, RISK, separation_of_duties={"proposer_decides_nothing": False})
    candidacy = await world.put_forward(by="ada", submit=False)
    # Beside the one that governs.
    text = a_policy(LEGAL, RISK, applies_to="false")
    assert (await world.ask("POST", "/v1/policies", role="admin", json={"text": text})).status_code == 201

    async def now() -> dict[str, Any]:
        on = {"use_case": "retention", "model_version": URN}
        answer = await world.ask("POST", "/v1/policies/tried/simulate", json=on)
        assert answer.status_code == 200, answer.text
        simulation: dict[str, Any] = answer.json()
        return simulation

    assert (await now())["kept_apart"] == ["ada, who put it forward"]
    assert (await now())["not_known"][0] == "who will ask for the review, and so decides nothing"
    path = f"/v1/candidacies/{candidacy['id']}/submit"
    assert (await world.ask("POST", path, by="bob", role="data_scientist")).status_code == 200
    assert (await now())["kept_apart"] == ["ada, who put it forward", "bob, who asked for its review"]
    assert (await now())["not_known"] == ["who holds the roles that are asked, which tokens alone tell"]

    await approve(world, candidacy, "risk")
    await approve(world, candidacy, "legal", by="bob")
    assert await status(world, candidacy) == "accepted"
    [found] = await tried(world, a_policy(LEGAL, RISK))
    assert (found["decided"], found["would"], found["differs"]) == ("accepted", "waiting", True)
    assert found["reasons"] == [
        "the stage all lacks legal",
        "what bob said as legal would not count: who asks for the review decides nothing",
    ]


async def test_the_command_line_says_what_would_come_out_otherwise(world: World) -> None:
    await a_year(world)
    strict = {"name": "good", "description": "It is right.", "expression": "version.metrics.accuracy >= 0.9"}
    text = a_policy(LEGAL, RISK, checks=[strict])
    out, err = io.StringIO(), io.StringIO()
    out_, err_ = Console(file=out, width=300), Console(file=err, width=300)
    period: dict[str, Any] = {"since": None, "until": None}
    async with served(world.app) as url:
        code = await trials.simulate(out_, err_, url, "victor:viewer", text, **period, as_json=False)
        assert (code, err.getvalue()) == (Exit.OK, "")
        refused = await trials.simulate(out_, err_, url, "victor:viewer", "name: [", **period, as_json=False)
        assert (refused, "line 1, column 8" in err.getvalue()) == (Exit.FAILED, True)
    first, *tally = out.getvalue().splitlines()
    assert first.endswith("was accepted, would be blocked: good: not so: It is right. (accuracy is 0.7)")
    assert tally == [
        "1 accepted: it says accepted",
        "1 accepted: it says blocked",
        "1 open: it says waiting",
        "1 rejected: it says rejected",
        "4 rounds of judging",
    ]
    apart = a_policy({**LEGAL, "people": 2}, separation_of_duties={"maker_decides_nothing": True})
    async with served(world.app) as url:
        assert await trials.simulate(out_, err_, url, "victor:viewer", apart, **period, as_json=False) is Exit.OK
    assert out.getvalue().splitlines()[-1] == "not known, in 4: who made the model that this is a version of"
    gone = await trials.simulate(out_, err_, "http://127.0.0.1:1", "victor:viewer", text, **period, as_json=False)
    assert gone is Exit.UNAVAILABLE


async def test_the_past_comes_in_pages_and_by_its_time_and_what_was_not_kept_is_unknown(world: World) -> None:
    await a_year(world)
    text = a_policy(LEGAL, RISK)
    everything = [each["review"] for each in await tried(world, text)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        answer = await world.ask("POST", "/v1/policies/simulate", json={"text": text}, params=query)
        seen += [each["review"] for each in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            break
        query["cursor"] = answer.json()["next_cursor"]
    assert (len(seen), seen) == (4, everything)

    since = (world.clock.now() + timedelta(days=1)).isoformat()
    later = await world.ask("POST", "/v1/policies/simulate", json={"text": text, "since": since})
    assert later.json()["items"] == []
    async with world.database.connection() as connection:
        await connection.execute("update reviews set facts = null")
    assert {(each["would"], each["differs"]) for each in await tried(world, text)} == {("unknown", False)}
    refused = await world.ask("POST", "/v1/policies/simulate", json={"text": "name: [", "since": since})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/text")


async def test_two_versions_are_compared_in_words(world: World) -> None:
    await rules(world, {**LEGAL, "due_in": "P10D"})
    text = yaml.safe_dump(
        {
            "name": "default",
            "version": 3,
            "stages": [{"name": "all", "approvals": [LEGAL, RISK]}],
            "valid_for": "P180D",
        }
    )
    assert (await world.ask("POST", "/v1/policies", role="admin", json={"text": text})).status_code == 201
    answer = await world.ask("GET", "/v1/policies/default/diff")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["before"], answer.json()["after"]) == ("default@2", "default@3")
    assert [(each["kind"], each["words"]) for each in answer.json()["differences"]] == [
        ("approval", "the stage all, legal: due_in is 5 days; before, 10 days"),
        ("approval", "the stage all asks risk, too, within 5 days"),
        ("rule", "valid_for is 180 days; before, 365 days"),
    ]
    shipped = await world.ask("GET", "/v1/policies/default/diff", params={"from": 1, "to": 2})
    assert "the check facets_complete is gone" in shipped.text
    same = await world.ask("GET", "/v1/policies/default/diff", params={"from": 3, "to": 3})
    assert same.json()["differences"] == []
    for parameters in ({"from": 9}, {"to": 9}):
        assert (await world.ask("GET", "/v1/policies/default/diff", params=parameters)).status_code == 404
    assert (await world.ask("GET", "/v1/policies/nothing/diff")).status_code == 404
