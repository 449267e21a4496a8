"""What a use case has to say, and how it moves. Plain values: nothing here reads or writes anything.

The sixth facet, `models`, is not written by anybody: it follows from the candidacies.
"""

from collections.abc import Mapping
from typing import Any

from assent_common.events.catalog import FacetState, Stage

from assent_catalog.use_cases.facets import is_empty

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "business_context": ("purpose", "expected_value"),
    "legal": ("risk_class", "legal_basis", "personal_data"),
    "data": ("description",),
    "impact": ("affected_parties", "human_oversight"),
    "accountability": ("business_owner", "data_steward", "data_scientist", "legal", "security"),
}

WHOSE_JOB: Mapping[str, str] = {
    "business_context": "business_owner",
    "legal": "legal",
    "data": "data_steward",
    "models": "data_scientist",
    "impact": "business_owner",
    "accountability": "business_owner",
}
"""Who is asked first when a facet lacks something."""

STAGES: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.IDEATION: (Stage.DEVELOPMENT, Stage.REJECTED, Stage.ARCHIVED),
    Stage.DEVELOPMENT: (Stage.MONITORING, Stage.REJECTED, Stage.ARCHIVED),
    Stage.MONITORING: (Stage.REJECTED, Stage.ARCHIVED),
    Stage.REJECTED: (Stage.ARCHIVED,),
    Stage.ARCHIVED: (Stage.REJECTED,),
}
"""From → to."""

CLOSED = frozenset({Stage.REJECTED, Stage.ARCHIVED})
"""Nothing leads back from these."""


def completeness(facets: Mapping[str, Mapping[str, Any]], *, has_models: bool) -> dict[str, FacetState]:
    """Facet → whether it says what it has to, and what it lacks."""
    states = {}
    for facet, required in REQUIRED.items():
        said = facets.get(facet, {})
        missing = [field for field in required if is_empty(said.get(field))]
        if facet == "data" and not is_empty(said.get("datasets")):
            missing = []
        states[facet] = FacetState(complete=not missing, missing=missing)
    states["models"] = FacetState(complete=has_models, missing=[] if has_models else ["candidacy"])
    return states


def merged(document: Any, patch: Any) -> Any:
    """JSON Merge Patch (RFC 7396): what the patch says replaces, null removes, the rest stays."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
