"""A check that another system answers: asked with a signature, and never taken for passed before it says so."""

import ipaddress
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from assent_common.events.catalog import Stage
from assent_workflow.external.ask import ExternalChecks
from assent_workflow.external.call import Caller
from assent_workflow.external.secrets import Secrets
from fastapi import Response
from standardwebhooks import Webhook

from tests.support.receiver import Receiver, a_receiver
from tests.workflow.one_look import CHECKS, attempts_of_one_look
from tests.workflow.test_policy_language import LEGAL, approve, rules, status
from tests.workflow.test_use_case_steps import proposed
from tests.workflow.world import URN, World, a_use_case, a_version

SECRETS = Secrets("ab" * 32)
YES = {"passed": True, "reason": "parity is 0.97", "evidence": {"parity": 0.97, "report": "run-7"}}


def answering(document: Any, status_code: int = 200) -> Response:
    return Response(json.dumps(document), status_code, media_type="application/json")


def asking(world: World, *networks: str) -> ExternalChecks:
    return ExternalChecks(world.database, Caller(SECRETS, [ipaddress.ip_network(each) for each in networks]))


@asynccontextmanager
async def governed(world: World, **policy: Any) -> AsyncIterator[Receiver]:
    """By a policy that asks a system that answers, beside its lawyers."""
    world.app.state.external_secrets = SECRETS
    async with a_receiver() as receiver:
        external = {"url": receiver.url, "timeout": "PT30S"}
        check = {"name": "fair", "description": "It treats groups alike.", "external": external}
        await rules(world, LEGAL, checks=[check], **policy)
        yield receiver


async def asked(world: World, checks: ExternalChecks) -> int:
    """How many questions, in one look."""
    return await attempts_of_one_look(world.database, CHECKS, checks.run)


async def check_of(world: World, candidacy: dict[str, Any]) -> dict[str, Any]:
    review = (await world.candidacy(candidacy["id"]))["review"]
    [check] = (await world.ask("GET", f"/v1/reviews/{review}")).json()["checks"]
    found: dict[str, Any] = check
    return found


async def due_again(world: World, *, timeout_s: float = 30) -> None:
    async with world.database.connection() as connection:
        again = "update external_checks set next_try_at = now(), timeout_s = $1 where answered_at is null"
        await connection.execute(again, timeout_s)


async def test_what_another_system_says_is_asked_with_a_signature_and_kept_with_its_evidence(world: World) -> None:
    async with governed(world) as receiver:
        receiver.answers = [answering(YES)]
        candidacy = await world.put_forward()
        await approve(world, candidacy, "legal")
        assert await status(world, candidacy) == "under_review", "whoever approves, it has not answered"
        check = await check_of(world, candidacy)
        assert (check["passed"], check["pending"], receiver.url in check["reason"]) == (False, True, True)

        assert await asked(world, asking(world, "127.0.0.0/8")) == 1
        [(headers, body)] = receiver.got
        body_of = {"url": receiver.url}
        told = await world.ask("POST", "/v1/external-checks/secret", role="admin", json=body_of)
        Webhook(told.json()["secret"]).verify(body, headers)
        question = json.loads(body)["data"]
        assert (question["check"], question["model_version"], question["use_case"]) == ("fair", URN, "retention")
        assert question["content"]["metrics"] == {"accuracy": 0.91}

        assert await status(world, candidacy) == "accepted", "nothing else was in the way"
        check = await check_of(world, candidacy)
        assert (check["passed"], check["pending"], check["reason"]) == (True, False, "parity is 0.97")
        assert (check["seen"][0]["report"], len(check["seen"][0]["digest"])) == (receiver.url, 64)
        [record] = (await world.ask("GET", "/v1/audit", params={"action": "check.answered"})).json()["items"]
        assert record["details"]["evidence"] == YES["evidence"]
        assert await asked(world, asking(world, "127.0.0.0/8")) == 0, "it is asked once"


async def test_while_one_key_takes_anothers_place_it_is_signed_by_both(world: World) -> None:
    async with governed(world) as receiver:
        receiver.answers = [answering(YES)]
        await world.put_forward()
        both = Caller(Secrets("cd" * 32, "ab" * 32), [ipaddress.ip_network("127.0.0.0/8")])
        assert await attempts_of_one_look(world.database, CHECKS, ExternalChecks(world.database, both).run) == 1
        [(headers, body)] = receiver.got
        for secrets in (SECRETS, Secrets("cd" * 32)):
            assert Webhook(secrets.of(receiver.url)).verify(body, headers)


async def test_what_is_asked_of_a_step_of_a_use_case_says_which_it_is_and_names_no_candidacy(world: World) -> None:
    proposal = proposed(Stage.MONITORING)
    use_cases = {"name": "use-cases", "version": 1, "subject": "use_case", "steps": ["monitoring"]}
    async with governed(world, **use_cases) as receiver:
        receiver.answers = [answering(YES)]
        await world.hears(a_use_case(proposal=proposal))
        assert await asked(world, asking(world, "127.0.0.0/8")) == 1
        [(_, body)] = receiver.got
        question = json.loads(body)["data"]
        assert (question["candidacy"], question["model_version"]) == (None, None)
        assert (question["step"], question["to"], question["use_case"]) == (str(proposal.id), "monitoring", "retention")
        step = (await world.ask("GET", f"/v1/use-case-steps/{proposal.id}")).json()
        assert (question["review"], question["content_hash"]) == (step["review"], step["content_hash"])
        assert step["blocked_by"] == []


async def test_what_is_no_answer_passes_nothing_and_is_asked_again_under_the_same_id(world: World) -> None:
    async with governed(world) as receiver:
        no_answers = [
            answering(YES, 503),
            answering(YES, 201),
            answering({"passed": "true", "reason": "nearly"}),
            answering({"passed": 1, "reason": "nearly"}),
            answering({"passed": True}),
            answering([YES]),
            Response(b"\xff{", 200),
            Response(b'{"passed": true, "reason": "' + b"x" * 70_000 + b'"}', 200),
            Response(status_code=307, headers={"location": "http://127.0.0.1:1/"}),
        ]
        receiver.answers = list(no_answers)
        candidacy = await world.put_forward()
        await approve(world, candidacy, "legal")
        checks = asking(world, "127.0.0.0/8")
        for number in range(len(no_answers)):
            await due_again(world)
            assert await asked(world, checks) == 1
            check = await check_of(world, candidacy)
            assert (check["passed"], check["pending"]) == (False, True), number
            assert await asked(world, checks) == 0, "not at once"
        receiver.hold()
        await due_again(world, timeout_s=1)
        assert await asked(world, checks) == 1
        assert "no answer within 1 s" in (await check_of(world, candidacy))["reason"]
        assert await status(world, candidacy) == "under_review"
        # Who was not waited for takes one of them.
        receiver.answers = [answering(YES), answering(YES)]
        receiver.let_go()
        await due_again(world, timeout_s=30)
        assert await asked(world, checks) == 1
        assert await status(world, candidacy) == "accepted"
        assert (len(receiver.got), len({headers["webhook-id"] for headers, _ in receiver.got})) == (11, 1)


async def test_a_no_is_a_no_and_another_content_is_another_question(world: World) -> None:
    async with governed(world) as receiver:
        receiver.answers = [answering({"passed": False, "reason": "parity is 0.4"}), answering(YES)]
        candidacy = await world.put_forward()
        checks = asking(world, "127.0.0.0/8")
        await asked(world, checks)
        await approve(world, candidacy, "legal")
        assert await status(world, candidacy) == "under_review"
        assert (await world.candidacy(candidacy["id"]))["blocked_by"] == ["fair: parity is 0.4"]
        assert not (await check_of(world, candidacy))["pending"]
        await due_again(world)
        assert await asked(world, checks) == 0

        await world.hears(a_version(accuracy=0.95))
        assert (await check_of(world, candidacy))["pending"], "that was said of another content"
        assert await asked(world, checks) == 1
        assert (await check_of(world, candidacy))["passed"]
        await approve(world, candidacy, "legal")
        assert await status(world, candidacy) == "accepted"


async def test_who_takes_part_has_a_check_asked_again_and_the_record_says_who_and_what_was_said_before(
    world: World,
) -> None:
    async with governed(world) as receiver:
        receiver.answers = [answering({"passed": False, "reason": "no report"}), answering(YES, 503), answering(YES)]
        candidacy = await world.put_forward(by="ada")
        checks = asking(world, "127.0.0.0/8")
        await asked(world, checks)
        await approve(world, candidacy, "legal")
        path = f"/v1/reviews/{candidacy['review']}/checks/fair/ask"
        assert (await world.ask("POST", path, by="sven", role="security")).status_code == 403, "he has no part in it"
        other = path.replace("fair", "other")
        assert (await world.ask("POST", other, by="ada", role="data_scientist")).status_code == 404

        again = await world.ask("POST", path, by="ada", role="data_scientist")
        assert (again.status_code, again.json()["passed"], again.json()["pending"]) == (202, False, True)
        assert (await check_of(world, candidacy))["pending"], "what it said counts no more"
        assert await asked(world, checks) == 1
        # Not answered: asked again sooner than it would be, and as the same question.
        assert await asked(world, checks) == 0
        assert (await world.ask("POST", path, by="lucia", role="legal")).status_code == 202
        assert await asked(world, checks) == 1
        assert await status(world, candidacy) == "accepted"
        under = [headers["webhook-id"] for headers, _ in receiver.got]
        assert (len(under), under[0] != under[1], under[1] == under[2]) == (3, True, True)
        records = (await world.ask("GET", "/v1/audit", params={"action": "check.asked_again"})).json()["items"]
        said = {record["actor"]: (record["details"]["passed"], record["details"]["reason"]) for record in records}
        assert said == {"ada": (False, "no report"), "lucia": (None, "it answered 503")}

        late = await world.ask("POST", path, by="ada", role="data_scientist")
        assert (late.status_code, "has ended (accepted)" in late.json()["detail"]) == (409, True)
        assert await asked(world, checks) == 0


async def test_a_round_that_ended_asks_nobody_and_no_question_leaves_the_networks_allowed(world: World) -> None:
    async with governed(world) as receiver:
        candidacy = await world.put_forward()
        assert await asked(world, asking(world)) == 1
        assert "not public" in (await check_of(world, candidacy))["reason"]
        await due_again(world)
        path = f"/v1/candidacies/{candidacy['id']}/withdraw"
        assert (await world.ask("POST", path, by="ada", role="data_scientist")).status_code == 200
        assert await asked(world, asking(world, "127.0.0.0/8")) == 0
        assert receiver.got == []


async def test_a_policy_that_asks_is_refused_where_nothing_could_be_signed_and_so_is_a_check_that_is_two(
    world: World,
) -> None:
    stages = "[{name: s, approvals: [{role: legal, due_in: P1D}]}]"
    text = "{name: own, version: 1, valid_for: P1D, checks: [%s], stages: " + stages + "}"
    check = "{name: fair, description: Fair., external: {url: 'https://checks.example.com/'}}"
    refused = await world.ask("POST", "/v1/policies", role="admin", json={"text": text % check})
    assert (refused.status_code, "ASSENT_WEBHOOK_KEY" in refused.text) == (409, True)
    body = {"url": "https://checks.example.com/"}
    assert (await world.ask("POST", "/v1/external-checks/secret", role="admin", json=body)).status_code == 409
    for wrong in (
        "{name: fair, description: Fair.}",
        "{name: fair, description: Fair., expression: 'true', external: {url: 'https://checks.example.com/'}}",
        "{name: fair, description: Fair., external: {url: 'ftp://checks.example.com/'}}",
        "{name: fair, description: Fair., external: {url: 'https://me:secret@checks.example.com/'}}",
        "{name: fair, description: Fair., external: {url: 'https://checks.example.com/', timeout: PT1H}}",
    ):
        answer = await world.ask("POST", "/v1/policies", role="admin", json={"text": text % wrong})
        assert answer.status_code == 422, wrong
