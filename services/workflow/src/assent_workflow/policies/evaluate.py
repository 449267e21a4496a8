"""A policy held against the facts: which checks pass, and who has to approve."""

from collections.abc import Iterable, Mapping
from typing import Any

from assent_common.canonical import ContentHash
from assent_common.events.governance import CheckResult

from assent_workflow.policies import cel
from assent_workflow.policies.model import Assessment, Check, Policy


def assess(policy: Policy, facts: Mapping[str, Any], *, content_hash: ContentHash) -> Assessment:
    """What the policy comes to. An approval whose condition cannot be told is asked for."""
    stages = []
    for stage in policy.stages:
        asked = tuple(a for a in stage.approvals if a.when is None or cel.evaluate(a.when, facts).value is not False)
        if asked:
            stages.append(stage.model_copy(update={"approvals": asked}))
    checks = tuple(_check(check, facts) for check in policy.checks)
    return Assessment(policy=policy, content_hash=content_hash, checks=checks, stages=tuple(stages))


def select(policies: Iterable[Policy], facts: Mapping[str, Any]) -> Policy | None:
    """Of the newest version of each policy, the first by name that is meant for these; else one meant for everybody."""
    newest: dict[str, Policy] = {}
    for policy in policies:
        if policy.name not in newest or policy.version > newest[policy.name].version:
            newest[policy.name] = policy
    ordered = sorted(newest.values(), key=lambda policy: (policy.applies_to is None, policy.name))
    return next((p for p in ordered if p.applies_to is None or cel.evaluate(p.applies_to, facts).is_true), None)


def _check(check: Check, facts: Mapping[str, Any]) -> CheckResult:
    answer = cel.evaluate(check.expression, facts)
    if answer.is_true:
        return CheckResult(name=check.name, passed=True, reason=check.description)
    if answer.error is not None:
        return CheckResult(name=check.name, passed=False, reason=answer.error)
    otherwise = cel.evaluate(check.otherwise, facts) if check.otherwise else None
    words = otherwise.value if otherwise and isinstance(otherwise.value, str) else f"not so: {check.description}"
    return CheckResult(name=check.name, passed=False, reason=words)
