"""The rules: what is known goes in, what breaks them comes out. Pure, and the same for the same facts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Kind(StrEnum):
    #: A model serves that nobody accepted.
    UNACCEPTED_DEPLOYMENT = "unaccepted_deployment"
    #: Something serves of which cannot be told what it is.
    UNIDENTIFIED_DEPLOYMENT = "unidentified_deployment"
    #: A model serves that its source's registry no longer has.
    MISSING_VERSION_SERVES = "missing_version_serves"
    #: A model serves whose use case was given up.
    RETIRED_USE_CASE_SERVES = "retired_use_case_serves"
    #: A monitor of what serves found a violation, or is in alert.
    MONITOR_VIOLATION = "monitor_violation"
    #: The content is not the one that was accepted.
    CONTENT_CHANGED = "content_changed"
    #: An acceptance ended and nobody looked again.
    ACCEPTANCE_EXPIRED = "acceptance_expired"
    #: Somebody accepted it past its policy, in an emergency.
    OVERRIDDEN = "overridden"
    #: SageMaker was told to approve or reject what Assent did not decide.
    DECIDED_AT_SOURCE = "decided_at_source"
    #: What was accepted of a use case does not hold any more, and nobody has accepted it again.
    USE_CASE_NOT_ACCEPTED = "use_case_not_accepted"
    #: A use case is looked at again, and who was asked has not answered in time.
    USE_CASE_REVIEW_OVERDUE = "use_case_review_overdue"
    #: Internal systems are not told of anything any more.
    WEBHOOK_DISABLED = "webhook_disabled"


#: Things that happened, not states that last: somebody can look into them and close them. What lasts ends by itself.
BY_HAND = frozenset({Kind.MONITOR_VIOLATION, Kind.DECIDED_AT_SOURCE})
#: What an acceptance puts right: a check that asked for none of these could never pass.
ENDED_BY_ACCEPTANCE = frozenset(
    {Kind.UNACCEPTED_DEPLOYMENT, Kind.CONTENT_CHANGED, Kind.ACCEPTANCE_EXPIRED, Kind.OVERRIDDEN}
)

CLOSED_STAGES = frozenset({"rejected", "archived"})
#: What a deployment's status says when it takes no requests (any more).
NOT_SERVING = frozenset({"Failed", "Deleting", "DeleteFailed", "OutOfService", "Stopped", "Stopping", "Completed"})
_STANDING = frozenset({"accepted", "suspended", "retired"})


@dataclass(frozen=True, kw_only=True)
class Found:
    """One thing that breaks a rule. `kind`, `subject` and `detail` say which one it is."""

    kind: Kind
    #: `deployment`, `model_version`, `candidacy`, `use_case` or `webhook`.
    subject_kind: str
    subject: str
    #: Which of the subject's, where it can have several.
    detail: str = ""
    severity: Severity
    summary: str
    evidence: Mapping[str, Any]
    owner: str | None = None
    model_version: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.kind.value, self.subject, self.detail)


@dataclass(frozen=True)
class Standing:
    """A candidacy of a served version, and the stage of its use case."""

    status: str
    use_case: str
    stage: str | None


@dataclass(frozen=True)
class Served:
    """A model version that a deployment names. `live` is None for one that was never heard of."""

    urn: str
    live: bool | None
    standings: Sequence[Standing] = ()
    owner: str | None = None


@dataclass(frozen=True)
class Deployment:
    urn: str
    name: str
    live: bool
    status: str | None = None
    served: Sequence[Served] = ()
    #: As the registry's event has them.
    monitors: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Version:
    urn: str
    live: bool
    drift: Mapping[str, Any] | None = None
    owner: str | None = None


@dataclass(frozen=True)
class Judged:
    """A candidacy, and what its version is now."""

    id: str
    use_case: str
    model_version: str
    status: str
    content_hash: str | None
    stands: str
    live: bool
    expired_at: datetime | None = None
    owner: str | None = None
    #: Who accepted it past its policy, and until when that holds.
    overridden_by: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class JudgedStep:
    """A step of a use case that has not ended."""

    id: str
    to: str
    status: str
    reason: str | None
    #: Whether it was accepted once.
    accepted: bool
    #: What is open of it and past its due time: the roles.
    overdue: Sequence[str] = ()


@dataclass(frozen=True)
class JudgedUseCase:
    id: str
    key: str
    stage: str
    owner: str | None
    steps: Sequence[JudgedStep] = ()


@dataclass(frozen=True)
class Facts:
    deployments: Sequence[Deployment] = field(default=())
    versions: Sequence[Version] = field(default=())
    candidacies: Sequence[Judged] = field(default=())

    @property
    def subjects(self) -> frozenset[str]:
        """All that was looked at: what is found of none of them any more has ended."""
        return frozenset(
            [*(each.urn for each in self.deployments), *(each.urn for each in self.versions)]
            + [each.id for each in self.candidacies]
        )


def found(facts: Facts) -> list[Found]:
    """Everything that breaks a rule, each once."""
    everything = [
        *(each for deployment in facts.deployments for each in _of_deployment(deployment)),
        *(each for version in facts.versions for each in _of_version(version)),
        *(each for judged in facts.candidacies for each in _of_candidacy(judged)),
    ]
    return list({each.key: each for each in everything}.values())


def _of_deployment(deployment: Deployment) -> Iterator[Found]:
    if not deployment.live or deployment.status in NOT_SERVING:
        return
    if not deployment.served:
        yield Found(
            kind=Kind.UNIDENTIFIED_DEPLOYMENT,
            subject_kind="deployment",
            subject=deployment.urn,
            severity=Severity.MEDIUM,
            summary=f"{deployment.name} serves, and it cannot be told which model version",
            evidence={"status": deployment.status},
        )
    for served in deployment.served:
        yield from _of_served(deployment, served)
    owner = next((served.owner for served in deployment.served if served.owner), None)
    for monitor in deployment.monitors:
        alerts = sorted(alert["name"] for alert in monitor.get("alerts") or () if alert["status"] == "InAlert")
        if monitor.get("last_execution_status") == "CompletedWithViolations" or alerts:
            yield Found(
                kind=Kind.MONITOR_VIOLATION,
                subject_kind="deployment",
                subject=deployment.urn,
                detail=monitor["urn"],
                severity=Severity.HIGH if monitor.get("type") == "ModelBias" else Severity.MEDIUM,
                summary=f"the monitor {monitor['name']} of {deployment.name} found a violation",
                evidence={
                    "monitor": monitor["urn"],
                    "type": monitor.get("type"),
                    "execution_status": monitor.get("last_execution_status"),
                    "executed_at": monitor.get("last_execution_at"),
                    "alerts": alerts,
                },
                owner=owner,
                model_version=deployment.served[0].urn if deployment.served else None,
            )


def _of_served(deployment: Deployment, served: Served) -> Iterator[Found]:
    accepted = [each for each in served.standings if each.status == "accepted"]
    statuses = sorted({each.status for each in served.standings})

    def breaks(kind: Kind, severity: Severity, summary: str, **evidence: Any) -> Found:
        return Found(
            kind=kind,
            subject_kind="deployment",
            subject=deployment.urn,
            detail=served.urn,
            severity=severity,
            summary=summary,
            evidence={"model_version": served.urn, "candidacies": statuses, **evidence},
            owner=served.owner,
            model_version=served.urn,
        )

    if served.live is False:
        why = f"{deployment.name} serves a model version that its source no longer has"
        yield breaks(Kind.MISSING_VERSION_SERVES, Severity.HIGH, why)
    closed = sorted(
        {each.use_case for each in served.standings if each.stage in CLOSED_STAGES and each.status in _STANDING}
    )
    # Where all of it was for what is given up, that is said below, and says better what to do.
    if not accepted and not (closed and all(each.stage in CLOSED_STAGES for each in served.standings)):
        severity = Severity.CRITICAL if "rejected" in statuses else Severity.HIGH
        known = "nobody put forward" if not statuses else f"is {', '.join(statuses)}, not accepted"
        why = f"{deployment.name} serves a model version that {known}"
        yield breaks(Kind.UNACCEPTED_DEPLOYMENT, severity, why)
    if closed and all(each.stage in CLOSED_STAGES for each in accepted):
        why = f"{deployment.name} serves a model version for {', '.join(closed)}, which was given up"
        yield breaks(Kind.RETIRED_USE_CASE_SERVES, Severity.HIGH, why, use_cases=closed)


def _of_version(version: Version) -> Iterator[Found]:
    if version.live and version.drift is not None:
        drift = version.drift
        yield Found(
            kind=Kind.DECIDED_AT_SOURCE,
            subject_kind="model_version",
            subject=version.urn,
            severity=Severity.HIGH if drift["found"] == "Approved" else Severity.LOW,
            summary=f"SageMaker calls it {drift['found']}, which nobody decided in Assent",
            evidence=dict(drift),
            owner=version.owner,
            model_version=version.urn,
        )


def _of_candidacy(judged: Judged) -> Iterator[Found]:
    if not judged.live:
        return

    def breaks(kind: Kind, severity: Severity, summary: str, evidence: Mapping[str, Any]) -> Found:
        return Found(
            kind=kind,
            subject_kind="candidacy",
            subject=judged.id,
            severity=severity,
            summary=summary,
            evidence={"use_case": judged.use_case, **evidence},
            owner=judged.owner,
            model_version=judged.model_version,
        )

    if judged.status == "accepted" and judged.overridden_by is not None:
        until = judged.expires_at.isoformat() if judged.expires_at else None
        why = f"{judged.overridden_by} accepted it for {judged.use_case} past its policy"
        yield breaks(Kind.OVERRIDDEN, Severity.HIGH, why, {"by": judged.overridden_by, "until": until})
    if judged.status != "suspended":
        return
    if judged.content_hash is not None and judged.content_hash != judged.stands:
        why = f"its content changed after it was accepted for {judged.use_case}"
        yield breaks(
            *(Kind.CONTENT_CHANGED, Severity.HIGH, why), {"accepted": judged.content_hash, "stands": judged.stands}
        )
    if judged.expired_at is not None:
        why = f"its acceptance for {judged.use_case} ended, and nobody looked at it again"
        at = judged.expired_at.isoformat()
        yield breaks(Kind.ACCEPTANCE_EXPIRED, Severity.MEDIUM, why, {"expired_at": at})


def of_use_case(judged: JudgedUseCase) -> list[Found]:
    """Of its own acceptance: nothing while it was never asked for one, or stands accepted, or was given up."""
    if judged.stage in CLOSED_STAGES or any(step.status == "accepted" for step in judged.steps):
        return []
    return [each for step in judged.steps if step.accepted for each in _of_step(judged, step)][-1:]


def _of_step(judged: JudgedUseCase, step: JudgedStep) -> Iterator[Found]:
    def breaks(kind: Kind, severity: Severity, summary: str, **evidence: Any) -> Found:
        return Found(
            kind=kind,
            subject_kind="use_case",
            subject=judged.id,
            severity=severity,
            summary=summary,
            evidence={"use_case": judged.key, "stage": judged.stage, "step": step.id, "to": step.to, **evidence},
            owner=judged.owner,
        )

    if step.status != "under_review":
        why = f"{judged.key} is in {judged.stage}, and its acceptance for that does not hold any more"
        yield breaks(Kind.USE_CASE_NOT_ACCEPTED, Severity.HIGH, why, status=step.status, reason=step.reason)
    elif step.overdue:
        why = f"{judged.key} is looked at again, and a decision is overdue"
        yield breaks(Kind.USE_CASE_REVIEW_OVERDUE, Severity.MEDIUM, why, roles=list(step.overdue))
