"""Counting finds what never arrived."""

import pytest
from assent_common.census import Count, Held, lacking

THERE: Held = {("eu", "model"): Count(3, 10), ("us", "model"): Count(1, 1), ("eu", "model_version"): Count(5, 50)}


@pytest.mark.parametrize(
    ("here", "lacks"),
    [
        (THERE, set()),
        ({}, {"eu", "us"}),
        ({**THERE, ("eu", "model"): Count(2, 10)}, {"eu"}),
        ({**THERE, ("eu", "model"): Count(4, 11)}, {"eu"}),
        ({**THERE, ("eu", "model_version"): Count(5, 49)}, {"eu"}),
        ({**THERE, ("eu", "model_version"): Count(5, 51)}, set()),
        ({**THERE, ("ap", "model"): Count(9, 9)}, set()),
    ],
    ids=["all", "nothing", "too few", "too many", "an old one", "newer ones", "a source that said nothing yet"],
)
def test_a_source_is_lacking_when_the_counts_say_so(here: Held, lacks: set[str]) -> None:
    assert lacking(THERE, here) == lacks
