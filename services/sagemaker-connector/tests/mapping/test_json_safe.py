import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from assent_sagemaker.mapping.safe import MAX_DEPTH, TooDeep, json_safe
from hypothesis import given
from hypothesis import strategies as st


def test_each_kind_of_value_has_its_form() -> None:
    document = {
        "at": datetime(2026, 3, 1, 10, 0, 0, 5, tzinfo=timezone(timedelta(hours=1))),
        "body": b"\x00\xff",
        "set": {"b", "a"},
        "nan": float("nan"),
        "big": 2**60,
        "tex\x00t": "a\ud800b\x00c",
    }
    assert json_safe(document) == {
        "at": "2026-03-01T09:00:00.000005Z",
        "body": "AP8=",
        "set": ["a", "b"],
        "nan": None,
        "big": str(2**60),
        "text": "abc",
    }


def test_too_deep_and_timeless_are_refused() -> None:
    deep: object = 1
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(TooDeep):
        json_safe(deep)
    with pytest.raises(ValueError, match="no time zone"):
        json_safe(datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None))


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.binary()
        | st.datetimes(timezones=st.just(UTC)),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_the_result_is_json_that_everybody_takes(value: object) -> None:
    text = json.dumps(json_safe(value), allow_nan=False, ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text
