"""What the documentation shows can be typed as it stands."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from assent_sagemaker import sources
from assent_workflow.policies.parse import parse

from tests.docs import snippets
from tests.docs.snippets import REPOSITORY, Snippet

LINK = re.compile(r"\]\((?!https?://)([^)#]+)")


def _named(snippet: Snippet) -> str:
    return f"{snippet.page}: {snippet.text.splitlines()[0][:40]}"


@pytest.mark.parametrize("snippet", snippets.all_of("bash"), ids=_named)
def test_shell_is_shell(snippet: Snippet) -> None:
    checked = subprocess.run(["bash", "-n"], input=snippet.text, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("snippet", snippets.all_of("python"), ids=_named)
def test_python_is_python(snippet: Snippet) -> None:
    assert ast.parse(snippet.text).body


@pytest.mark.parametrize("snippet", snippets.all_of("yaml"), ids=_named)
def test_yaml_is_yaml(snippet: Snippet) -> None:
    assert isinstance(yaml.safe_load(snippet.text), dict)


@pytest.mark.parametrize("snippet", snippets.all_of("json"), ids=_named)
def test_json_is_json(snippet: Snippet) -> None:
    assert json.loads(snippet.text)


def test_none_of_these_was_looked_for_in_vain() -> None:
    assert {language: len(snippets.all_of(language)) >= 2 for language in ("bash", "python", "yaml", "json")} == {
        "bash": True,
        "python": True,
        "yaml": True,
        "json": True,
    }


@pytest.mark.parametrize("page", snippets.pages(), ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize(
    ("schema", "first_line"),
    [("vendor.github-workflows", "# .github/workflows/deploy.yml"), ("vendor.gitlab-ci", "# .gitlab-ci.yml")],
)
def test_pipelines_are_what_their_runner_takes(schema: str, first_line: str, tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yml"
    file.write_text(snippets.one("docs/how-to/ask-the-gate-from-ci.md", "yaml", first_line))
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_the_file_of_sources_is_one() -> None:
    shown = yaml.safe_load(snippets.one("docs/how-to/connect-aws.md", "yaml", "# sources.yaml"))
    (source,) = sources.parse(shown, name="sources.yaml")
    assert source.wants("customer-churn")
    assert not source.wants("sandbox-of-ada")


def test_the_policy_is_one() -> None:
    assert parse(snippets.one("docs/how-to/write-a-policy.md", "yaml", "# policy.yaml")).ref == "credit@1"


def test_what_is_deployed_is_there() -> None:
    files = {
        found
        for snippet in snippets.all_of("bash")
        for found in re.findall(r"--template-file (\S+)|(deploy/\S+\.sh)", snippet.text)
    }
    named = {name for pair in files for name in pair if name}
    assert len(named) >= 2
    assert [name for name in named if not (REPOSITORY / name).exists()] == []
