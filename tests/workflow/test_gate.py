"""By what the gate may be asked, what it says, and what stays of it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from assent_common import gate_answers
from assent_common.events.registry import Artifact, ModelVersionObserved
from assent_common.gate_answers import NoPermission
from assent_common.signing import BadSignature, Signer, trusted
from assent_workflow.gate.log import FORGET, KEPT_FOR, Forgetting
from assent_workflow.settings import Settings
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from tests.workflow.world import SIGNER, URN, World, a_use_case, a_version

DIGEST = "sha256:" + "ab" * 32
IMAGE = "registry/xgboost@sha256:" + "cd" * 32
OTHER = URN.replace("/7", "/8")
KEYS = trusted([json.dumps(SIGNER.jwks())])


def a_packed_version(urn: str = URN, *, digest: str = DIGEST, **members: Any) -> ModelVersionObserved:
    artifacts = [Artifact(uri="s3://models/churn.tar.gz", digest=digest)]
    return a_version(urn, artifacts=artifacts, image=IMAGE, image_digest=IMAGE.partition("@")[2], **members)


async def accepted(world: World) -> dict[str, Any]:
    await world.hears(a_packed_version())
    candidacy = await world.put_forward()
    await world.approve_all(candidacy["id"])
    return candidacy


NAMES: list[dict[str, str]] = [
    {"model_version": URN},
    {"model_version": URN, "artifact_digest": DIGEST},
    {"model_version": URN, "image": IMAGE},
    {"artifact_digest": DIGEST},
    {"artifact_digest": DIGEST.removeprefix("sha256:").upper()},
    {"image": IMAGE},
    {"image": IMAGE.partition("@")[2]},
    {"artifact_digest": DIGEST, "image": IMAGE},
]


@pytest.mark.parametrize("names", NAMES, ids=lambda names: "+".join(names))
async def test_it_is_known_by_name_artifact_and_image(world: World, names: dict[str, str]) -> None:
    candidacy = await accepted(world)
    verdict = await world.ask_gate(**names, use_case="retention")
    assert (verdict["allow"], verdict["candidacy"], verdict["model_version"]) == (True, candidacy["id"], URN)
    assert verdict["what_to_do"] == []


async def test_who_deploys_something_else_under_an_accepted_name_is_told_no(world: World) -> None:
    await accepted(world)
    verdict = await world.ask_gate(model_version=URN, artifact_digest="sha256:" + "00" * 32)
    assert verdict["allow"] is False
    assert "is not the one that was judged" in verdict["reasons"][0]
    assert verdict["what_to_do"] == [
        "Deploy the very artifact and image that were judged; or register what you have, and have that judged."
    ]
    both = await world.ask_gate(artifact_digest=DIGEST, image="registry/xgboost:latest")
    assert both["allow"] is False


async def test_an_artifact_that_nobody_registered_is_unknown(world: World) -> None:
    await accepted(world)
    for names in ({"artifact_digest": "sha256:" + "00" * 32}, {"image": "nobody/knows:1"}):
        verdict = await world.ask_gate(**names)
        assert verdict["allow"] is False
        assert "is not known" in verdict["reasons"][0]
        assert "Register it" in verdict["what_to_do"][0]


async def test_a_use_case_that_is_misspelled_is_said_to_be_unknown(world: World) -> None:
    await accepted(world)
    verdict = await world.ask_gate(model_version=URN, use_case="retenton")
    assert (verdict["allow"], verdict["reasons"][0]) == (False, "the use case retenton is not known")
    assert verdict["what_to_do"][0].startswith("Look at the key")
    await world.hears(a_use_case("marketing"))
    verdict = await world.ask_gate(model_version=URN, use_case="marketing")
    assert verdict["reasons"] == ["nobody has put this model version forward for the use case marketing"]


async def test_the_same_bytes_under_another_name_are_the_same_bytes(world: World) -> None:
    await accepted(world)
    await world.hears(a_packed_version(OTHER, version=8))
    assert (await world.ask_gate(artifact_digest=DIGEST))["model_version"] == URN
    assert (await world.ask_gate(model_version=OTHER, artifact_digest=DIGEST))["allow"] is False


async def test_an_image_that_serves_several_models_does_not_say_which(world: World) -> None:
    await accepted(world)
    await world.hears(a_packed_version(OTHER, version=8, digest="sha256:" + "00" * 32))
    verdict = await world.ask_gate(image=IMAGE)
    assert verdict["allow"] is False
    assert OTHER in verdict["reasons"][0]
    assert verdict["what_to_do"][0].startswith("Name the model version")
    await world.hears(*(a_packed_version(f"{URN}{n}", version=n) for n in range(30)))
    assert "more than 20" in (await world.ask_gate(image=IMAGE))["reasons"][0]


async def test_a_question_about_nothing_is_refused(world: World) -> None:
    answer = await world.ask("POST", "/v1/gate", json={"use_case": "retention"})
    assert answer.status_code == 422


async def test_a_no_says_what_to_do_in_every_state(world: World) -> None:
    async def what_to_do() -> str:
        verdict = await world.gate()
        assert verdict["allow"] is False
        return " ".join(verdict["what_to_do"])

    assert "puts it forward" in await what_to_do()
    candidacy = await world.put_forward(submit=False)
    assert f"/v1/candidacies/{candidacy['id']}/submit" in await what_to_do()
    await world.ask("POST", f"/v1/candidacies/{candidacy['id']}/submit", by="ada", role="data_scientist")
    assert "waits for" in await what_to_do()
    await world.decide((await world.tasks(candidacy["id"]))["legal"], "request_changes")
    assert "Somebody asked for changes" in await what_to_do()
    await world.ask("POST", f"/v1/candidacies/{candidacy['id']}/submit", by="ada", role="data_scientist")
    tasks = await world.tasks(candidacy["id"])
    await world.decide(tasks["legal"], "reject")
    assert "Read why" in await what_to_do()
    await world.ask("POST", f"/v1/candidacies/{candidacy['id']}/submit", by="ada", role="data_scientist")
    await world.approve_all(candidacy["id"])
    suspend = {"reason": "a complaint"}
    path = f"/v1/candidacies/{candidacy['id']}"
    assert (await world.ask("POST", f"{path}/suspend", role="risk", json=suspend)).status_code == 200
    assert "See to the reason" in await what_to_do()
    assert (await world.ask("POST", f"{path}/retire", role="risk", json=suspend)).status_code == 200
    assert "forward anew" in await what_to_do()


async def test_an_answer_is_signed_and_checked_without_asking(world: World) -> None:
    await accepted(world)
    named = {"model_version": URN, "use_case": "retention", "environment": "production"}
    signed = (await world.ask_gate(**named))["signed"]
    now = world.clock.now()
    claims = gate_answers.check(signed, KEYS, named, now)
    assert (claims["allow"], claims["candidacy"] is not None) == (True, True)
    with pytest.raises(NoPermission, match="not for staging"):
        gate_answers.check(signed, KEYS, {"environment": "staging"}, now)
    with pytest.raises(NoPermission, match="not for sha256"):
        gate_answers.check(signed, KEYS, {"artifact_digest": DIGEST}, now)
    with pytest.raises(NoPermission, match="too old"):
        gate_answers.check(signed, KEYS, named, now + timedelta(minutes=6))
    with pytest.raises(NoPermission, match="future"):
        gate_answers.check(signed, KEYS, named, now - timedelta(minutes=6))
    with pytest.raises(BadSignature):
        gate_answers.check(signed, trusted([json.dumps(Signer("22" * 32).jwks())]), named, now)
    head, body, signature = signed.split(".")
    with pytest.raises(BadSignature):
        gate_answers.check(f"{head}.{body[:-2]}AA.{signature}", KEYS, named, now)
    with pytest.raises(BadSignature, match="signed as"):
        gate_answers.check(SIGNER.sign("another-kind+jwt", claims), KEYS, named, now)
    keys = (await world.ask("GET", "/v1/gate/keys")).json()
    assert keys == SIGNER.jwks()


async def test_a_key_is_rotated_and_what_the_old_one_signed_is_still_checked_by_what_is_published(world: World) -> None:
    await accepted(world)
    named = {"model_version": URN, "use_case": "retention"}
    after = Signer("33" * 32)

    async def published() -> str:
        documents = [(await world.ask("GET", f"/v1/{path}/keys")).text for path in ("gate", "audit")]
        assert documents[0] == documents[1]
        return documents[0]

    # First what will sign is published, so that nobody who fetched the keys before meets a signature of an unknown one.
    world.app.state.signer = Signer("11" * 32, besides=json.dumps(after.jwks()))
    announced, old = await published(), (await world.ask_gate(**named))["signed"]
    world.app.state.signer = Signer("33" * 32, besides=json.dumps(SIGNER.jwks()))
    both, new = await published(), (await world.ask_gate(**named))["signed"]
    assert [key["kid"] for key in json.loads(announced)["keys"]] == [SIGNER.kid, after.kid]
    assert [key["kid"] for key in json.loads(both)["keys"]] == [after.kid, SIGNER.kid]
    for keys in (announced, both):
        for signed in (old, new):
            assert gate_answers.check(signed, trusted([keys]), named, world.clock.now())["allow"]
    assert gate_answers.check(new, trusted([json.dumps(after.jwks())]), named, world.clock.now())["allow"]
    with pytest.raises(BadSignature):
        gate_answers.check(new, KEYS, named, world.clock.now())
    # Once nothing is left that it signed, it goes.
    world.app.state.signer = after
    with pytest.raises(BadSignature):
        gate_answers.check(old, trusted([await published()]), named, world.clock.now())


def test_only_public_keys_are_published() -> None:
    private = OKPKey.generate_key("Ed25519").as_dict(private=True)
    for wrong in (json.dumps({"keys": [private]}), json.dumps({"keys": [{"kty": "RSA"}]}), "{}", "no JSON"):
        with pytest.raises(ValueError, match=r"not a JWKS|private"):
            Signer("11" * 32, besides=wrong)
        with pytest.raises(ValidationError) as refused:
            Settings(database_url="postgresql://nowhere/x", published_keys=wrong)
        assert str(private["d"]) not in str(refused.value)
    # As it is, whatever else the document says of it.
    [_, shown] = Signer("11" * 32, besides=json.dumps({"keys": [{**Signer("22" * 32).public, "kid": "x"}]})).jwks()[
        "keys"
    ]
    assert shown == Signer("22" * 32).public


async def test_a_signed_no_is_no_permission(world: World) -> None:
    signed = (await world.ask_gate(model_version=URN))["signed"]
    with pytest.raises(NoPermission, match="the gate said no: nobody has put"):
        gate_answers.check(signed, KEYS, {}, world.clock.now())


async def test_every_question_is_kept_with_its_answer(world: World) -> None:
    await world.hears(a_use_case("marketing"))
    await accepted(world)
    await world.ask_gate(model_version=URN, use_case="retention", environment="production")
    no = await world.ask_gate(model_version=URN, use_case="marketing", environment="staging")
    await world.ask_gate(artifact_digest="sha256:" + "00" * 32)
    page = (await world.ask("GET", "/v1/gate/questions", params={"limit": 2})).json()
    newest = page["items"]
    assert [(item["allow"], item["environment"]) for item in newest] == [(False, None), (False, "staging")]
    assert newest[1]["id"] == no["question"]
    assert (newest[1]["asked_by"], newest[1]["reasons"]) == ("ci", no["reasons"])
    rest = await world.ask("GET", "/v1/gate/questions", params={"limit": 2, "cursor": page["next_cursor"]})
    assert [item["environment"] for item in rest.json()["items"]] == ["production"]
    allowed = await world.ask("GET", "/v1/gate/questions", params={"allow": True, "model_version": URN})
    assert [item["use_case"] for item in allowed.json()["items"]] == ["retention"]


async def test_questions_are_let_go_after_ninety_days_and_not_before(world: World) -> None:
    await world.ask_gate(model_version=URN)

    async def forgotten() -> str:
        async with world.database.connection() as connection:
            status: str = await connection.execute(FORGET, Forgetting(world.database).oldest())
            return status

    world.clock.advance(KEPT_FOR)
    assert await forgotten() == "DELETE 0"
    world.clock.advance(timedelta(minutes=1))
    assert await forgotten() == "DELETE 1"


async def test_what_is_accepted_for_some_environments_is_allowed_in_no_other(world: World) -> None:
    text = """
name: staging
version: 1
applies_to: "true"
environments: [staging, sandbox]
stages: [{name: one, approvals: [{role: legal, due_in: P1D}]}]
valid_for: P30D
"""
    assert (await world.ask("POST", "/v1/policies", role="admin", json={"text": text})).status_code == 201
    candidacy = await world.put_forward()
    assert (await world.decide((await world.tasks(candidacy["id"]))["legal"])).status_code == 200
    stands = await world.candidacy(candidacy["id"])
    assert (stands["status"], stands["environments"]) == ("accepted", ["staging", "sandbox"])
    allowed = await world.ask_gate(model_version=URN, use_case="retention", environment="staging")
    assert (allowed["allow"], "in staging, sandbox until" in allowed["reasons"][0]) == (True, True)
    for environment in ("production", "Staging", None):
        named = {"environment": environment} if environment else {}
        denied = await world.ask_gate(model_version=URN, **named)
        assert denied["allow"] is False, environment
        assert "accepted for staging, sandbox alone" in denied["reasons"][0]
        assert "say so (`environment`)" in denied["what_to_do"][0]
    told = await world.told("assent.governance.candidacy.changed.v1")
    assert [event.data.get("environments") for event in told] == [None, None, ["staging", "sandbox"]]
    suspended = await world.ask("POST", f"/v1/candidacies/{candidacy['id']}/suspend", role="risk")
    assert suspended.json()["environments"] is None
    # As the release before leaves it.
    async with world.database.connection() as connection:
        await connection.execute("update candidacies set environments = '{staging}'")
    retired = await world.ask("POST", f"/v1/candidacies/{candidacy['id']}/retire", role="risk")
    assert (retired.status_code, retired.json()["environments"]) == (200, None)
