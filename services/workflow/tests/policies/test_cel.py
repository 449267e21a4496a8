"""Our expressions: what passes, what does not, what cannot be told, and what is not let in."""

from typing import Any

import pytest
from assent_workflow.policies import cel

FACTS: dict[str, Any] = {
    "use_case": {
        "key": "retention",
        "stage": "development",
        "legal": {"risk_class": "limited", "personal_data": True, "annex": None},
        "missing": [],
        "people": ["bea", "stefan"],
    },
    "model": {"name": "churn"},
    "version": {
        "metrics": {"accuracy": 1, "precision": 0.87, "zero": 0.0, "nan": float("nan"), "inf": float("inf")},
        "source_status": "Completed",
        "description": "it's a `test`\n\x00",
        "version": 7,
        "created_at": "2026-11-01T00:00:00Z",
        "tags": {"team": "growth"},
        "huge": 10**30,
        "many": list(range(20_000)),
    },
}

TRUE = [
    "true",
    "version.metrics.accuracy >= 0.8",
    "version.metrics.accuracy >= 1",
    "version.metrics.accuracy == 1.0",
    "version.metrics['precision'] > 0.8",
    "version.metrics.zero >= 0.0",
    "version.metrics.zero == 0",
    "0.8 <= version.metrics.precision && version.metrics.precision <= 0.9",
    "version.metrics.precision > version.metrics.zero",
    "has(version.metrics.accuracy)",
    "!has(version.metrics.recall)",
    "!has(version.metrics.recall) || version.metrics.recall > 0.5",
    "version.source_status == 'Completed'",
    "version.source_status in ['Completed', 'InProgress']",
    "version.source_status.startsWith('Comp')",
    "version.source_status.matches('^C[a-z]+$')",
    "version.version == 7",
    "version.version > 6.5",
    "version.tags.team == 'growth'",
    "'team' in version.tags",
    "use_case.legal.risk_class != 'prohibited'",
    "use_case.legal.personal_data",
    "use_case.legal.annex == null",
    "use_case.missing == []",
    "size(use_case.missing) == 0",
    "use_case.people.exists(person, person == 'bea')",
    "use_case.people.all(person, size(person) > 2)",
    "use_case.people.map(person, size(person)) == [3, 6]",
    "timestamp(version.created_at) < timestamp('2026-12-01T00:00:00Z')",
    "version.huge > 1.0",
    "model.name == 'churn' && use_case.key == 'retention'",
    "version.metrics.recall > 0.5 || true",
    "version.description.size() > 0",
]
FALSE = [
    "false",
    "version.metrics.precision >= 0.9",
    "version.metrics.zero > 0.0",
    "version.source_status == 'completed'",
    "use_case.legal.risk_class == 'high'",
    "has(version.metrics.nan)",
    "has(version.metrics.inf)",
    "double('nan') >= 0.8",
    "version.metrics.recall > 0.5 && false",
    "use_case.stage in []",
]
#: Expression → words of the reason.
UNTOLD = {
    "version.metrics.recall >= 0.8": "recall is not known",
    "!(version.metrics.recall < 0.8)": "recall is not known",
    "version.metrics['recall'] >= 0.8": "recall is not known",
    "version.metrics.nan >= 0.8": "nan is not known",
    "version.metrics.inf >= 0.8": "inf is not known",
    "version.quality.accuracy > 1": "quality is not known",
    "version.metrics.accuracy >= 'high'": "No matching overloads",
    "use_case.legal.annex >= 1": "No matching overloads",
    "version.source_status": "",
    "dyn('true')": "",
    "dyn(1)": "",
    "1 / 0 == 1": "divide by zero",
    "version.source_status.matches('(')": "regular expression",
    "version.many.exists(n, n == 19999)": "budget exceeded",
    "version.many.all(a, version.many.all(b, version.many.all(c, a + b + c >= 0)))": "budget exceeded",
    "timestamp('yesterday') < timestamp('2026-01-01T00:00:00Z')": "",
}
#: Expression → words of the refusal.
REFUSED = {
    "": "Syntax error",
    "(": "Syntax error",
    "accuracy >= 0.8": "undeclared reference to 'accuracy'",
    "__import__('os').system('id')": "undeclared reference",
    "'a' >= 0.8": "no matching overload",
    "'true'": "gives STRING",
    "1": "gives INT",
    "[true]": "gives LIST",
    "null": "gives NULL",
    "(" * 40 + "true" + ")" * 40: "recursion limit",
    "[" * 60 + "]" * 60: "recursion limit",
    "true" + " && true" * 600: "longer than 4000",
    "['x']" + ".map(a, a + a)" * 28 + " == []": "maps more than 2 times",
    "'aaa'.replace('a', 'aaaaaaaaaa') == ''": "undeclared reference",
}


def test_these_are_about_as_many_as_we_promise() -> None:
    assert len(TRUE) + len(FALSE) + len(UNTOLD) + len(REFUSED) > 60


@pytest.mark.parametrize("expression", TRUE)
def test_true(expression: str) -> None:
    cel.check(expression)
    assert cel.evaluate(expression, FACTS) == cel.Answer(value=True)


@pytest.mark.parametrize("expression", FALSE)
def test_false(expression: str) -> None:
    cel.check(expression)
    answer = cel.evaluate(expression, FACTS)
    assert answer == cel.Answer(value=False)
    assert not answer.is_true


@pytest.mark.parametrize(("expression", "reason"), UNTOLD.items())
def test_what_cannot_be_told_is_never_true(expression: str, reason: str) -> None:
    answer = cel.evaluate(expression, FACTS)
    assert not answer.is_true
    assert not isinstance(answer.value, bool)
    assert reason in (answer.error or "")


@pytest.mark.parametrize(("expression", "reason"), REFUSED.items())
def test_what_is_not_let_in_is_named(expression: str, reason: str) -> None:
    with pytest.raises(cel.ExpressionInvalid) as refused:
        cel.check(expression)
    assert reason in str(refused.value)
    assert f"`{expression[:80]}" in str(refused.value)
    assert not cel.evaluate(expression, FACTS).is_true


def test_what_is_wrong_has_its_place_in_the_expression() -> None:
    with pytest.raises(cel.ExpressionInvalid) as refused:
        cel.check("version.metrics.f1 > 0.9 &&\n  versoin.name == 'x'")
    said = "undeclared reference to 'versoin.name'; there are use_case, model, version, champion, and step"
    assert said in str(refused.value)
    assert str(refused.value).endswith(" (line 2, character 10)")
    with pytest.raises(cel.ExpressionInvalid, match=r"overload .* \(character 3\)$"):
        cel.check("1 + 'a' == 2")


def test_a_fact_of_any_depth_or_spelling_harms_nobody() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"deeper": deep}
    for hostile in (deep, "\ud800", float("nan"), 10**400, object()):
        assert not cel.evaluate("version.hostile == 'x'", {**FACTS, "version": {"hostile": hostile}}).is_true
