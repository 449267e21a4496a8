"""Which risk class the answers suggest, and when it is too early to say."""

from typing import Any

import pytest
from assent_catalog.use_cases.facets import RiskClass
from assent_catalog.use_cases.risk import suggest, unexplained
from hypothesis import given
from hypothesis import strategies as st

DENIED: dict[str, Any] = {"article_5": [], "annex_i_product": False, "annex_iii": [], "article_50": []}


@pytest.mark.parametrize(
    ("answers", "risk_class", "rule"),
    [
        ({}, RiskClass.MINIMAL, "Article 95"),
        ({"article_5": ["c"]}, RiskClass.PROHIBITED, "Article 5(1)"),
        ({"annex_i_product": True}, RiskClass.HIGH, "Article 6(1)"),
        ({"annex_iii": ["5(b)"]}, RiskClass.HIGH, "Article 6(2)"),
        ({"article_50": ["1"]}, RiskClass.LIMITED, "Article 50"),
        ({"annex_iii": ["4(a)"], "article_6_3": ["a"], "profiling": False}, RiskClass.MINIMAL, "Article 6(3)"),
        ({"annex_iii": ["4(a)"], "article_6_3": ["a"], "profiling": True}, RiskClass.HIGH, "Article 6(2)"),
        ({"annex_iii": ["4(a)"], "article_6_3": ["a"]}, RiskClass.HIGH, "Article 6(2)"),
        ({"article_5": ["f"], "annex_iii": ["4(a)"]}, RiskClass.PROHIBITED, "Article 5(1)"),
    ],
)
def test_the_strictest_rule_that_applies_speaks(answers: dict[str, Any], risk_class: RiskClass, rule: str) -> None:
    suggestion = suggest({**DENIED, **answers})
    assert suggestion.risk_class is risk_class
    assert suggestion.reasons[0].rule == rule
    assert suggestion.unanswered == []


@pytest.mark.parametrize("question", DENIED)
def test_nothing_is_minimal_before_every_question_is_answered(question: str) -> None:
    suggestion = suggest({name: answer for name, answer in DENIED.items() if name != question})
    assert (suggestion.risk_class, suggestion.unanswered) == (None, [question])


def test_what_may_still_be_stricter_is_said() -> None:
    suggestion = suggest({"annex_iii": ["1(a)"]})
    assert suggestion.risk_class is RiskClass.HIGH
    assert suggestion.unanswered == ["article_5", "annex_i_product"]


def test_another_class_needs_a_reason_and_the_same_does_not() -> None:
    high = {**DENIED, "annex_iii": ["5(b)"]}
    assert unexplained({**high, "risk_class": "high"}) is None
    assert unexplained({**high, "risk_class": "minimal", "risk_class_reason": "   "}) is not None
    assert unexplained({**high, "risk_class": "minimal", "risk_class_reason": "counsel's opinion of May"}) is None
    assert unexplained({"risk_class": "minimal"}) is None, "as long as nothing is suggested, nothing is overridden"


_LISTS = st.none() | st.lists(st.sampled_from(["a", "5(b)", "1"]), max_size=2)
_FLAGS = st.none() | st.booleans()


@given(
    st.fixed_dictionaries(
        {
            **dict.fromkeys(("article_5", "annex_iii", "article_50", "article_6_3"), _LISTS),
            **dict.fromkeys(("annex_i_product", "profiling"), _FLAGS),
        }
    )
)
def test_another_answer_never_makes_a_practice_less_prohibited(answers: dict[str, Any]) -> None:
    """Whatever else is said: a prohibited practice is prohibited, and a class is never given without its reason."""
    suggestion = suggest(answers)
    assert (suggestion.risk_class is RiskClass.PROHIBITED) is bool(answers["article_5"])
    assert (suggestion.risk_class is None) is (suggestion.reasons == [])
    assert suggestion.risk_class is not None or suggestion.unanswered
