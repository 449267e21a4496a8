"""A policy held against the facts: which checks pass, and who has to approve."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from assent_common.canonical import ContentHash
from assent_common.events.governance import CheckResult

from assent_workflow.external.model import Answer, result
from assent_workflow.policies import cel, evidence
from assent_workflow.policies.model import Approval, Assessment, Check, Policy, Stage

MAX_REASON_LENGTH = 1_000
_METRIC = re.compile(r"""\bversion\.metrics(?:\.(\w+)|\[\s*["']([^"']+)["']\s*\])""")


def assess(
    policy: Policy,
    facts: Mapping[str, Any],
    *,
    content_hash: ContentHash,
    answers: Mapping[str, Answer] = MappingProxyType({}),
    **known: Any,
) -> Assessment:
    """What the policy comes to on the facts that stand now (`subject.facts`), which are about this content.

    `answers` are those of other systems, by the names of the checks.
    """
    stages = []
    for stage in policy.stages:
        asked = tuple(approval for approval in stage.approvals if _is_asked(approval, facts))
        if asked and _is_asked(stage, facts):
            stages.append(stage.model_copy(update={"approvals": asked}))
    checks = tuple(
        result(check, answers.get(check.name)) if check.external is not None else _check(check, facts)
        for check in policy.checks
    )
    return Assessment(
        policy=policy, content_hash=content_hash, checks=checks, stages=tuple(stages), facts=facts, **known
    )


def _is_asked(asked: Approval | Stage, facts: Mapping[str, Any]) -> bool:
    """What has a condition that cannot be told is asked for."""
    return asked.when is None or cel.evaluate(asked.when, facts).value is not False


def _check(check: Check, facts: Mapping[str, Any]) -> CheckResult:
    assert check.expression is not None
    answer = cel.evaluate(check.expression, facts)
    reason = check.description if answer.is_true else _why_not(check, answer, facts)[:MAX_REASON_LENGTH]
    return CheckResult(
        name=check.name,
        passed=answer.is_true,
        reason=reason,
        expression=check.expression,
        seen=evidence.seen(check.expression, facts),
    )


def _why_not(check: Check, answer: cel.Answer, facts: Mapping[str, Any]) -> str:
    assert check.expression is not None
    metrics = dict.fromkeys(dotted or quoted for dotted, quoted in _METRIC.findall(check.expression))
    if answer.missing in metrics:
        status = facts.get("version", {}).get("metrics_status")
        aside = f" (its reports are {status})" if status in ("pending", "unreadable") else ""
        return f"the metric {answer.missing} is not known{aside}"
    if answer.error is not None:
        return f"{check.description} That cannot be told: {answer.error}"
    if answer.value is not False:
        return f"{check.name} gives {answer.value!r}, neither true nor false"
    otherwise = cel.evaluate(check.otherwise, facts) if check.otherwise else cel.Answer()
    if isinstance(otherwise.value, str):
        return otherwise.value
    known = facts.get("version", {}).get("metrics", {})
    seen = ", ".join(f"{name} is {known[name]:g}" for name in metrics if name in known)
    return f"not so: {check.description}" + (f" ({seen})" if seen else "")
