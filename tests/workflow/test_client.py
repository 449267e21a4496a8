"""The workflow from Python and from the command line, on the real service and a real database."""

import io
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from assent_client import Conflict, Connection, Refused, Workflow, workflow
from assent_common.identity.roles import Principal, Role
from assent_local import answers, reviewing
from assent_local.exits import Exit
from assent_workflow import main
from rich.console import Console

from tests.support.served import served
from tests.workflow.one_look import one_look
from tests.workflow.test_external_checks import answering, asking, governed
from tests.workflow.world import World


def token(world: World, by: str, role: str) -> str:
    world.persons[f"{by}:{role}"] = Principal("https://issuer", by, frozenset({Role(role)}), by)
    return f"{by}:{role}"


def as_(world: World, by: str, role: str) -> Workflow:
    return Workflow(Connection(world.http, "http://workflow", token=token(world, by, role)))


def test_every_operation_of_the_service_is_a_method() -> None:
    operations = {
        operation["operationId"]
        for path, item in main.described()["paths"].items()
        if not path.startswith(("/health", "/metrics"))
        for operation in item.values()
    }
    assert len(operations) > 60
    assert operations <= {name for name in dir(Workflow) if not name.startswith("_")}


async def test_a_review_is_asked_about_backed_and_decided(world: World) -> None:
    candidacy = await world.put_forward(by="ada")
    lucia, ada = as_(world, "lucia", "legal"), as_(world, "ada", "data_scientist")
    [task] = [task async for task in lucia.each_tasks(candidacy=candidacy["id"], role="legal")]
    review = task["review"]
    asked = await lucia.create_comment(review, {"body": "Why?"}, idempotency_key="once")
    again = await lucia.create_comment(review, {"body": "Why?"}, idempotency_key="once")
    assert (asked.status, again.body) == (201, asked.body)
    dpia = reviewing.evidence("s3://dpia.pdf", file=None, sha256="0" * 64, name=None, media_type=None, note=None)
    assert (dpia["name"], dpia["media_type"]) == ("dpia.pdf", "application/pdf")
    await ada.attach_evidence(review, dpia)
    read = (await lucia.get_review(review)).body
    assert [each["attached_by"] for each in read["evidence"]] == ["ada"]
    assert [each["body"] async for each in ada.each_comments(review)] == ["Why?"]
    decided = await lucia.decide_task(task["id"], {"verdict": "approve", "comment": "Thanks."})
    assert decided.body["status"] == "approved"
    with pytest.raises(Conflict):
        await lucia.decide_task(task["id"], {"verdict": "approve"})
    with pytest.raises(Refused) as refused:
        await lucia.create_comment(review, {"body": ""})
    assert (refused.value.status, refused.value.errors[0]["pointer"]) == (422, "/body")
    ends_at = (world.clock.now() + timedelta(days=1)).isoformat()
    given = await lucia.create_delegation(
        {"role": "legal", "substitute": "rita", "ends_at": ends_at, "reason": "on leave"}
    )
    revoked = await lucia.revoke_delegation(given.body["id"])
    assert (revoked.status, revoked.body) == (204, None)


class Terminal:
    """What `assent review` does, and prints."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._out, self._err = io.StringIO(), io.StringIO()
        self.out, self.err = Console(file=self._out, width=300), Console(file=self._err, width=300)

    async def ask(self, bearer: str, ask: Callable[[Workflow], Awaitable[None]]) -> tuple[Exit, str]:
        code = await answers.asked_of(self.err, "workflow", workflow(self._url, token=bearer), ask)
        said = self._out.getvalue() + self._err.getvalue()
        for each in (self._out, self._err):
            each.truncate(0)
            each.seek(0)
        return code, said


async def test_the_command_line_says_attaches_shows_and_asks_again(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "report.json"
    file.write_bytes(b"{}")
    digest = sha256(b"{}").hexdigest()
    async with governed(world) as receiver, served(world.app) as url:
        receiver.answers = [answering({"passed": False, "reason": "no report"})]
        review = (await world.put_forward(by="ada"))["review"]
        await one_look(asking(world, "127.0.0.0/8").run)
        terminal, ada = Terminal(url), token(world, "ada", "data_scientist")
        out = terminal.out

        code, said = await terminal.ask(
            ada, lambda client: reviewing.comment(out, client, review, "It is [there] now.", task=None, as_json=False)
        )
        assert (code, said.startswith("said, as ")) == (Exit.OK, True)
        given = reviewing.evidence("s3://r/report.json", file=file, sha256=None, name=None, media_type=None, note=None)
        code, said = await terminal.ask(ada, lambda client: reviewing.attach(out, client, review, given, as_json=False))
        assert (code, said.strip().endswith(f"with sha256 {digest}")) == (Exit.OK, True)
        _, said = await terminal.ask(ada, lambda client: reviewing.show_comments(out, client, review, as_json=False))
        assert said.strip().endswith("ada: It is [there] now.")
        _, said = await terminal.ask(ada, lambda client: reviewing.show_evidence(out, client, review, as_json=False))
        assert f"ada: report.json s3://r/report.json sha256:{digest}" in said
        code, said = await terminal.ask(
            ada, lambda client: reviewing.ask_again(out, client, review, "fair", as_json=False)
        )
        assert (code, said.strip()) == (Exit.OK, "fair is asked again")
        await terminal.ask(ada, lambda client: reviewing.show_comments(out, client, review, as_json=True))
        assert json.loads(capsys.readouterr().out)["body"] == "It is [there] now."

        code, said = await terminal.ask(
            token(world, "sven", "security"),
            lambda client: reviewing.comment(out, client, review, "Hm.", task=None, as_json=False),
        )
        assert (code, "403" in said) == (Exit.NOT_ALLOWED, True)
        code, said = await terminal.ask(
            ada, lambda client: reviewing.ask_again(out, client, review, "other", as_json=False)
        )
        assert (code, "'other'" in said) == (Exit.FAILED, True)
    code, said = await Terminal("http://127.0.0.1:1").ask(
        ada, lambda client: reviewing.show_comments(out, client, review, as_json=False)
    )
    assert (code, "does not answer" in said) == (Exit.UNAVAILABLE, True)
