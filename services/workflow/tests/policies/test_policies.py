"""A policy from its text to what it comes to."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assent_common import ids
from assent_common.canonical import ContentHash
from assent_workflow.policies.evaluate import assess
from assent_workflow.policies.model import Assessment, OnContentChange, Policy, Role
from assent_workflow.policies.parse import PolicyInvalid, parse
from assent_workflow.policies.select import NoOnePolicy, select
from assent_workflow.policies.shipped import SHIPPED
from assent_workflow.policies.subject import FACETS, Subject, UseCase, Version, facts

DEFAULT = parse(SHIPPED["default@1"])
APPROVERS = ["data_steward", "data_scientist", "legal", "security", "business_owner"]
MINIMAL = """name: small
version: 1
stages:
  - name: only
    approvals: [{role: legal, due_in: P1D}]
valid_for: P30D
"""


def a_subject(
    *,
    risk_class: str | None = "limited",
    missing: Mapping[str, list[str]] | None = None,
    metrics: Mapping[str, float] | None = None,
    **record: Any,
) -> Subject:
    legal = {"legal_basis": "contract", **({"risk_class": risk_class} if risk_class else {})}
    return Subject(
        UseCase(
            id=ids.new(),
            key="retention",
            name="Retention",
            stage="development",
            facets={**{facet: {"said": "yes"} for facet in FACETS}, "legal": legal},
            missing=missing or {},
        ),
        Version(
            urn="arn:aws:sagemaker:eu-central-1:111122223333:model-package/churn/7",
            id=ids.new(),
            live=True,
            created_at=datetime(2026, 11, 1, tzinfo=UTC),
            content_hash=ContentHash("sha256:a"),
            content={},
            record={
                "source_status": "Completed",
                "metrics": {name: {"value": value} for name, value in (metrics or {}).items()},
                **record,
            },
        ),
    )


def assessed(subject: Subject, policy: Policy = DEFAULT) -> Assessment:
    return assess(policy, facts(subject), content_hash=subject.version.content_hash)


def reasons(assessment: Assessment) -> dict[str, str]:
    return {check.name: check.reason for check in assessment.checks if not check.passed}


def asked(assessment: Assessment) -> list[list[str]]:
    return [[approval.role.value for approval in stage.approvals] for stage in assessment.stages]


def a_check(expression: str, otherwise: str | None = None) -> Policy:
    more = f"\n    otherwise: {otherwise}" if otherwise else ""
    return parse(f"{MINIMAL}checks:\n  - name: it\n    description: It is so.\n    expression: {expression}{more}\n")


def test_the_default_policy_is_what_the_design_says() -> None:
    assert DEFAULT.ref == "default@1"
    assert DEFAULT.applies_to is None
    assert DEFAULT.valid_for == timedelta(days=365)
    assert DEFAULT.on_content_change is OnContentChange.SUSPEND
    assert DEFAULT.separation_of_duties.proposer_decides_nothing
    assert DEFAULT.separation_of_duties.one_person_one_task
    assert len(DEFAULT.stages) == 1
    assert {check.name for check in DEFAULT.checks} == {"not_prohibited", "facets_complete", "source_completed"}


def test_five_are_asked_at_once_and_risk_too_when_the_risk_is_high() -> None:
    assert asked(assessed(a_subject())) == [APPROVERS]
    assert asked(assessed(a_subject(risk_class="high"))) == [[*APPROVERS, "risk"]]
    assert assessed(a_subject()).passed


def test_a_prohibited_practice_never_passes() -> None:
    assert "prohibited" in reasons(assessed(a_subject(risk_class="prohibited")))["not_prohibited"]
    assert "risk_class is not known" in reasons(assessed(a_subject(risk_class=None)))["not_prohibited"]


def test_what_is_missing_from_the_use_case_is_named() -> None:
    found = reasons(assessed(a_subject(missing={"impact": ["affected_parties", "human_oversight"]})))
    assert list(found) == ["facets_complete"]
    assert "impact.affected_parties, impact.human_oversight" in found["facets_complete"]


def test_the_models_facet_is_the_candidacy_itself_and_never_missing() -> None:
    assert assessed(a_subject(missing={"models": []})).passed


def test_a_facet_that_nobody_calls_complete_is_not() -> None:
    assert "data" in reasons(assessed(a_subject(missing={"data": []})))["facets_complete"]
    subject = a_subject()
    silent = subject.use_case.__class__(**{**vars(subject.use_case), "facets": {}})
    found = reasons(assessed(subject._replace(use_case=silent)))
    assert all(facet in found["facets_complete"] for facet in FACETS)


def test_only_completed_is_completed() -> None:
    assert "Failed" in reasons(assessed(a_subject(source_status="Failed")))["source_completed"]


def test_a_missing_metric_is_not_known_and_never_zero() -> None:
    policy = a_check("version.metrics.accuracy < 0.5")
    assert reasons(assessed(a_subject(), policy)) == {"it": "the metric accuracy is not known"}
    unread = reasons(assessed(a_subject(metrics_status="unreadable"), policy))
    assert unread == {"it": "the metric accuracy is not known (its reports are unreadable)"}
    assert assessed(a_subject(metrics={"accuracy": 0.0}), policy).passed


def test_a_check_that_fails_says_what_it_saw() -> None:
    found = reasons(assessed(a_subject(metrics={"accuracy": 0.62}), a_check("version.metrics.accuracy >= 0.8")))
    assert found == {"it": "not so: It is so. (accuracy is 0.62)"}
    worded = a_check("version.metrics.accuracy >= 0.8", "'\"too low\"'")
    assert reasons(assessed(a_subject(metrics={"accuracy": 0.62}), worded)) == {"it": "too low"}


def test_a_check_that_gives_no_truth_value_fails() -> None:
    found = reasons(assessed(a_subject(), a_check("version.source_status")))
    assert found == {"it": "it gives 'Completed', neither true nor false"}


def test_a_role_is_asked_where_it_cannot_be_told_whether_it_has_to_be() -> None:
    policy = parse(MINIMAL.replace("due_in: P1D}", "due_in: P1D, when: version.unheard_of == 1}"))
    assert asked(assessed(a_subject(), policy)) == [["legal"]]


def a_policy(name: str, applies_to: str | None = None, version: int = 1) -> Policy:
    text = MINIMAL.replace("small", name).replace("version: 1", f"version: {version}")
    return parse(text + (f'applies_to: "{applies_to}"\n' if applies_to else ""))


def test_the_policy_that_is_meant_goes_before_the_one_for_everybody_in_its_newest_version() -> None:
    strict = a_policy("strict", "use_case.legal.risk_class == 'high'", 2)
    policies = [DEFAULT, a_policy("strict", "true"), strict]
    assert select(policies, facts(a_subject(risk_class="high"))) is strict
    assert select(policies, facts(a_subject())) is DEFAULT


def test_which_policy_applies_is_never_guessed() -> None:
    strict = a_policy("strict", "use_case.legal.risk_class == 'high'")
    with pytest.raises(NoOnePolicy, match="strict@1 applies cannot be told: risk_class is not known"):
        select([DEFAULT, strict], facts(a_subject(risk_class=None)))
    with pytest.raises(NoOnePolicy, match="one@1 and two@1 all apply"):
        select([DEFAULT, a_policy("two", "true"), a_policy("one", "true")], facts(a_subject()))
    with pytest.raises(NoOnePolicy, match="no policy applies"):
        select([], facts(a_subject()))


#: Text → where and what.
FAULTS = [
    ("", "line 1, column 1: the policy"),
    ("[1, 2]", "line 1, column 1"),
    (MINIMAL + "colour: red\n", "line 7, column 1: colour is not known"),
    (MINIMAL + "name: again\n", "line 7, column 1: name is there twice"),
    (MINIMAL + "on: true\n", "line 7, column 1: a key is a word"),
    (MINIMAL.replace("legal", "admin"), "line 5, column 24: stages.0.approvals.0.role"),
    (MINIMAL.replace("legal", "service"), "line 5, column 24"),
    (MINIMAL.replace("version: 1", "version: 0"), "line 2, column 10: version"),
    (MINIMAL.replace("version: 1\n", ""), "version: Field required"),
    (MINIMAL.replace("P30D", "soon"), "line 6, column 12: valid_for"),
    (MINIMAL.replace("P1D", "-P1D"), "line 5, column 39"),
    (MINIMAL.replace("[{role: legal, due_in: P1D}]", "[]"), "line 5, column 16"),
    (MINIMAL + 'applies_to: "1 +"\n', "line 7, column 13: applies_to: `1 +`: Syntax error"),
    (MINIMAL + "applies_to: nobody.knows\n", "line 7, column 13: applies_to: `nobody.knows`: undeclared"),
    (MINIMAL + "checks:\n  - {name: a, description: A., expression: \"'yes'\"}\n", "line 8, column 44"),
    (MINIMAL + "checks: &a [*a]\n", "line 7, column 9: anchors and aliases"),
    (MINIMAL + "checks: " + "[" * 5000, "nested more than 10 deep"),
    (MINIMAL + "checks: !!python/object/apply:os.system [id]\n", "line 7, column 9: tags are not taken"),
    (MINIMAL + "checks: [\n", "line 8, column 1"),
    (MINIMAL + "description: \x00\n", "line 7, column 14: a character"),
    (MINIMAL.replace("version: 1", "version: " + "9" * 5000), "line 2, column 10"),
    ("x" * 100_001, "longer than 100000 characters"),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS, ids=[fault for _, fault in FAULTS])
def test_a_text_that_is_no_policy_is_refused_with_its_place(text: str, fault: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        parse(text)
    assert len(refused.value.faults) > 0
    assert fault in str(refused.value)


def test_all_faults_of_a_kind_are_told_at_once() -> None:
    with pytest.raises(PolicyInvalid) as refused:
        parse(MINIMAL + "colour: red\nshape: round\n")
    assert [(fault.line, fault.column) for fault in refused.value.faults] == [(7, 1), (8, 1)]


def test_a_policy_says_when_to_remind_and_whom_to_tell_of_what_is_late() -> None:
    reminding = parse(MINIMAL.replace("due_in: P1D", "due_in: P14D, remind_before: P3D, escalate_to: risk"))
    asked = reminding.approval("only", "legal")
    assert asked is not None
    assert (asked.remind_before, asked.escalate_to) == (timedelta(days=3), Role.RISK)
    assert reminding.approval("only", "security") is None
    with pytest.raises(PolicyInvalid, match="remind_before is not shorter than due_in"):
        parse(MINIMAL.replace("due_in: P1D", "due_in: P1D, remind_before: P1D"))
