"""How long somebody wants to be left alone."""

from datetime import UTC, datetime

import pytest
from assent_workflow.outgoing.outcome import of_answer, retry_after_s

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("9" * 400, 86_400.0),
        ("Wed, 25 Nov 2026 12:02:00 GMT", 120.0),
        ("Wednesday, 25-Nov-26 12:02:00 GMT", 120.0),
        ("Wed Nov 25 12:02:00 2026", 120.0),
        ("Wed, 25 Nov 2026 13:02:00 +0100", 120.0),
        ("Wed, 25 Nov 2026 11:58:00 GMT", 0.0),
        ("Sat, 25 Nov 2126 12:00:00 GMT", 86_400.0),
        *(
            (nonsense, 0.0)
            for nonsense in ("", "-5", "1e9", "soon", "Wed, 99 Nov 2026 12:00:00 GMT", "٣", "1" * 10 + "x")
        ),
        *((nonsense, 0.0) for nonsense in ("Wed, 25 Nov 99999999999999999999 12:00:00 GMT", "\x00", "inf", "NaN")),
    ],
)
def test_in_seconds_or_by_a_date_and_never_longer_than_a_day(text: str, seconds: float) -> None:
    assert retry_after_s(text, at=AT) == seconds


def test_only_a_2xx_is_taken() -> None:
    assert [of_answer(status, None, at=AT).taken for status in (200, 204, 299, 199, 300, 302, 410, 500)] == [
        *([True] * 3),
        *([False] * 5),
    ]
