"""What a policy's expressions see: `use_case`, `model` and `version`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from assent_common import canonical
from assent_common.canonical import ContentHash

from assent_workflow.findings.rules import CLOSED_STAGES, ENDED_BY_ACCEPTANCE
from assent_workflow.identities.model import Identities, Known
from assent_workflow.policies import frameworks

#: `models` is not among them: it follows from candidacies, of which the one in question is one.
FACETS = ("business_context", "legal", "data", "impact", "accountability")


@dataclass(frozen=True)
class UseCase:
    """What the catalogue last said of a use case."""

    id: UUID
    key: str
    name: str
    stage: str
    facets: Mapping[str, Mapping[str, Any]]
    #: Facet that is not complete → the names of its required fields that are empty.
    missing: Mapping[str, Sequence[str]]
    #: Documents and whatever else belongs to it.
    links: Sequence[Mapping[str, Any]] = ()

    @property
    def is_given_up(self) -> bool:
        return self.stage in CLOSED_STAGES


@dataclass(frozen=True)
class Version:
    """What the registry last said of a model version."""

    urn: str
    id: UUID
    live: bool
    created_at: datetime
    content_hash: ContentHash
    content: Mapping[str, Any]
    record: Mapping[str, Any]


class Subject(NamedTuple):
    """A model version put forward for a use case."""

    use_case: UseCase
    version: Version
    #: What is open of the version: kind, severity, summary.
    findings: Sequence[Mapping[str, Any]] = ()
    #: What is accepted for the use case now, if not this very version.
    champion: Version | None = None
    #: Of those whom the above name.
    identities: Identities = Identities()
    #: Who made the model that this is a version of.
    model_created_by: str | None = None

    @property
    def content(self) -> Mapping[str, Any]:
        """What is judged."""
        return self.version.content

    @property
    def content_hash(self) -> ContentHash:
        return self.version.content_hash

    @property
    def makers(self) -> tuple[Known, ...]:
        record = self.version.record
        names = dict.fromkeys([record.get("created_by"), record.get("modified_by"), self.model_created_by])
        return tuple(self.identities.of(name) for name in names if name)

    @property
    def accountable(self) -> dict[str, Known]:
        """Role → whom the use case names."""
        return _accountable(self.use_case, self.identities)


class StepSubject(NamedTuple):
    """A use case on its way to a stage, or looked at again where it stands."""

    use_case: UseCase
    to: str
    #: Whether it was accepted before: it is looked at again.
    again: bool = False
    #: What serves for it and for no other: to be switched off where it is given up.
    serving: Sequence[str] = ()
    identities: Identities = Identities()
    makers: tuple[Known, ...] = ()

    @property
    def content(self) -> Mapping[str, Any]:
        """What people wrote of it. Not where it stands, nor what follows from its models."""
        facets = {name: facet for name, facet in self.use_case.facets.items() if facet}
        told: Mapping[str, Any] = _told({"name": self.use_case.name, **facets, "links": self.use_case.links or None})
        return told

    @property
    def content_hash(self) -> ContentHash:
        return canonical.digest(self.content)

    @property
    def accountable(self) -> dict[str, Known]:
        """Role → whom the use case names."""
        return _accountable(self.use_case, self.identities)


def facts(subject: Subject | StepSubject, at: datetime | None = None) -> dict[str, Any]:
    """What is not known is left out, so that asking for it is an error and `has()` tells; nothing stands in for it.

    `version.findings` are those that are open, each with `kind`, `severity`, `summary` and `ended_by_acceptance`: one
    that only an acceptance puts right is no reason against it. `use_case.missing` names what keeps it from being fully
    described, as `facet.field` or as a whole `facet`; `use_case.links` are documents and whatever else belongs to
    it, each with `kind` and `ref`. `champion` is empty where nothing is accepted for the use case.
    Ages are known where it is told what time it is. Of a step there is no version: there are `step.from`, `step.to`,
    `step.again` (it was accepted before) and `step.serving` (what to switch off).
    """
    use_case = subject.use_case
    missing = [gap for facet in FACETS for gap in _gaps(use_case, facet)]
    described = {
        **use_case.facets,
        "key": use_case.key,
        "name": use_case.name,
        "stage": use_case.stage,
        "missing": missing,
        "missing_text": ", ".join(missing),
        "links": list(use_case.links),
    }
    if isinstance(subject, StepSubject):
        step = {"from": use_case.stage, "to": subject.to, "again": subject.again, "serving": list(subject.serving)}
        return {"use_case": described, "step": step}
    version = subject.version
    record = version.record
    champion = subject.champion
    found = [_finding(each) for each in subject.findings]
    return {
        "use_case": described,
        "model": _known(urn=record.get("model"), name=record.get("name"), tags=record.get("tags")),
        "version": _known(**{**_judged(version), **_ages(version, at), "findings": found}),
        "champion": _known(**_judged(champion)) if champion else {},
    }


def _accountable(use_case: UseCase, identities: Identities) -> dict[str, Known]:
    named = use_case.facets.get("accountability") or {}
    return {role: identities.of(name) for role, name in named.items() if name and isinstance(name, str)}


def _told(value: Any) -> Any:
    """As JSON readers agree on it: without what is null, and with numbers beyond them as text."""
    match value:
        case Mapping():
            return {str(name): _told(each) for name, each in value.items() if each is not None}
        case list() | tuple():
            return [_told(each) for each in value]
        case int() if abs(value) > 2**53:
            return str(value)
    return value


def _judged(version: Version) -> dict[str, Any]:
    return {
        **version.record,
        "urn": version.urn,
        "metrics": _metrics(version.record.get("metrics") or {}),
        "measured": version.record.get("metrics") or {},
    }


def _ages(version: Version, at: datetime | None) -> dict[str, Any]:
    """In days. An evaluation is as old as the oldest report that measures it."""
    if at is None:
        return {}
    reports = version.record.get("reports") or []
    written = [
        datetime.fromisoformat(report["written_at"])
        for report in reports
        if report.get("written_at") and not report.get("role", "").startswith("baseline_")
    ]
    return {
        **frameworks.support(version.record.get("framework"), version.record.get("framework_version"), at),
        "age_days": (at - version.created_at) / timedelta(days=1),
        "evaluation_age_days": (at - min(written)) / timedelta(days=1) if written else None,
    }


def _gaps(use_case: UseCase, facet: str) -> list[str]:
    """An incomplete facet is a gap also where no field of it is named, and so is one that nothing was said of."""
    if facet in use_case.missing:
        return [f"{facet}.{field}" for field in use_case.missing[facet]] or [facet]
    return [] if use_case.facets.get(facet) else [facet]


def _finding(row: Mapping[str, Any]) -> dict[str, Any]:
    members = ("kind", "severity", "summary")
    return {**{name: row[name] for name in members}, "ended_by_acceptance": row["kind"] in ENDED_BY_ACCEPTANCE}


def _known(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _metrics(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """As doubles, also what came as a whole number: a policy compares them with either."""
    return {name: float(metric["value"]) for name, metric in metrics.items()}
