"""What people type, parsed."""

import pytest
from assent_catalog import search
from assent_catalog.model_versions.filters import MetricFilter, metric
from assent_common.http.problems import BadRequest
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("accuracy>=0.9", MetricFilter("accuracy", ">=", 0.9)),
        (" accuracy <= 1 ", MetricFilter("accuracy", "<=", 1.0)),
        ("f1>-1e-3", MetricFilter("f1", ">", -0.001)),
        ("weighted_precision<1", MetricFilter("weighted_precision", "<", 1.0)),
        ("train.loss=0", MetricFilter("train.loss", "=", 0.0)),
    ],
)
def test_a_comparison_is_read(text: str, parsed: MetricFilter) -> None:
    assert metric(text) == parsed


@pytest.mark.parametrize(
    "text", ["", "accuracy", ">=0.9", "accuracy>=", "accuracy>=nan", "accuracy>=1e999", "a>=1>=2", "a;b>=1", "a>=1--"]
)
def test_what_is_no_comparison_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        metric(text)
    assert [error.pointer for error in refused.value.errors] == ["?metric"]


@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_comparison_or_refused(text: str) -> None:
    try:
        parsed = metric(text)
    except BadRequest:
        return
    assert parsed.operator in (">=", "<=", "=", ">", "<")
    assert abs(parsed.value) < float("inf")


@given(st.text(max_size=60))
def test_nothing_of_the_query_language_gets_through(text: str) -> None:
    query = search.query(text)
    for word in query.split(" & ") if query else []:
        # A short number is looked for as it is, anything else by its beginning.
        assert word.endswith(":*") or (word.isdecimal() and len(word) <= 3)
        assert word.removesuffix(":*").isalnum()


@pytest.mark.parametrize(
    ("text", "query"),
    [("churn-xgb v2", "churn:* & xgb:* & v2:*"), ("Credit_Risk", "credit:* & risk:*"), ("--", None), (None, None)],
)
def test_each_word_is_looked_for_by_its_beginning(text: str | None, query: str | None) -> None:
    assert search.query(text) == query
