"""`assent audit verify --export`: a file held against itself and its checkpoint."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from assent_common.audit import GENESIS, Head, checkpoints, line
from assent_common.signing import Signer
from assent_local.cli import app
from typer.testing import CliRunner

SIGNER = Signer("11" * 32)
AT = datetime(2026, 11, 1, tzinfo=UTC)
COUNT = 5


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A file of five records, its checkpoint and the keys."""
    previous, lines = GENESIS, []
    for seq in range(1, COUNT + 1):
        row = {"seq": seq, "previous": previous, "id": seq, "at": AT, "actor": "ada", "action": "decided"}
        lines.append(line({**row, "subject": f"task-{seq}", "details": {}, "correlation_id": "c"}))
        previous = "sha256:" + hashlib.sha256(lines[-1]).hexdigest()
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join(each + b"\n" for each in lines))
    signed = checkpoints.signed(SIGNER, "workflow", Head(COUNT, previous), AT)
    (tmp_path / "checkpoint.json").write_text(signed.model_dump_json())
    (tmp_path / "keys.json").write_text(json.dumps(SIGNER.jwks()))
    return file


def verify(export: Path) -> tuple[int, str]:
    beside = ["--checkpoint", str(export.parent / "checkpoint.json"), "--keys", str(export.parent / "keys.json")]
    result = CliRunner().invoke(app, ["audit", "verify", "--export", str(export), *beside])
    return result.exit_code, result.output


def test_an_export_holds_against_its_checkpoint(export: Path) -> None:
    code, said = verify(export)
    assert code == 0
    assert "all hold of 5 audit records; held against 1 checkpoints" in said


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("edit", "audit record 3 (id 3): does not follow"),
        ("cut", "audit record 5: was cut off"),
        ("edit the last", "audit record 5 (id 5): is not the one that stood here"),
        ("rubbish", "audit record 2: is no record that can be read"),
    ],
)
def test_what_was_done_to_it_is_named(export: Path, how: str, expected: str) -> None:
    lines = export.read_text().splitlines()
    match how:
        case "edit":
            lines[1] = lines[1].replace("ada", "eve")
        case "cut":
            del lines[3:]
        case "edit the last":
            lines[-1] = lines[-1].replace("ada", "eve")
        case _:
            lines[1] = "rubbish"
    export.write_text("\n".join(lines) + "\n")
    code, said = verify(export)
    assert code == 1
    assert expected in said


def test_a_checkpoint_of_somebody_else_is_none(export: Path) -> None:
    (export.parent / "keys.json").write_text(json.dumps(Signer("22" * 32).jwks()))
    code, said = verify(export)
    assert code == 1
    assert "the checkpoint is not signed by a key that is trusted" in said
