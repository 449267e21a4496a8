"""Evaluation reports in the shapes that pipelines really write to S3."""

import gzip
import json
import random
from collections.abc import Mapping
from typing import Any

Metrics = Mapping[str, float]

#: Below this many samples Model Monitor knows no deviation, and writes the word.
_ENOUGH_SAMPLES = 200


def binary(metrics: Metrics, dice: random.Random, samples: int) -> dict[str, Any]:
    """Model Monitor's, of a binary classifier: curves and a confusion matrix among the numbers."""
    positives = samples // 5
    true_positives = round(positives * metrics["recall"])
    false_positives = round(true_positives * (1 / metrics["precision"] - 1))
    false_positive_rates = [0.0, 0.05, 0.2, 0.5, 1.0]
    return {
        "version": 0.0,
        "dataset": {"item_count": samples},
        "binary_classification_metrics": {
            "confusion_matrix": {
                "0": {"0": samples - positives - false_positives, "1": false_positives},
                "1": {"0": positives - true_positives, "1": true_positives},
            },
            **_valued(metrics, dice, samples),
            "accuracy_best_constant_classifier": {"value": 0.8, "standard_deviation": 0.0},
            "precision_best_constant_classifier": {"value": 0.0, "standard_deviation": 0.0},
            "receiver_operating_characteristic_curve": {
                "false_positive_rates": false_positive_rates,
                "true_positive_rates": [round(rate ** (1 - metrics["auc"] + 0.05), 3) for rate in false_positive_rates],
            },
        },
    }


def multiclass(metrics: Metrics, dice: random.Random, samples: int) -> dict[str, Any]:
    """Model Monitor's, of several classes: precision and recall are weighted, and there are no plain ones."""
    weighted = {name if name == "accuracy" else f"weighted_{name}": value for name, value in metrics.items()}
    classes = ("billing", "delivery", "returns", "technical")
    matrix = {
        label: {
            other: round(samples / 4 * (metrics["recall"] if other == label else (1 - metrics["recall"]) / 3))
            for other in classes
        }
        for label in classes
    }
    return {
        "version": 0.0,
        "dataset": {"item_count": samples},
        "multiclass_classification_metrics": {"confusion_matrix": matrix, **_valued(weighted, dice, samples)},
    }


def regression(metrics: Metrics, dice: random.Random, samples: int) -> dict[str, Any]:
    return {
        "version": 0.0,
        "dataset": {"item_count": samples},
        "regression_metrics": _valued(metrics, dice, samples),
    }


def flat(metrics: Metrics, dice: random.Random, samples: int) -> dict[str, Any]:
    """What a notebook writes."""
    return {"accuracy": metrics["accuracy"]}


def bias(parity_gap: float) -> dict[str, Any]:
    """Clarify's analysis.json, with a metric that could not be computed."""
    return {
        "version": "1.0",
        "post_training_bias_metrics": {
            "label": "default",
            "label_value_or_threshold": "1",
            "facets": {
                "age_group": [
                    {
                        "value_or_threshold": "under_25",
                        "metrics": [
                            {"name": "DPPL", "description": "Difference in positive proportions", "value": parity_gap},
                            {"name": "DI", "description": "Disparate impact (DI)", "value": round(1 - parity_gap, 3)},
                            {
                                "name": "CDDPL",
                                "description": "Conditional demographic disparity in predicted labels",
                                "value": None,
                                "error": "Group variable is empty or not provided",
                            },
                        ],
                    }
                ]
            },
        },
    }


def written(report: Mapping[str, Any], *, bare_nan: bool = False, zipped: bool = False) -> bytes:
    """The report as bytes, as Python's own json writes it: NaN is a bare token, which is no JSON."""
    if bare_nan:
        report = {**report, "calibration": {"expected_calibration_error": float("nan")}}
    text = json.dumps(report, indent=2).encode()
    return gzip.compress(text, mtime=0) if zipped else text


def _valued(metrics: Metrics, dice: random.Random, samples: int) -> dict[str, Any]:
    return {
        name: {
            "value": value,
            "standard_deviation": round(dice.uniform(0.001, 0.012), 4) if samples >= _ENOUGH_SAMPLES else "NaN",
        }
        for name, value in metrics.items()
    }
