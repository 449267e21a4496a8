"""The matrix T1-T20: where each line is tried, so that none is left out in silence."""

from typing import NamedTuple


class Tests(NamedTuple):
    """Tests of the suite that try a line of the matrix."""

    what: str
    tests: tuple[str, ...]


BY_TESTS = {
    "T7": Tests("duplicates and any order", ("tests/catalog/test_projection.py",)),
    "T10": Tests("reports that S3 does not give", ("tests/connector/test_reports.py",)),
    "T16": Tests(
        "migrations up, down and up",
        ("tests/catalog/test_migrations.py", "tests/workflow/test_migrations.py", "tests/connector/test_migrations.py"),
    ),
    "T19": Tests("two deciders at once", ("tests/workflow/test_at_once.py",)),
}

#: What `make prove-long` runs beside them, each with so many stories.
IN_FULL = Tests(
    "random lives, and every order of two who act at once",
    (
        "tests/workflow/test_whatever_happens.py",
        "tests/workflow/test_every_order.py",
        "tests/workflow/test_every_order_of_steps.py",
    ),
)
STORIES = 100
