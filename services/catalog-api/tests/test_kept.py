"""Items are kept as they were written of one state of a version."""

from assent_catalog.model_versions.kept import LONGEST, Kept, State
from assent_common import ids

ONE = State(ids.of_urn("one"), 700, 1)
OTHER = State(ids.of_urn("other"), 700, 1)


def test_another_state_is_not_answered_with_what_was_written_of_the_one_before() -> None:
    kept = Kept()
    kept.put(ONE, "{}")
    assert kept.get(ONE) == "{}"
    assert kept.get(ONE._replace(changed_sequence=2)) is None
    # The table was filled anew: the same number of another row.
    assert kept.get(ONE._replace(xmin=701)) is None
    assert kept.get(OTHER) is None


def test_the_oldest_goes_where_there_is_no_more_room() -> None:
    kept = Kept(most_characters=10)
    kept.put(ONE, "12345")
    kept.put(ONE, "12345")
    kept.put(OTHER, "12345")
    assert (kept.get(ONE), kept.get(OTHER)) == ("12345", "12345")
    kept.put(OTHER._replace(xmin=701), "1")
    assert (kept.get(ONE), kept.get(OTHER)) == (None, "12345")


def test_what_is_very_long_takes_nobodys_room() -> None:
    kept = Kept()
    kept.put(ONE, "x" * (LONGEST + 1))
    assert kept.get(ONE) is None
