"""What another system answered, or that it has not yet. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assent_common.events.governance import CheckResult, Seen

from assent_workflow.policies.model import Check

MAX_EVIDENCE_SHOWN = 200


@dataclass(frozen=True)
class Answer:
    """Of one check, on one content."""

    #: None where it has not answered yet.
    passed: bool | None
    reason: str
    evidence: Any = None
    #: Of the whole answer, in hex.
    digest: str | None = None
    answered_at: datetime | None = None


def result(check: Check, answer: Answer | None) -> CheckResult:
    """Nothing but a `true` that came passes."""
    assert check.external is not None
    url = check.external.url
    if answer is None or answer.passed is None:
        why = answer.reason if answer is not None else "it is being asked"
        reason = f"not known yet: {check.description} {url} has not answered ({why})"
        return CheckResult(name=check.name, passed=False, reason=reason[:1000], pending=True)
    shown = answer.evidence if isinstance(answer.evidence, str) else _short(answer.evidence)
    seen = Seen(name=check.name, value=shown, report=url, digest=answer.digest)
    return CheckResult(name=check.name, passed=answer.passed, reason=answer.reason, seen=(seen,))


def _short(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= MAX_EVIDENCE_SHOWN else text[: MAX_EVIDENCE_SHOWN - 1] + "…"
