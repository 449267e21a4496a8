"""Which policy applies."""

from collections.abc import Iterable, Mapping
from typing import Any

from assent_workflow.policies import cel
from assent_workflow.policies.model import About, Policy


class NoOnePolicy(Exception):
    """It cannot be told which policy applies; the sentence says what to mend."""


class NoPolicy(NoOnePolicy):
    """It can: none does."""


def newest(policies: Iterable[Policy]) -> list[Policy]:
    """Of each the last version, by name."""
    last: dict[str, Policy] = {}
    for policy in policies:
        if policy.name not in last or policy.version > last[policy.name].version:
            last[policy.name] = policy
    return [last[name] for name in sorted(last)]


def about(policies: Iterable[Policy], what: About, *, to: str | None = None) -> list[Policy]:
    """Of the newest version of each, those about this; of use cases, about this step."""
    return [
        policy for policy in newest(policies) if policy.subject is what and (to is None or to in (policy.steps or ()))
    ]


def select(policies: Iterable[Policy], subject: Mapping[str, Any]) -> Policy:
    """Of the newest version of each, the one whose `applies_to` holds; those without one only where no other does.

    Raises NoOnePolicy where several hold, where none is left, and where an `applies_to` cannot be told: a missing
    fact must not lead past a strict policy to a lenient one.
    """
    ordered = newest(policies)
    meant = [
        policy for policy in ordered if policy.applies_to is not None and _holds(policy, policy.applies_to, subject)
    ]
    applying = meant or [policy for policy in ordered if policy.applies_to is None]
    if not applying:
        raise NoPolicy("no policy applies here; an admin has to write one")
    if len(applying) > 1:
        names = " and ".join(policy.ref for policy in applying)
        raise NoOnePolicy(f"{names} all apply; an admin has to make their `applies_to` exclude each other")
    return applying[0]


def _holds(policy: Policy, applies_to: str, subject: Mapping[str, Any]) -> bool:
    answer = cel.evaluate(applies_to, subject)
    if answer.error is not None or not isinstance(answer.value, bool):
        why = answer.error or f"it gives {answer.value!r}, not true or false"
        raise NoOnePolicy(f"whether {policy.ref} applies cannot be told: {why}")
    return answer.value
