"""What an acceptance of a model package is bound to: the parts that decide how it behaves, each under its name.

Not among them, for they change without the model becoming another: approval status and description, life cycle, model
card, customer metadata, tags, times and people, and everything that Assent writes.
"""

from collections.abc import Mapping
from typing import Any

from assent_common import canonical
from assent_common.events.model import Json

from assent_sagemaker.mapping.documents import ModelPackage
from assent_sagemaker.mapping.metrics.shapes import Shape
from assent_sagemaker.mapping.reports import Outcomes, measuring


def content(package: ModelPackage, outcomes: Outcomes) -> dict[str, Json]:
    """The judged parts. A part that is not there has no key, so that null and absent are one."""
    raw: Mapping[str, Any] = package.raw
    specification: Mapping[str, Any] = raw.get("InferenceSpecification") or {}
    containers = specification.get("Containers") or []
    parts = {
        "description": package.model_package_description,
        "source_uri": package.source_uri,
        "artifacts": {str(n): _pick(container, _ARTIFACT) for n, container in enumerate(containers)},
        "images": {str(n): _pick(container, _IMAGE) for n, container in enumerate(containers)},
        "inference_specification": _specification(specification, without=_ARTIFACT | _IMAGE),
        "additional_inference_specifications": {
            str(additional.get("Name", n)): _specification(additional, without=frozenset({"Name"}))
            for n, additional in enumerate(raw.get("AdditionalInferenceSpecifications") or [])
        },
        "source_algorithms": (raw.get("SourceAlgorithmSpecification") or {}).get("SourceAlgorithms"),
        "metrics": _metrics(package, outcomes),
    }
    kept: dict[str, Json] = _without_nothing(parts) or {}
    return kept


def content_hash(parts: Mapping[str, Json]) -> str:
    return canonical.digest(parts)


#: What decides which bytes are loaded. The other keys of a container are part of the inference specification.
_ARTIFACT = frozenset(
    {"ModelDataUrl", "ModelDataSource", "ModelDataETag", "AdditionalModelDataSources", "AdditionalS3DataSource"}
)
_IMAGE = frozenset({"Image", "ImageDigest"})


def _pick(container: Mapping[str, Any], keys: frozenset[str]) -> dict[str, Json]:
    return {key: value for key, value in container.items() if key in keys}


def _specification(specification: Mapping[str, Any], *, without: frozenset[str]) -> dict[str, Json]:
    """Containers by their place, so that a change names it; the `Supported…` lists are sets, so sorted."""
    containers = {
        str(n): {key: value for key, value in container.items() if key not in without}
        for n, container in enumerate(specification.get("Containers") or [])
    }
    rest = {
        key: sorted(value) if key.startswith("Supported") and isinstance(value, list) else value
        for key, value in specification.items()
        if key != "Containers" and key not in without
    }
    return {**rest, "Containers": containers}


def _metrics(package: ModelPackage, outcomes: Outcomes) -> dict[str, Json]:
    """As the reports call them: a new synonym in `mapping.yaml` must not suspend what was accepted. What a number is
    held against is no part of it, nor is what describes the data rather than the model."""
    return {
        named.role: {
            metric.source_name or name: {"value": metric.value, "standard_deviation": metric.standard_deviation}
            for name, metric in reading.metrics.items()
        }
        for named in measuring(package)
        if (reading := outcomes.standing(named.source.s3_uri)) and reading.shape is not Shape.DATA_QUALITY
    }


def _without_nothing(value: Json) -> Json:
    match value:
        case dict():
            kept = {key: inner for key, item in value.items() if (inner := _without_nothing(item)) is not None}
            return kept or None
        case list():
            return [_without_nothing(item) for item in value] or None
    return value
