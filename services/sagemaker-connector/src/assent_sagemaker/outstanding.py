"""What SageMaker does not say yet: a package's document beside what is wanted of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assent_common.events.governance import CandidacyStatus

from assent_sagemaker.attempts import WriteBack
from assent_sagemaker.aws.update import approval_description
from assent_sagemaker.sources import Stage

STATUS = "assent:status"
USE_CASES = "assent:use-cases"
PROPERTIES_MAX = 50


@dataclass(frozen=True, slots=True)
class Outstanding:
    approval: bool
    properties: Mapping[str, str]
    stage: Stage | None
    #: What is left out, and why.
    note: str | None

    @property
    def labels(self) -> bool:
        return bool(self.properties) or self.stage is not None


def outstanding(
    document: Mapping[str, Any], wanted: WriteBack, life_cycle: Mapping[CandidacyStatus, Stage]
) -> Outstanding:
    """What is to be written. Nothing is that stands there already."""
    says = document.get("ModelApprovalStatus"), document.get("ApprovalDescription")
    approval = says != (wanted.desired, approval_description(wanted.description))
    if wanted.status is None or wanted.use_cases is None:
        return Outstanding(approval, {}, None, None)
    present: Mapping[str, str] = document.get("CustomerMetadataProperties") or {}
    labels = {STATUS: wanted.status, USE_CASES: wanted.use_cases}
    if len(present.keys() | labels.keys()) > PROPERTIES_MAX:
        full = f"its customer metadata are full ({len(present)} of {PROPERTIES_MAX}): {STATUS} is not among them"
        return Outstanding(approval, {}, _stage(document, wanted.status, life_cycle), full)
    missing = {key: value for key, value in labels.items() if present.get(key) != value}
    # Moved once for each status: a pipeline has moved it on since, perhaps.
    stage = _stage(document, wanted.status, life_cycle) if STATUS in missing else None
    return Outstanding(approval, missing, stage, None)


def _stage(document: Mapping[str, Any], status: str, life_cycle: Mapping[CandidacyStatus, Stage]) -> Stage | None:
    stage = life_cycle.get(CandidacyStatus(status))
    present = document.get("ModelLifeCycle") or {}
    return (
        stage if stage and (present.get("Stage"), present.get("StageStatus")) != (stage.stage, stage.status) else None
    )
