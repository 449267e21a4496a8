"""What to begin with."""

import pytest
from assent_catalog.use_cases.facets import RiskClass
from assent_catalog.use_cases.model import completeness
from assent_catalog.use_cases.risk import suggest
from assent_catalog.use_cases.templates import TEMPLATES


def test_the_usual_kinds_are_there() -> None:
    assert {"credit-scoring", "cv-screening", "churn", "chatbot", "fraud", "forecasting"} <= set(TEMPLATES)


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_no_template_answers_for_anybody(name: str) -> None:
    facets = TEMPLATES[name].facets.document()
    assert not any(state.complete for state in completeness(facets, has_models=False).values())
    assert "risk_class" not in facets["legal"]
    assert TEMPLATES[name].questions


def test_what_the_law_says_of_a_kind_is_filled_in() -> None:
    assert suggest(TEMPLATES["credit-scoring"].facets.document()["legal"]).risk_class is RiskClass.HIGH
    assert suggest(TEMPLATES["chatbot"].facets.document()["legal"]).risk_class is RiskClass.LIMITED
