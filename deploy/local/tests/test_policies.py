"""A policy is checked before it is sent, and its mistakes are named with their place."""

import json
from pathlib import Path

import pytest
from assent_local.cli import app
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

SHIPPED = Path(__file__).parents[2] / "policies"
WRONG = """\
name: mine
version: 1
stages:
  - name: all
    approvals:
      - {role: emperor, due_in: P5D}
valid_for: P365D
"""
NOT_COMPILING = WRONG.replace("emperor", "legal") + "checks:\n  - {name: c, description: d, expression: 'version.('}\n"


def test_what_is_shipped_is_sound() -> None:
    files = sorted(map(str, SHIPPED.glob("*.yaml")))
    assert len(files) == 5
    result = CliRunner().invoke(app, ["policy", "check", *files])
    assert (result.exit_code, len(result.output.splitlines())) == (0, 5)


@pytest.mark.parametrize(
    ("text", "place"), [(WRONG, "6:16"), (NOT_COMPILING, "9:43"), ("name: [", "1:8"), ("name: mine\n", "1:1")]
)
def test_a_mistake_is_named_with_its_line_and_column(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    result = CliRunner().invoke(app, ["policy", "check", str(file)])
    assert result.exit_code == 1
    assert f"{file}:{place}: " in result.output


def test_two_policies_are_compared_in_words(tmp_path: Path) -> None:
    before, after = tmp_path / "before.yaml", tmp_path / "after.yaml"
    before.write_text(WRONG.replace("emperor", "legal"))
    after.write_text(WRONG.replace("emperor", "legal").replace("P5D", "P9D"))
    result = CliRunner().invoke(app, ["policy", "diff", str(before), str(after)])
    assert (result.exit_code, result.output) == (0, "the stage all, legal: due_in is 9 days; before, 5 days\n")
    assert CliRunner().invoke(app, ["policy", "diff", str(before), str(before)]).output == "no difference\n"
    after.write_text(WRONG)
    result = CliRunner().invoke(app, ["policy", "diff", str(before), str(after)])
    assert (result.exit_code, f"{after}:6:16: " in result.output) == (1, True)


def test_the_schema_for_editors_is_one() -> None:
    result = CliRunner().invoke(app, ["policy", "schema"])
    Draft202012Validator.check_schema(json.loads(result.output))
