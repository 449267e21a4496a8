"""What a policy would have made of a round that was judged by another. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from assent_common.canonical import ContentHash

from assent_workflow.external.model import Answer
from assent_workflow.policies import cel
from assent_workflow.policies.evaluate import assess
from assent_workflow.policies.kept_apart import Given, People, heeded, not_known
from assent_workflow.policies.model import Assessment, Policy, Stage


class Would(StrEnum):
    #: Who approved then is all whom it asks, and every check passes.
    ACCEPTED = "accepted"
    #: Somebody whom it asks, too, said no.
    REJECTED = "rejected"
    CHANGES_REQUESTED = "changes_requested"
    #: A check does not pass, whoever approves.
    BLOCKED = "blocked"
    #: It asks somebody who had no part in it then, or had not answered.
    WAITING = "waiting"
    NOT_APPLICABLE = "not_applicable"
    #: What was known then was not kept, or does not tell whether it applies.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Replayed:
    would: Would
    #: Why, in words.
    reasons: tuple[str, ...] = ()
    #: What the answer leaves out of account, for it was not kept or never known.
    not_known: tuple[str, ...] = ()


def replay(
    policy: Policy,
    facts: Mapping[str, Any] | None,
    given: Collection[Given],
    answers: Mapping[str, Answer],
    content_hash: str,
    people: People,
) -> Replayed:
    """On the facts of then, and by what those said who could have said it under this policy."""
    if facts is None:
        return Replayed(Would.UNKNOWN, ("what was known of it then was not kept",))
    if policy.applies_to is not None:
        applies = cel.evaluate(policy.applies_to, facts)
        if applies.error is not None or not isinstance(applies.value, bool):
            return Replayed(Would.UNKNOWN, (f"whether it applies cannot be told: {applies.error}",))
        if not applies.value:
            return Replayed(Would.NOT_APPLICABLE)
    assessment = assess(policy, facts, content_hash=ContentHash(content_hash), answers=answers)
    asked = {approval.role for stage in assessment.stages for approval in stage.approvals}
    said_then = [each for each in given if each.role in asked]
    counting, aside = heeded(policy, assessment.stages, said_then, people)
    not_known_ = tuple(dict.fromkeys(not_known(policy, counting, people)))
    for would, said in ((Would.REJECTED, "rejected"), (Would.CHANGES_REQUESTED, "changes_requested")):
        by = [each.role for each in counting if each.verdict == said]
        if by:
            return Replayed(would, (f"{said.replace('_', ' ')} by {', '.join(by)}",), not_known_)
    failing = tuple(f"{check.name}: {check.reason}" for check in assessment.checks if not check.passed)
    if failing:
        return Replayed(Would.BLOCKED, failing, not_known_)
    missing = _missing(assessment, counting)
    if not missing:
        return Replayed(Would.ACCEPTED, not_known=not_known_)
    if aside:
        not_known_ = (*not_known_, "whether somebody else would have said the same in the place of whom it keeps apart")
    return Replayed(Would.WAITING, (*missing, *aside), not_known_)


def _missing(assessment: Assessment, given: Collection[Given]) -> tuple[str, ...]:
    """What each stage lacks. An approval counts once."""
    approved = Counter((each.role, each.group) for each in given if each.verdict == "approved")
    lacking = []
    for stage in assessment.stages:
        short: Counter[str] = Counter()
        for approval in stage.approvals:
            for _ in range(approval.people):
                if not _take(approved, approval.role, approval.group):
                    short[str(approval.role)] += 1
        if len(stage.seats) - sum(short.values()) < stage.needed:
            lacking.append(_lacks(stage, short))
    return tuple(lacking)


def _take(approved: Counter[tuple[str, str | None]], role: str, group: str | None) -> bool:
    for of in [group] if group is not None else [of for known, of in approved if known == role]:
        if approved[role, of] > 0:
            approved[role, of] -= 1
            return True
    return False


def _lacks(stage: Stage, short: Mapping[str, int]) -> str:
    who = ", ".join(role if number == 1 else f"{number} of {role}" for role, number in short.items())
    quorum = "" if stage.quorum == "all" else f" (quorum: {stage.quorum})"
    return f"the stage {stage.name} lacks {who}{quorum}"
