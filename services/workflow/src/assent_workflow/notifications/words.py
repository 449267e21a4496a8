"""What a notification says. Pure. What is put into a sentence is hostile: one line, and no longer than a line."""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from assent_workflow.notifications.happenings import Happening, Kind
from assent_workflow.notifications.rules import PLACEHOLDER, Rule

LONGEST_VALUE = 300
LONGEST_SUBJECT = 200
#: Control characters, what turns the direction of writing, what is invisible, and halves of characters.
_NOT_SAID = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})

SUBJECT: Mapping[Kind, str] = {
    Kind.TASK_ASKED: "Your decision is asked for: {use_case}",
    Kind.TASK_ASSIGNED: "A decision was given to you: {use_case}",
    Kind.TASK_DUE_SOON: "Due soon: your decision on {use_case}",
    Kind.TASK_OVERDUE: "Overdue: your decision on {use_case}",
    Kind.TASK_ESCALATED: "Overdue: the decision of others on {use_case}",
    Kind.DELEGATION_GIVEN: "You stand in for {delegator} as {role}",
    Kind.DELEGATION_REVOKED: "You do not stand in for {delegator} as {role} any more",
    Kind.REVIEW_REQUESTED: "A review began: {use_case}",
    Kind.REVIEW_COMMENTED: "A comment on the review of {use_case}",
    Kind.REVIEW_CHANGES_REQUESTED: "Changes are requested: {use_case}",
    Kind.CANDIDACY_ACCEPTED: "Accepted: {use_case}",
    Kind.CANDIDACY_REJECTED: "Rejected: {use_case}",
    Kind.CANDIDACY_SUSPENDED: "Suspended: {use_case}",
    Kind.CANDIDACY_EXPIRED: "Expired: the acceptance for {use_case}",
    Kind.CANDIDACY_RETIRED: "Retired: {use_case}",
    Kind.CANDIDACY_REVIEW_DUE: "Ends soon: the acceptance for {use_case}",
    Kind.STEP_ACCEPTED: "Accepted for {to}: {use_case}",
    Kind.STEP_REJECTED: "Rejected for {to}: {use_case}",
    Kind.STEP_CHANGES_REQUESTED: "Changes are requested before {to}: {use_case}",
    Kind.STEP_SUSPENDED: "Not accepted any more: {use_case}",
    Kind.STEP_REVIEW_DUE: "Looked at again soon: {use_case}",
    Kind.FINDING_OPENED: "A finding ({severity}): {summary}",
    Kind.FINDING_ASSIGNED: "A finding is yours now ({severity}): {summary}",
    Kind.FINDING_OVERDUE: "Overdue: a finding ({severity}): {summary}",
    Kind.FINDING_RESOLVED: "Resolved: {summary}",
}
TEXT: Mapping[Kind, str] = {
    Kind.TASK_ASKED: "{model_version} was put forward for {use_case}. Please decide it.",
    Kind.TASK_ASSIGNED: "{model_version} was put forward for {use_case}. Please decide it.",
    Kind.TASK_DUE_SOON: "{model_version} was put forward for {use_case}, and waits for a decision.",
    Kind.TASK_OVERDUE: "{model_version} was put forward for {use_case}, and a decision is overdue.",
    Kind.TASK_ESCALATED: "{model_version} was put forward for {use_case}, and those asked have not decided in time.",
    Kind.DELEGATION_GIVEN: "What waits for {delegator} as {role}, and what is asked then, is yours to decide, too.",
    Kind.DELEGATION_REVOKED: "What waits for {delegator} as {role} is not yours to decide any more.",
    Kind.REVIEW_REQUESTED: "{model_version} is under review for {use_case}.",
    Kind.REVIEW_COMMENTED: "Somebody said of {model_version} for {use_case}:",
    Kind.REVIEW_CHANGES_REQUESTED: "{model_version} is not accepted for {use_case} as it is.",
    Kind.CANDIDACY_ACCEPTED: "{model_version} is accepted for {use_case}.",
    Kind.CANDIDACY_REJECTED: "{model_version} is rejected for {use_case}.",
    Kind.CANDIDACY_SUSPENDED: "{model_version} is not accepted for {use_case} any more.",
    Kind.CANDIDACY_EXPIRED: "The acceptance of {model_version} for {use_case} ended with its time. Submit it again.",
    Kind.CANDIDACY_RETIRED: "{model_version} is retired for {use_case}.",
    Kind.CANDIDACY_REVIEW_DUE: "The acceptance of {model_version} for {use_case} ends soon. Submit it again.",
    Kind.STEP_ACCEPTED: "{use_case} is accepted for {to}.",
    Kind.STEP_REJECTED: "{use_case} is rejected for {to}.",
    Kind.STEP_CHANGES_REQUESTED: "{use_case} does not go to {to} as it is. Mend it, and propose it again.",
    Kind.STEP_SUSPENDED: "What was accepted of {use_case} for {to} does not hold any more.",
    Kind.STEP_REVIEW_DUE: "What was accepted of {use_case} for {to} ends soon. It is looked at again then.",
    Kind.FINDING_OPENED: "{summary}.",
    Kind.FINDING_ASSIGNED: "{summary}.",
    Kind.FINDING_OVERDUE: "{summary}. It ought to be resolved by now.",
    Kind.FINDING_RESOLVED: "{summary}: it is resolved.",
}
#: Where a step of a use case is judged, and not a model version.
TEXT_OF_STEPS: Mapping[Kind, str] = {
    Kind.TASK_ASKED: "{use_case} is to be accepted for {to}. Please decide it.",
    Kind.TASK_ASSIGNED: "{use_case} is to be accepted for {to}. Please decide it.",
    Kind.TASK_DUE_SOON: "{use_case} is to be accepted for {to}, and waits for a decision.",
    Kind.TASK_OVERDUE: "{use_case} is to be accepted for {to}, and a decision is overdue.",
    Kind.TASK_ESCALATED: "{use_case} is to be accepted for {to}, and those asked have not decided in time.",
    Kind.REVIEW_REQUESTED: "{use_case} is under review for {to}.",
    Kind.REVIEW_COMMENTED: "Somebody said of {use_case} on its way to {to}:",
}
NAMED: Mapping[str, str] = {
    "role": "Asked of",
    "group": "Group",
    "stage": "Stage",
    "due_at": "Due",
    "begins_at": "From",
    "ends_at": "Until",
    "finding": "Finding",
    "severity": "Severity",
    "model_version": "Model version",
    "use_case": "Use case",
    "to": "To",
    "reason": "Reason",
}
PATHS: Mapping[str, str] = {
    "task": "/v1/tasks/",
    "review": "/v1/reviews/",
    "candidacy": "/v1/candidacies/",
    "step": "/v1/use-case-steps/",
    "finding": "/v1/findings/",
    # None of one alone: of a substitute all are.
    "delegation": "/v1/delegations?person={substitute}",
}


def subject_of(happening: Happening, rule: Rule) -> str:
    return fill(rule.subject or SUBJECT[happening.kind], happening.facts)[:LONGEST_SUBJECT]


def text_of(happening: Happening, rule: Rule, *, instead_of: str | None = None) -> str:
    """Some sentences, and below them what is known, a line each."""
    own = TEXT_OF_STEPS.get(happening.kind) if "to" in happening.facts else None
    said = fill(rule.text or own or TEXT[happening.kind], happening.facts, lines=True)
    known = [f"{name}: {plain(happening.facts[fact])}" for fact, name in NAMED.items() if fact in happening.facts]
    stands_in = [f"In place of: {plain(instead_of)}"] if instead_of else []
    return "\n".join([said, "", *stands_in, *known])


def link_of(happening: Happening, public_url: str | None) -> str | None:
    """Where to read on. Without an address of ours, nowhere."""
    if public_url is None:
        return None
    path = PATHS[happening.kind.partition(".")[0]]
    path = path.format(substitute=quote(happening.substitute)) if happening.substitute else f"{path}{happening.about}"
    return f"{public_url.rstrip('/')}{path}"


def fill(template: str, facts: Mapping[str, str], *, lines: bool = False) -> str:
    """What is not known is left out. `lines` keeps the template's own, never those of a value."""
    filled = PLACEHOLDER.sub(lambda found: plain(facts.get(found[1], "…")), template)
    return "\n".join(plain(line, most=None) for line in filled.split("\n")) if lines else plain(filled, most=None)


def plain(text: str, most: int | None = LONGEST_VALUE) -> str:
    """On one line, without what is not seen or changes how the rest is read."""
    shown = "".join(" " if unicodedata.category(each) in _NOT_SAID else each for each in text)
    shown = " ".join(shown.split())
    return shown if most is None or len(shown) <= most else shown[: most - 1] + "…"


def day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
