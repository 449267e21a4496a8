"""A policy's YAML to a policy, with line and column for every fault."""

from collections.abc import Iterator
from functools import lru_cache

from assent_workflow.marked_yaml import MAX_DEPTH as MAX_DEPTH
from assent_workflow.marked_yaml import MAX_LENGTH as MAX_LENGTH
from assent_workflow.marked_yaml import Fault as Fault
from assent_workflow.marked_yaml import Marks, TextInvalid, Way, fault_at, parse_as
from assent_workflow.policies import cel
from assent_workflow.policies.model import Policy


class PolicyInvalid(TextInvalid):
    """The text is no policy."""


@lru_cache(maxsize=256)
def parse(text: str) -> Policy:
    """The same text is read once: what judges a thousand candidacies does not parse its policy a thousand times.

    Raises PolicyInvalid with all faults of the first kind found: YAML, then fields, then expressions.
    """
    return parse_as(Policy, text, refused=PolicyInvalid, faults_of=_expression_faults)


def _expression_faults(policy: Policy, marks: Marks) -> Iterator[Fault]:
    for way, expression, condition in _expressions(policy):
        if expression is not None:
            try:
                cel.check(expression, condition=condition)
            except cel.ExpressionInvalid as error:
                yield fault_at(marks, way, str(error), "the policy")


def _expressions(policy: Policy) -> Iterator[tuple[Way, str | None, bool]]:
    yield ("applies_to",), policy.applies_to, True
    for number, check in enumerate(policy.checks):
        yield ("checks", number, "expression"), check.expression, True
        yield ("checks", number, "otherwise"), check.otherwise, False
    for number, stage in enumerate(policy.stages):
        yield ("stages", number, "when"), stage.when, True
        for inner, approval in enumerate(stage.approvals):
            yield ("stages", number, "approvals", inner, "when"), approval.when, True
