"""Which reports a model package names, and what is known of them taken together."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from assent_common.events.registry import Metric, MetricsStatus, Report

from assent_sagemaker.mapping.documents import MetricsSource, ModelPackage
from assent_sagemaker.mapping.metrics.limits import Limit
from assent_sagemaker.mapping.metrics.read import Reading, Unreadable
from assent_sagemaker.mapping.rules import squash

Way = tuple[str, str, str]
"""Where in a package's document a report is named: the field, its part, and the part's."""

#: The reports that hold measurements of the version. Of two that give one name, the first counts.
MEASURING: Mapping[str, Way] = {
    "model_quality": ("model_metrics", "model_quality", "statistics"),
    "bias": ("model_metrics", "bias", "report"),
    "pre_training_bias": ("model_metrics", "bias", "pre_training_report"),
    "post_training_bias": ("model_metrics", "bias", "post_training_report"),
    "explainability": ("model_metrics", "explainability", "report"),
    "model_data_quality": ("model_metrics", "model_data_quality", "statistics"),
}
#: What measurements are held against, and how: evidence, and no measurements of this version.
BESIDE: Mapping[str, Way] = {
    "model_quality_constraints": ("model_metrics", "model_quality", "constraints"),
    "model_data_quality_constraints": ("model_metrics", "model_data_quality", "constraints"),
    "baseline_model_quality": ("drift_check_baselines", "model_quality", "statistics"),
    "baseline_model_quality_constraints": ("drift_check_baselines", "model_quality", "constraints"),
    "baseline_model_data_quality": ("drift_check_baselines", "model_data_quality", "statistics"),
    "baseline_model_data_quality_constraints": ("drift_check_baselines", "model_data_quality", "constraints"),
    "baseline_pre_training_bias_constraints": ("drift_check_baselines", "bias", "pre_training_constraints"),
    "baseline_post_training_bias_constraints": ("drift_check_baselines", "bias", "post_training_constraints"),
    "baseline_bias_config": ("drift_check_baselines", "bias", "config_file"),
    "baseline_explainability_constraints": ("drift_check_baselines", "explainability", "constraints"),
    "baseline_explainability_config": ("drift_check_baselines", "explainability", "config_file"),
}


class Outcomes(NamedTuple):
    """What is known of a version's reports, by their URI."""

    #: Of this time. A report that is in neither has not been read yet.
    now: Mapping[str, Reading | Unreadable] = {}
    #: What each said when it was last read: it stands while it can't be read again.
    before: Mapping[str, Reading] = {}

    def standing(self, uri: str) -> Reading | None:
        match self.now.get(uri):
            case Reading() as reading:
                return reading
        return self.before.get(uri)


class NamedReport(NamedTuple):
    role: str
    source: MetricsSource


def reports_of(package: ModelPackage) -> list[NamedReport]:
    """All that it names; those that hold its measurements first. One file may play several roles."""
    return [*measuring(package), *_named(package, BESIDE)]


def measuring(package: ModelPackage) -> list[NamedReport]:
    return list(_named(package, MEASURING))


def report(named: NamedReport, outcomes: Outcomes) -> Report:
    source = named.source
    standing = outcomes.standing(source.s3_uri)
    match outcomes.now.get(source.s3_uri):
        case Reading():
            status, reason = MetricsStatus.COMPLETE, None
        case Unreadable(reason=why):
            status, reason = MetricsStatus.UNREADABLE, why
        case None:
            # What was read before is known well enough until it is read again.
            status, reason = (MetricsStatus.COMPLETE if standing else MetricsStatus.PENDING), None
    return Report(
        role=named.role,
        uri=source.s3_uri,
        content_type=source.content_type,
        digest=standing.digest if standing else None,
        recorded_digest=source.content_digest,
        etag=standing.etag if standing else None,
        version_id=standing.version_id if standing else None,
        written_at=standing.written_at if standing else None,
        status=status,
        reason=reason,
    )


def measured(package: ModelPackage, outcomes: Outcomes) -> dict[str, Metric]:
    """The metrics of all reports; where two give one name, the first report's counts (the model's quality first)."""
    limits = _limits(package, outcomes)
    metrics: dict[str, Metric] = {}
    for role, source in measuring(package):
        if reading := outcomes.standing(source.s3_uri):
            for name, metric in reading.metrics.items():
                limit = _limit(name, metric, limits) if role == "model_quality" else _NONE
                update = {
                    "report": source.s3_uri,
                    "better": limit.better or metric.better,
                    "threshold": limit.threshold,
                }
                metrics.setdefault(name, metric.model_copy(update=update))
    return metrics


def problem_kind(package: ModelPackage, outcomes: Outcomes) -> str | None:
    readings = (outcomes.standing(named.source.s3_uri) for named in measuring(package))
    return next((reading.problem_kind for reading in readings if reading and reading.problem_kind), None)


def status(reports: list[Report]) -> tuple[MetricsStatus, str | None]:
    """The worst of those that hold measurements, and why in words. How the others stand, each says for itself: without
    constraints, the metrics are no less known."""
    worst = [r for r in reports if r.status is MetricsStatus.UNREADABLE and r.role in MEASURING]
    pending = [r for r in reports if r.status is MetricsStatus.PENDING and r.role in MEASURING]
    if worst:
        return MetricsStatus.UNREADABLE, "; ".join(f"{r.role}: {r.reason} ({r.uri})" for r in worst)
    if pending:
        return MetricsStatus.PENDING, "; ".join(f"{r.role}: not read yet ({r.uri})" for r in pending)
    return MetricsStatus.COMPLETE, None


_NONE = Limit()


def _limits(package: ModelPackage, outcomes: Outcomes) -> Mapping[str, Limit]:
    """Those of the version's own constraints before those of its baseline."""
    found: dict[str, Limit] = {}
    for role, source in _named(package, BESIDE):
        if role in ("model_quality_constraints", "baseline_model_quality_constraints"):
            reading = outcomes.standing(source.s3_uri)
            found = {**(reading.limits if reading else {}), **found}
    return found


def _limit(name: str, metric: Metric, limits: Mapping[str, Limit]) -> Limit:
    by_source_name = limits.get(squash(metric.source_name)) if metric.source_name else None
    return by_source_name or limits.get(squash(name)) or _NONE


def _named(package: ModelPackage, roles: Mapping[str, Way]) -> Iterator[NamedReport]:
    for role, (field, part, of_the_part) in roles.items():
        # Most packages have but one.
        if (metrics := getattr(package, field)) is None or (named := getattr(metrics, part)) is None:
            continue
        source = getattr(named, of_the_part)
        if isinstance(source, MetricsSource):
            yield NamedReport(role, source)
