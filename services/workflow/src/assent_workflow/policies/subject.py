"""What a policy's expressions see."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from assent_workflow.candidacies.model import Candidacy


@dataclass(frozen=True)
class UseCase:
    """What the catalogue last said of a use case."""

    id: UUID
    key: str
    name: str
    stage: str
    facets: Mapping[str, Mapping[str, Any]]
    #: Facet → the names of required fields that are empty.
    missing: Mapping[str, list[str]]


@dataclass(frozen=True)
class Version:
    """What the registry last said of a model version."""

    urn: str
    id: UUID
    live: bool
    created_at: datetime
    content_hash: str
    content: Mapping[str, Any]
    record: Mapping[str, Any]
    #: The trace of the observation.
    traceparent: str | None


def of(candidacy: Candidacy, use_case: UseCase, version: Version) -> dict[str, Any]:
    """`use_case` with its facets by name and `missing` as `facet.field`; `version` with metrics as plain numbers.

    The facet `models` follows from candidacies, of which this is one: it is never missing here.
    """
    missing = [
        f"{facet}.{field}" for facet, fields in use_case.missing.items() if facet != "models" for field in fields
    ]
    metrics = version.record.get("metrics") or {}
    return {
        "use_case": {
            **use_case.facets,
            "key": use_case.key,
            "name": use_case.name,
            "stage": use_case.stage,
            "missing": missing,
        },
        "version": {
            **{name: value for name, value in version.record.items() if value is not None},
            "metrics": {name: float(metric["value"]) for name, metric in metrics.items()},
        },
        "candidacy": {"proposer": candidacy.proposer.subject, "status": candidacy.status.value},
    }
