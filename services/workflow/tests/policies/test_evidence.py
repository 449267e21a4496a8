"""What a check keeps of what it saw."""

from datetime import UTC, datetime

import pytest
from assent_common.events.governance import Seen
from assent_workflow.policies import frameworks
from assent_workflow.policies.evidence import seen

FACTS = {
    "use_case": {"legal": {"risk_class": "high"}},
    "version": {
        "metrics": {"f1": 0.8, "equal-odds": 0.1},
        "measured": {"f1": {"value": 0.8, "report": "s3://reports/quality.json"}},
        "reports": [{"role": "model_quality", "uri": "s3://reports/quality.json", "digest": "sha256:q"}],
    },
    "champion": {"metrics": {"f1": 0.75}},
    "step": {"from": "development", "to": "archived", "serving": ["arn:aws:sagemaker:eu-central-1:1:endpoint/live"]},
}


def test_a_metric_is_kept_with_its_threshold_and_with_the_report_that_holds_it() -> None:
    assert seen("version.metrics.f1 >= 0.75", FACTS) == (
        Seen(
            name="version.metrics.f1",
            value=0.8,
            threshold=">= 0.75",
            report="s3://reports/quality.json",
            digest="sha256:q",
        ),
    )


def test_a_challenger_is_kept_beside_its_champion() -> None:
    found = {each.name: each.value for each in seen("version.metrics.f1 >= champion.metrics.f1 - 0.01", FACTS)}
    assert found == {"version.metrics.f1": 0.8, "champion.metrics.f1": 0.75}


def test_quoted_names_are_read_and_what_is_not_known_is_left_out() -> None:
    expression = 'version.metrics["equal-odds"] < 0.2 && version.metrics.recall > 0.5 && has(use_case.legal.risk_class)'
    found = {each.name: each.threshold for each in seen(expression, FACTS)}
    assert found == {"version.metrics.equal-odds": "< 0.2", "use_case.legal.risk_class": None}


@pytest.mark.parametrize(
    ("expression", "threshold"),
    [
        ("0.75 <= version.metrics.f1", ">= 0.75"),
        ("0.9 > version.metrics.f1 && true", "< 0.9"),
        ("has(version.urn) || -1.5 != version.metrics.f1", "!= -1.5"),
        ("0.5 + 0.25 <= version.metrics.f1", None),
        ("0.75 <= version.metrics.f1 - 0.1", None),
        ("version.metrics.f1 * 2.0 >= 1.5", None),
    ],
)
def test_a_threshold_may_stand_on_either_side(expression: str, threshold: str | None) -> None:
    [found] = [each for each in seen(expression, FACTS) if each.name == "version.metrics.f1"]
    assert found.threshold == threshold


def test_what_a_check_of_a_step_looks_at_is_kept_and_no_text_is_taken_for_it() -> None:
    expression = 'step.to != "step.from" || size(step.serving) == 0'
    assert {each.name: each.value for each in seen(expression, FACTS)} == {
        "step.to": "archived",
        "step.serving": "['arn:aws:sagemaker:eu-central-1:1:endpoint/live']",
    }


def test_a_framework_is_looked_after_until_its_day_and_one_not_in_the_table_is_not_known() -> None:
    before, after = datetime(2026, 10, 15, 23, tzinfo=UTC), datetime(2026, 10, 16, tzinfo=UTC)
    assert frameworks.support("pytorch", "2.9.1", before)["framework_supported"] is True
    assert frameworks.support("pytorch", "2.9.1", after) == {
        "framework_end_of_life": "2026-10-15",
        "framework_supported": False,
    }
    assert frameworks.support("pytorch", "99", after) == {}
    assert frameworks.support("pytorch", None, after) == {}
    assert frameworks.support("spark", "3.5", after) == {}


@pytest.mark.parametrize(
    ("framework", "version", "ends"),
    [
        ("XGBOOST", "3.0-5", "2026-11-17"),
        ("scikit-learn", "1.4-2-py312", "2026-10-30"),
        ("tensorflow", "2.20.0", "2027-08-20"),
        ("pytorch", "2.14", "2027-09-28"),
        ("mxnet", "1.9.1", "2023-09-30"),
        ("mxnet", None, "2023-09-30"),
    ],
)
def test_versions_are_known_however_an_image_writes_them(framework: str, version: str | None, ends: str) -> None:
    assert frameworks.support(framework, version, datetime(2026, 11, 26, tzinfo=UTC))["framework_end_of_life"] == ends
