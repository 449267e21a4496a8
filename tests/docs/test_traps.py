"""What is said to be tried is tried by a test that is there."""

import re

import pytest

from tests.docs.snippets import REPOSITORY

FOLDERS = {"C": "tests/connector", "S": "services/sagemaker-connector/tests", "W": "tests/workflow"}
PAGE = (REPOSITORY / "docs/reference/sagemaker-traps.md").read_text()
ROWS = re.findall(r"^\| (?!trap |---)(.+?) \| (.+) \|$", PAGE, re.MULTILINE)


def test_the_table_is_read_whole() -> None:
    assert len(ROWS) == PAGE.count("\n| ") - 2 > 30


@pytest.mark.parametrize(("trap", "tests"), ROWS, ids=[row[0] for row in ROWS])
def test_each_trap_has_a_test(trap: str, tests: str) -> None:
    named = re.findall(r"`([CSW])/([^`:]+)::(test_\w+)`", tests)
    assert named, trap
    for folder, file, test in named:
        assert f"def {test}(" in (REPOSITORY / FOLDERS[folder] / file).read_text(), f"{file}::{test}"
