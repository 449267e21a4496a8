"""Which risk class the answers suggest, by Regulation (EU) 2024/1689, and why. A suggestion: a person decides.

The rules are asked in the law's order, and the first that applies speaks. Where it cannot be told yet, the open
questions are named. Not legal advice.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from assent_catalog.use_cases.facets import RiskClass, is_empty

Answers = Mapping[str, Any]
"""The facet `legal`."""


class Reason(BaseModel):
    """A rule that applies."""

    #: The article.
    rule: str
    because: str


class Suggestion(BaseModel):
    """What the answers come to."""

    #: Null while questions are open on which it depends.
    risk_class: RiskClass | None
    reasons: list[Reason]
    #: Fields of the facet `legal` that would tell.
    unanswered: list[str]


class _Rule(NamedTuple):
    rule: str
    #: The field that would tell.
    question: str
    risk_class: RiskClass
    applies: Callable[[Answers], bool]
    because: Callable[[Answers], str]


def _listed(field: str) -> Callable[[Answers], bool]:
    return lambda legal: not is_empty(legal.get(field))


def _joined(legal: Answers, field: str) -> str:
    return ", ".join(legal.get(field, ()))


def _is_exempt(legal: Answers) -> bool:
    """Article 6(3), which is void where persons are profiled: that has to be denied expressly."""
    return not is_empty(legal.get("article_6_3")) and legal.get("profiling") is False


_RULES: Sequence[_Rule] = (
    _Rule(
        "Article 5(1)",
        "article_5",
        RiskClass.PROHIBITED,
        _listed("article_5"),
        lambda legal: f"prohibited practices: {_joined(legal, 'article_5')}",
    ),
    _Rule(
        "Article 6(1)",
        "annex_i_product",
        RiskClass.HIGH,
        lambda legal: legal.get("annex_i_product") is True,
        lambda legal: "it is, or keeps safe, a product under Annex I",
    ),
    _Rule(
        "Article 6(2)",
        "annex_iii",
        RiskClass.HIGH,
        lambda legal: not is_empty(legal.get("annex_iii")) and not _is_exempt(legal),
        lambda legal: f"areas of Annex III: {_joined(legal, 'annex_iii')}",
    ),
    _Rule(
        "Article 50",
        "article_50",
        RiskClass.LIMITED,
        _listed("article_50"),
        lambda legal: f"transparency duties: {_joined(legal, 'article_50')}",
    ),
)


def suggest(legal: Answers) -> Suggestion:
    unanswered: list[str] = []
    for rule in _RULES:
        if rule.applies(legal):
            # A rule that was asked before it may still apply, and would be stricter.
            reasons = [Reason(rule=rule.rule, because=rule.because(legal))]
            if _is_exempt(legal) and rule.risk_class is RiskClass.LIMITED:
                reasons.append(_exempt(legal))
            return Suggestion(risk_class=rule.risk_class, reasons=reasons, unanswered=unanswered)
        if legal.get(rule.question) is None:
            unanswered.append(rule.question)
    if unanswered:
        return Suggestion(risk_class=None, reasons=[], unanswered=unanswered)
    exempt = [_exempt(legal)] if _is_exempt(legal) and not is_empty(legal.get("annex_iii")) else []
    nothing = Reason(rule="Article 95", because="no practice, product, area or duty that the law names applies")
    return Suggestion(risk_class=RiskClass.MINIMAL, reasons=[*exempt, nothing], unanswered=[])


def _exempt(legal: Answers) -> Reason:
    because = f"in an area of Annex III, but exempt by ({_joined(legal, 'article_6_3')}): document and register it"
    return Reason(rule="Article 6(3)", because=because)


def unexplained(legal: Answers) -> Suggestion | None:
    """The suggestion, if somebody decided otherwise and does not say why."""
    decided = legal.get("risk_class")
    suggestion = suggest(legal)
    if decided is None or suggestion.risk_class is None or decided == suggestion.risk_class:
        return None
    return suggestion if is_empty(legal.get("risk_class_reason")) else None
