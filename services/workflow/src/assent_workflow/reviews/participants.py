"""Who has a say in a review, if not a vote. Pure."""

from collections.abc import Collection

from assent_workflow.delegations.model import Delegation
from assent_workflow.identities.model import Person
from assent_workflow.policies.model import Assessment
from assent_workflow.reviews.refusals import NotTakingPart
from assent_workflow.reviews.round import Approver, Round


def takes_part(round_: Round, assessment: Assessment, by: Approver, delegations: Collection[Delegation]) -> None:
    """Who put it forward, whom it names or asks, now or later, and who stands in. Raises NotTakingPart."""
    person = Person(by.issuer, by.subject)
    if "service" in by.roles:
        raise NotTakingPart(round_.review.id)
    if person == round_.candidacy.put_forward_by or by.subject == round_.review.requested_by:
        return
    asked = {task.role for task in round_.tasks}
    for stage in assessment.policy.stages:
        for approval in stage.approvals:
            asked |= {approval.role, *([approval.escalate_to] if approval.escalate_to else [])}
    if asked & {str(role) for role in by.roles}:
        return
    if any(delegation.role in asked and delegation.substitute == person for delegation in delegations):
        return
    if any(named.is_(person) for named in assessment.accountable.values()):
        return
    raise NotTakingPart(round_.review.id)
