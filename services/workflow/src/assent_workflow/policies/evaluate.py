"""A policy held against a subject: which checks pass, and who has to approve."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assent_common.events.governance import CheckResult

from assent_workflow.policies import cel
from assent_workflow.policies.model import Check, Policy
from assent_workflow.reviews.model import Asked


def checks(policy: Policy, subject: Mapping[str, Any]) -> tuple[CheckResult, ...]:
    return tuple(_check(check, subject) for check in policy.checks)


def asked(policy: Policy, subject: Mapping[str, Any]) -> tuple[Asked, ...]:
    """The approvals to ask for, stage by stage. An approval whose condition can't be told is asked for."""
    return tuple(
        Asked(stage=number, role=approval.role, due_in=stage.due_in)
        for number, stage in enumerate(policy.stages)
        for approval in stage.approvals
        if approval.when is None or cel.evaluate(approval.when, subject).value is not False
    )


def select(policies: Iterable[Policy], subject: Mapping[str, Any]) -> Policy | None:
    """Of the newest version of each policy, the first by name that applies; `default` only where no other does."""
    newest: dict[str, Policy] = {}
    for policy in policies:
        if policy.name not in newest or policy.version > newest[policy.name].version:
            newest[policy.name] = policy
    ordered: Sequence[Policy] = sorted(newest.values(), key=lambda policy: (policy.name == "default", policy.name))
    return next((policy for policy in ordered if cel.evaluate(policy.applies_to, subject).is_true), None)


def _check(check: Check, subject: Mapping[str, Any]) -> CheckResult:
    answer = cel.evaluate(check.expression, subject)
    if answer.is_true:
        return CheckResult(name=check.name, passed=True, reason="passed")
    if answer.error is not None:
        return CheckResult(name=check.name, passed=False, reason=f"{check.reason}: {answer.error}")
    seen = cel.evaluate(check.seen, subject) if check.seen else None
    return CheckResult(name=check.name, passed=False, reason=check.reason + (f": {_words(seen.value)}" if seen else ""))


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
