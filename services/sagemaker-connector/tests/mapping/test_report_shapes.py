"""Golden examples: one report of each form that is found in the wild, and the metrics that it holds."""

import json
from typing import Any

import pytest
from assent_common.events.registry import Better, Metric
from assent_sagemaker.mapping.metrics.read import Reading, read
from assent_sagemaker.mapping.metrics.shapes import Shape


def reading(report: Any) -> Reading:
    result = read(json.dumps(report).encode())
    assert isinstance(result, Reading), result
    return result


def values(report: Any) -> dict[str, float]:
    return {name: metric.value for name, metric in reading(report).metrics.items()}


def test_model_monitors_statistics() -> None:
    report = {
        "version": 0.0,
        "dataset": {"item_count": 627, "evaluation_time": "2023-03-30T21:08:34.729Z"},
        "regression_metrics": {
            "mae": {"value": 1.59, "standard_deviation": 0.0195},
            "rmse": {"value": 2.2, "standard_deviation": "NaN"},
            "r2": {"value": 0.55, "standard_deviation": 0.01},
        },
    }
    found = reading(report)
    assert found.shape is Shape.MONITOR
    assert found.problem_kind == "regression"
    assert found.metrics == {
        "mae": Metric(value=1.59, standard_deviation=0.0195, better=Better.LOWER),
        "rmse": Metric(value=2.2, better=Better.LOWER),
        "r2": Metric(value=0.55, standard_deviation=0.01, better=Better.HIGHER),
    }


def test_a_pipelines_binary_report_without_its_curves_and_constant_classifiers() -> None:
    report = {
        "binary_classification_metrics": {
            "accuracy": {"value": 0.93, "standard_deviation": "NaN"},
            "precision": {"value": 0.0, "standard_deviation": 0.1},
            "auc": {"value": 0.97},
            "accuracy_best_constant_classifier": {"value": 0.61},
            "confusion_matrix": {"0": {"0": 1, "1": 2}, "1": {"0": 3, "1": 4}},
            "receiver_operating_characteristic_curve": {"false_positive_rates": [0, 1], "true_positive_rates": [0, 1]},
        }
    }
    found = reading(report)
    assert (found.shape, found.problem_kind) == (Shape.PIPELINES, "binary_classification")
    assert values(report) == {"accuracy": 0.93, "precision": 0.0, "auc": 0.97}


def test_multiclass_precision_is_the_weighted_one_and_says_so() -> None:
    report = {"multiclass_classification_metrics": {"weighted_precision": {"value": 0.8}, "accuracy": {"value": 0.7}}}
    found = reading(report)
    assert found.problem_kind == "multiclass_classification"
    assert found.metrics["precision"] == Metric(value=0.8, source_name="weighted_precision", better=Better.HIGHER)


def test_only_the_best_constant_classifier_is_no_accuracy() -> None:
    report = {"binary_classification_metrics": {"accuracy_best_constant_classifier": {"value": 0.61}}}
    assert values(report) == {}


def test_clarifys_analysis() -> None:
    report = {
        "version": "1.0",
        "post_training_bias_metrics": {
            "label": "target",
            "facets": {
                "gender": [
                    {
                        "value_or_threshold": "1",
                        "metrics": [
                            {"name": "DI", "description": "Disparate Impact (DI)", "value": 0.71},
                            {"name": "CDDPL", "value": None, "error": "group variable is empty"},
                            {"name": "accuracy", "value": 0.5},
                        ],
                    }
                ]
            },
        },
        "explanations": {"kernel_shap": {"label0": {"global_shap_values": {"f0": 0.02}, "expected_value": 0.508}}},
    }
    assert reading(report).shape is Shape.CLARIFY
    assert values(report) == {
        "post_training_bias.gender.1.di": 0.71,
        "post_training_bias.gender.1.accuracy": 0.5,
    }


def test_scikit_learns_report_with_a_class_labelled_precision() -> None:
    report = {
        "precision": {"precision": 0.1, "recall": 0.2, "f1-score": 0.3, "support": 10},
        "other": {"precision": 0.9, "recall": 0.9, "f1-score": 0.9, "support": 20},
        "third": {"precision": 0.9, "recall": 0.9, "f1-score": 0.9, "support": 20},
        "accuracy": 0.84,
        "macro avg": {"precision": 0.5, "recall": 0.55, "f1-score": 0.6, "support": 50},
        "weighted avg": {"precision": 0.7, "recall": 0.75, "f1-score": 0.8, "support": 50},
    }
    found = reading(report)
    assert (found.shape, found.problem_kind) == (Shape.SCIKIT_LEARN, "multiclass_classification")
    got = values(report)
    assert (got["accuracy"], got["precision"], got["recall"], got["f1"]) == (0.84, 0.7, 0.75, 0.8)
    assert found.metrics["f1"].source_name == "weighted avg.f1-score"
    assert got["macro_avg.precision"] == 0.5
    assert got["class.precision.precision"] == 0.1
    assert not [name for name in got if "support" in name]


def test_scikit_learns_report_inside_another() -> None:
    report = {
        "classification_report": {"0": {"precision": 0.4}, "1": {"precision": 0.6}, "macro avg": {"precision": 0.5}}
    }
    assert values(report)["precision"] == 0.5
    assert reading(report).problem_kind == "binary_classification"


def test_a_flat_report() -> None:
    report = {"accuracy": "93.4%", "f1_score": "0,91", "eval_loss": 0.2, "model_name": "42", "seed": 7, "ok": True}
    found = reading(report)
    assert found.shape is Shape.FLAT
    assert values(report) == {"accuracy": 0.934, "f1": 0.91, "loss": 0.2}
    assert found.metrics["loss"] == Metric(
        value=0.2, dataset="evaluation", source_name="eval_loss", better=Better.LOWER
    )


def test_wrappers_say_nothing() -> None:
    assert values({"evaluation": {"metrics": {"accuracy": {"value": 0.9}}}}) == {"accuracy": 0.9}


def test_the_last_epoch_of_a_metric_counts_and_other_lists_do_not() -> None:
    report = {"accuracy": [0.5, 0.7, None], "predictions": [1, 0, 1], "val_loss": [0.4, 0.2]}
    assert values(report) == {"accuracy": 0.7, "loss": 0.2}


def test_autopilots_candidate_metrics() -> None:
    report = {
        "CandidateMetrics": [
            {"MetricName": "Accuracy", "Value": 0.7, "Set": "Train"},
            {"MetricName": "Accuracy", "Value": 0.6, "Set": "Validation"},
            {"MetricName": "F1macro", "Value": 0.5, "Set": "Validation"},
        ]
    }
    metrics = reading({"metrics": report["CandidateMetrics"]}).metrics
    assert metrics["accuracy"] == Metric(value=0.6, dataset="validation", source_name="Accuracy", better=Better.HIGHER)
    assert metrics["train_accuracy"].value == 0.7
    assert metrics["f1"] == Metric(value=0.5, dataset="validation", source_name="F1macro", better=Better.HIGHER)


def test_constraints_are_no_measurements() -> None:
    report = {
        "version": 0.0,
        "binary_classification_constraints": {
            "recall": {"threshold": 0.78, "comparison_operator": "LessThanThreshold"},
            "accuracy": {"threshold": 0.8, "value": 0.9},
        },
    }
    assert reading(report).shape is Shape.CONSTRAINTS
    assert values(report) == {}
    assert values({"thresholds": {"accuracy": 0.8}, "precision": {"threshold": 0.7}}) == {}


def test_evidentlys_report() -> None:
    def metric(kind: str, value: Any, **config: str) -> dict[str, Any]:
        return {
            "id": "x",
            "metric_name": kind,
            "config": {"type": f"evidently:metric_v2:{kind}", **config},
            "value": value,
        }

    report = {
        "metrics": [
            metric("DriftedColumnsCount", {"count": 1.0, "share": 0.33}),
            metric("ValueDrift", 4.6e-66, column="age"),
            metric("Accuracy", 0.81),
            metric("MAE", {"mean": 1.5, "std": 0.2}),
            metric("F1ByLabel", {"a": 0.1, "b": 0.2}),
        ],
        "tests": [{"name": "accuracy", "value": 0.1}],
    }
    found = reading(report)
    assert found.shape is Shape.EVIDENTLY
    assert values(report) == {
        "drifted_columns_count.count": 1.0,
        "drifted_columns_count.share": 0.33,
        "value_drift.age": 4.6e-66,
        "accuracy": 0.81,
        "mae": 1.5,
        "f1_by_label.a": 0.1,
        "f1_by_label.b": 0.2,
    }
    assert found.metrics["mae"].standard_deviation == 0.2


def test_of_data_quality_statistics_a_summary_is_kept_and_no_sketch() -> None:
    sketch = {"kll": {"buckets": [{"lower_bound": 1, "upper_bound": 99, "count": 9}], "sketch": {"data": [[1.0] * 9]}}}
    age = {
        "name": "age",
        "inferred_type": "Fractional",
        "numerical_statistics": {
            "common": {"num_present": 6, "num_missing": 3},
            "mean": 41.0,
            "max": 99.0,
            "distribution": sketch,
        },
    }
    plan = {
        "name": "accuracy",
        "inferred_type": "String",
        "string_statistics": {"common": {"num_present": 9, "num_missing": 0}, "distinct_count": 2},
    }
    report = {"version": 0, "dataset": {"item_count": 9}, "features": [age, plan, {"inferred_type": "Unknown"}]}
    assert reading(report).shape is Shape.DATA_QUALITY
    assert values(report) == {
        "data_quality.item_count": 9.0,
        "data_quality.feature_count": 3.0,
        "data_quality.completeness": 15 / 18,
    }


@pytest.mark.parametrize(
    "report",
    [
        {"accuracy": 0.8, "test_accuracy": 0.7, "train_accuracy": 0.99},
        {"train_accuracy": 0.99, "test_accuracy": 0.7, "accuracy": 0.8},
    ],
)
def test_training_numbers_never_take_the_plain_name(report: dict[str, float]) -> None:
    assert values(report) == {"accuracy": 0.8, "test_accuracy": 0.7, "train_accuracy": 0.99}


def test_of_two_data_sets_the_test_set_counts() -> None:
    assert values({"validation": {"accuracy": 0.9}, "test": {"accuracy": 0.8}})["accuracy"] == 0.8
    assert "accuracy" not in values({"train": {"accuracy": 0.9}})


def test_a_word_anywhere_is_no_metric() -> None:
    got = values({"baseline": {"accuracy": 0.5}, "per_class": {"precision": 0.4}})
    assert got == {"baseline.accuracy": 0.5, "per_class.precision": 0.4}
