"""An auditor's export, checked as the page shows it: with a shell and sha256sum."""

import json
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from assent_common import audit
from assent_common.leases import Lease

from tests.docs import snippets
from tests.workflow.world import World, a_use_case, a_version, a_world

PAGE = "docs/how-to/check-an-audit-export.md"
Lines = list[str]


@pytest.fixture
async def exported(database_url: str) -> AsyncIterator[tuple[Lines, dict[str, Any]]]:
    """The log of an acceptance, and the checkpoint beside it."""
    async with a_world(database_url) as world:
        await world.hears(a_use_case(), a_version())
        await world.approve_all((await world.put_forward())["id"])
        lines = await _exported(world)
        yield lines, (await world.ask("GET", "/v1/audit/checkpoint")).json()


@pytest.fixture
def lines(exported: tuple[Lines, dict[str, Any]]) -> Lines:
    return exported[0]


async def _exported(world: World) -> Lines:
    async with world.database.connection() as connection:
        fences = await Lease("audit-sealer").claim(connection)
        await audit.seal(connection, fences[0])
    answer = await world.ask("GET", "/v1/audit/export")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/jsonl"
    lines = answer.text.split("\n")
    assert lines.pop() == ""
    assert len(lines) == 8
    return lines


def check(folder: Path, lines: Lines) -> tuple[int, str]:
    (folder / "check.sh").write_text(snippets.one(PAGE, "bash", "# check.sh FILE"))
    (folder / "audit.jsonl").write_text("".join(line + "\n" for line in lines))
    done = subprocess.run(["bash", "check.sh", "audit.jsonl"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_an_export_holds_up_to_its_last_record(lines: Lines, tmp_path: Path) -> None:
    code, said = check(tmp_path, lines)
    assert code == 0
    assert said.startswith(f"{len(lines)} records, up to sha256:")


def test_a_cut_at_the_end_is_found_by_what_the_checkpoint_says_with_the_hash_tool_alone(
    exported: tuple[Lines, dict[str, Any]], tmp_path: Path
) -> None:
    lines, checkpoint = exported
    expected = f"{checkpoint['size']} records, up to {checkpoint['head']}\n"
    assert check(tmp_path, lines) == (0, expected)
    # Each of the two shorter ones holds in itself.
    for cut in (lines[:-1], lines[:1]):
        code, said = check(tmp_path, cut)
        assert (code, said != expected, said.startswith(f"{len(cut)} records")) == (0, True, True)


TAMPERING: dict[str, Callable[[Lines], Lines]] = {
    "an edit": lambda lines: [*lines[:3], lines[3].replace("approve", "reject"), *lines[4:]],
    "a deletion": lambda lines: [*lines[:3], *lines[4:]],
    "another order": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    "an insertion": lambda lines: [*lines[:4], *lines[3:]],
}


@pytest.mark.parametrize("how", TAMPERING)
def test_what_was_done_to_it_is_found_and_the_line_named(lines: Lines, tmp_path: Path, how: str) -> None:
    code, said = check(tmp_path, TAMPERING[how](lines))
    assert code == 1
    assert "line 4 does not follow" in said or "line 5 does not follow line 4" in said


def test_who_decided_what_on_which_content_under_which_policy_with_which_evidence(lines: Lines) -> None:
    records = [json.loads(line) for line in lines]
    [submitted] = [record for record in records if record["action"] == "candidacy.submitted"]
    assert submitted["details"]["content"]["metrics"] == {"accuracy": 0.91}
    decisions = [record for record in records if record["action"] == "task.approved"]
    assert len(decisions) == 5
    for decision in decisions:
        assert decision["actor"] == decision["details"]["role"]
        assert decision["details"]["policy"] == submitted["details"]["policy"] == "default@1"
        assert decision["details"]["content_hash"] == submitted["details"]["content_hash"]
        assert [check["passed"] for check in decision["details"]["checks"]]


def test_the_decisions_are_read_as_the_page_reads_them(lines: Lines, tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_text("".join(line + "\n" for line in lines))
    done = subprocess.run(
        ["bash", "-c", snippets.one(PAGE, "bash", "jq -r")], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 5
    assert "legal\tlegal\tapprove" in done.stdout
