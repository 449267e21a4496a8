"""Which reports a model package names, and what is known of them taken together."""

from collections.abc import Mapping
from typing import NamedTuple

from assent_common.events.registry import Metric, MetricsStatus, Report

from assent_sagemaker.mapping.documents import MetricsSource, ModelPackage
from assent_sagemaker.mapping.metrics.read import Reading, Unreadable


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
    """The reports that hold measurements, the model's quality first. Constraints are thresholds, and not among them."""
    metrics = package.model_metrics
    if metrics is None:
        return []
    quality, data, bias, why = metrics.model_quality, metrics.model_data_quality, metrics.bias, metrics.explainability
    named = [
        ("model_quality", quality and quality.statistics),
        ("bias", bias and bias.report),
        ("pre_training_bias", bias and bias.pre_training_report),
        ("post_training_bias", bias and bias.post_training_report),
        ("explainability", why and why.report),
        ("model_data_quality", data and data.statistics),
    ]
    return [NamedReport(role, source) for role, source in named if source]


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
        status=status,
        reason=reason,
    )


def measured(package: ModelPackage, outcomes: Outcomes) -> dict[str, Metric]:
    """The metrics of all reports; where two give one name, the first report's counts (the model's quality first)."""
    metrics: dict[str, Metric] = {}
    for named in reports_of(package):
        if reading := outcomes.standing(named.source.s3_uri):
            for name, metric in reading.metrics.items():
                metrics.setdefault(name, metric.model_copy(update={"report": named.source.s3_uri}))
    return metrics


def problem_kind(package: ModelPackage, outcomes: Outcomes) -> str | None:
    readings = (outcomes.standing(named.source.s3_uri) for named in reports_of(package))
    return next((reading.problem_kind for reading in readings if reading and reading.problem_kind), None)


def status(reports: list[Report]) -> tuple[MetricsStatus, str | None]:
    """The worst of them, and why in words."""
    worst = [r for r in reports if r.status is MetricsStatus.UNREADABLE]
    pending = [r for r in reports if r.status is MetricsStatus.PENDING]
    if worst:
        return MetricsStatus.UNREADABLE, "; ".join(f"{r.role}: {r.reason} ({r.uri})" for r in worst)
    if pending:
        return MetricsStatus.PENDING, "; ".join(f"{r.role}: not read yet ({r.uri})" for r in pending)
    return MetricsStatus.COMPLETE, None
