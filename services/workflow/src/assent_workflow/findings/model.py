"""A finding's life: open, its risk accepted for a time, resolved; and open again when it comes back. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from assent_common import ids
from assent_common.actors import ASSENT

from assent_workflow.findings.rules import BY_HAND, Found, Kind, Severity

#: How long the owner has.
DUE_IN: Mapping[Severity, timedelta] = {
    Severity.CRITICAL: timedelta(days=1),
    Severity.HIGH: timedelta(days=7),
    Severity.MEDIUM: timedelta(days=30),
    Severity.LOW: timedelta(days=90),
}
LONGEST_RISK = timedelta(days=366)


class FindingStatus(StrEnum):
    OPEN = "open"
    #: Somebody took the risk upon himself, until a date.
    RISK_ACCEPTED = "risk_accepted"
    RESOLVED = "resolved"


class NotSo(Exception):
    """The finding's state does not allow this."""


class NoSuchDay(ValueError):
    """A risk is not accepted until then."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    id: UUID
    kind: Kind
    subject_kind: str
    subject: str
    detail: str
    severity: Severity
    status: FindingStatus
    summary: str
    evidence: Mapping[str, Any]
    owner: str | None
    model_version: str | None
    due_at: datetime
    found_at: datetime
    #: How often it came (back).
    times_found: int = 1
    #: Why it stands where it stands, in words, and who put it there.
    reason: str | None = None
    changed_by: str = ASSENT
    changed_at: datetime
    accepted_until: datetime | None = None
    resolved_at: datetime | None = None
    sequence: int = 1

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.kind.value, self.subject, self.detail)


def settle(known: Iterable[Finding], found: Iterable[Found], *, at: datetime) -> Iterator[Finding]:
    """What changes. `known` is all that was ever found of the subjects looked at, `found` all that is so now."""
    before = {finding.key: finding for finding in known}
    now = {each.key: each for each in found}
    for key, each in now.items():
        if key not in before:
            yield _new(each, at)
        elif (after := _again(before[key], each, at)) != before[key]:
            yield after
    for key, finding in before.items():
        if key not in now and finding.status is not FindingStatus.RESOLVED:
            yield _resolved(finding, by=ASSENT, reason="it is not so any more", at=at)


def accept_risk(finding: Finding, *, until: datetime, reason: str, by: str, at: datetime) -> Finding:
    """Raises NotSo, NoSuchDay."""
    if finding.status is FindingStatus.RESOLVED:
        raise NotSo("the finding is resolved: there is no risk to accept")
    if until <= at:
        raise NoSuchDay("that is over: a risk is accepted until a time to come")
    if until > at + LONGEST_RISK:
        last = at + LONGEST_RISK
        raise NoSuchDay(f"a risk is accepted for {LONGEST_RISK.days} days at the most, until {last:%Y-%m-%d}")
    return replace(
        finding,
        status=FindingStatus.RISK_ACCEPTED,
        accepted_until=until,
        reason=reason,
        changed_by=by,
        changed_at=at,
        sequence=finding.sequence + 1,
    )


def resolve(finding: Finding, *, reason: str, by: str, at: datetime) -> Finding:
    """By hand: what happened and was looked into. Raises NotSo for what lasts and ends by itself."""
    if finding.status is FindingStatus.RESOLVED:
        raise NotSo("the finding is resolved already")
    if finding.kind not in BY_HAND:
        raise NotSo("it is still so: end what causes it and it is resolved by itself, or accept its risk until a date")
    return _resolved(finding, by=by, reason=reason, at=at)


def risk_is_over(finding: Finding, *, at: datetime) -> Finding:
    """The time is up for which its risk was accepted."""
    until = finding.accepted_until
    return replace(
        finding,
        status=FindingStatus.OPEN,
        accepted_until=None,
        reason=f"its risk was accepted until {until:%Y-%m-%d}",
        due_at=at + DUE_IN[finding.severity],
        changed_by=ASSENT,
        changed_at=at,
        sequence=finding.sequence + 1,
    )


def _new(each: Found, at: datetime) -> Finding:
    return Finding(
        id=ids.new(),
        kind=each.kind,
        subject_kind=each.subject_kind,
        subject=each.subject,
        detail=each.detail,
        severity=each.severity,
        status=FindingStatus.OPEN,
        summary=each.summary,
        evidence=each.evidence,
        owner=each.owner,
        model_version=each.model_version,
        due_at=at + DUE_IN[each.severity],
        found_at=at,
        changed_at=at,
    )


def _again(finding: Finding, each: Found, at: datetime) -> Finding:
    if finding.status is FindingStatus.RESOLVED:
        closed_by_hand = finding.changed_by != ASSENT
        if closed_by_hand and finding.evidence == each.evidence:
            return finding
        return replace(
            _new(each, at),
            id=finding.id,
            times_found=finding.times_found + 1,
            reason="it came back",
            sequence=finding.sequence + 1,
        )
    seen = replace(finding, severity=each.severity, summary=each.summary, evidence=each.evidence, owner=each.owner)
    if seen == finding:
        return finding
    due_at = min(finding.due_at, at + DUE_IN[each.severity])
    return replace(seen, due_at=due_at, changed_at=at, sequence=finding.sequence + 1)


def _resolved(finding: Finding, *, by: str, reason: str, at: datetime) -> Finding:
    return replace(
        finding,
        status=FindingStatus.RESOLVED,
        accepted_until=None,
        reason=reason,
        changed_by=by,
        changed_at=at,
        resolved_at=at,
        sequence=finding.sequence + 1,
    )
