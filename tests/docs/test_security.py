"""What is claimed of security names code and tests that are there."""

import re
from pathlib import Path

import pytest

from tests.docs.snippets import REPOSITORY

PAGE = REPOSITORY / "docs/security/asvs.md"
ROW = re.compile(r"^\| (\d[\d.]*(?: \(all\))?) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)
ROWS = ROW.findall(PAGE.read_text())
STANDINGS = ("met", "partly", "**not met**", "yours")


def test_the_table_is_read_whole() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if re.match(r"\| \d", line)]
    assert len(ROWS) == len(lines) >= 90
    numbers = [row[0] for row in ROWS]
    assert len(set(numbers)) == len(numbers)


def test_it_counts_itself_right() -> None:
    standing = [row[1] for row in ROWS]
    assert set(standing) == set(STANDINGS)
    met, partly, missed, yours = (standing.count(each) for each in STANDINGS)
    told = f"Of {len(ROWS)} rows {met} are met, {partly} partly, {missed} not, and {yours} are yours."
    assert told in PAGE.read_text()


@pytest.mark.parametrize(("number", "standing", "how", "code", "tests"), ROWS, ids=[row[0] for row in ROWS])
def test_a_requirement_names_what_is_there(number: str, standing: str, how: str, code: str, tests: str) -> None:
    assert how
    files = re.findall(r"`([^`]+)`", code)
    assert [file for file in files if not (REPOSITORY / file).exists()] == []
    named = re.findall(r"`([^`:]+)::(test_\w+)`", tests)
    for file, test in named:
        assert f"def {test}(" in (REPOSITORY / file).read_text(), f"{number}: {file}::{test}"
    if standing == "met":
        assert files, f"{number} is met by nothing"


def test_what_is_not_met_is_said_in_the_threat_model_too() -> None:
    text = (PAGE.parent / "threat-model.md").read_text()
    for each in ("Spoofing", "Tampering", "Repudiation", "Information disclosure", "Denial of service", "Elevation"):
        assert f"\n## {each}" in text
    assert len(re.findall(r"^\d+\. ", text.split("## Not defended")[1], re.MULTILINE)) >= 8


def test_settings_that_the_pages_name_are_settings() -> None:
    known = (REPOSITORY / "docs/reference/settings.md").read_text()
    pages = [*Path(PAGE.parent).glob("*.md"), *(REPOSITORY / "docs/runbooks").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"`(ASSENT_[A-Z_]+)`", page.read_text())}
    assert len(named) >= 5
    assert {name for name in named if f"`{name}`" not in known} == set()
