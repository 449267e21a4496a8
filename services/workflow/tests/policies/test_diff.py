"""What a new version of a policy says otherwise is told by stage, check and duration, and in words."""

from assent_workflow.policies.diff import Kind, differences
from assent_workflow.policies.parse import parse

BEFORE = """
name: credit
version: 1
checks:
  - {name: good, description: It is good., expression: version.metrics.accuracy >= 0.8}
  - {name: old, description: It is old., expression: "true"}
stages:
  - name: experts
    approvals: [{role: legal, due_in: P14D}, {role: risk, due_in: P5D}]
  - name: last
    approvals: [{role: business_owner, due_in: PT36H}]
valid_for: P365D
"""
AFTER = """
name: credit
version: 2
checks:
  - {name: new, description: It is new., expression: "true"}
  - {name: good, description: It is good., expression: version.metrics.accuracy >= 0.9}
stages:
  - name: last
    approvals: [{role: business_owner, due_in: P1D, accountable: true}]
  - name: experts
    quorum: any
    approvals: [{role: legal, due_in: P7D, substitutes: [risk]}, {role: security, due_in: P5D}]
  - name: board
    approvals: [{role: risk, due_in: P1D}]
valid_for: P180D
on_content_change: {metrics: review, otherwise: suspend}
override: {by: [risk], valid_for: P7D}
"""


def test_every_difference_has_its_place_and_its_words() -> None:
    found = differences(parse(BEFORE), parse(AFTER))
    assert [(each.kind, each.words) for each in found] == [
        (
            Kind.CHECK,
            "the check good: expression is version.metrics.accuracy >= 0.9; before, version.metrics.accuracy >= 0.8",
        ),
        (Kind.CHECK, "the check new is new: It is new."),
        (Kind.CHECK, "the check old is gone: It is old."),
        (Kind.STAGE, "the stages follow one another as last, experts; before, as experts, last"),
        (Kind.STAGE, "the stage board, which asks risk, is new"),
        (Kind.STAGE, "the stage experts: quorum is any; before, all"),
        (Kind.APPROVAL, "the stage experts, legal: due_in is 7 days; before, 14 days"),
        (Kind.APPROVAL, "the stage experts, legal: substitutes is risk; before, nobody"),
        (Kind.APPROVAL, "the stage experts asks risk no more"),
        (Kind.APPROVAL, "the stage experts asks security, too, within 5 days"),
        (Kind.APPROVAL, "the stage last, business_owner: accountable is yes; before, no"),
        (Kind.APPROVAL, "the stage last, business_owner: due_in is 1 day; before, 1 day 12 hours"),
        (Kind.RULE, "on_content_change is metrics review, otherwise suspend; before, suspend"),
        (Kind.RULE, "override is by risk, valid_for 7 days; before, not set"),
        (Kind.RULE, "valid_for is 180 days; before, 365 days"),
    ]
    durations = {each.part: (each.before, each.after) for each in found if "due_in" in each.part}
    assert durations["stages.experts.approvals.legal.due_in"] == ("P14D", "P7D")


def test_another_order_of_checks_or_another_spelling_is_no_difference() -> None:
    turned = BEFORE.replace("version: 1", "version: 7").replace("P14D", "P2W").replace("quorum: all\n", "")
    assert differences(parse(BEFORE), parse(turned)) == []
