"""Five departments, one review: who may decide what, and what comes of it, in any order."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from assent_common import ids
from assent_common.canonical import ContentHash
from assent_common.events.governance import CheckResult, TaskStatus
from assent_common.ids import Urn
from assent_workflow.candidacies.model import (
    Candidacy,
    ImpossibleTransition,
    Matter,
    Person,
    Status,
    Trigger,
    allowed_from,
    put_forward,
    transition,
)
from assent_workflow.policies.model import Assessment, Policy
from assent_workflow.policies.parse import parse
from assent_workflow.reviews import model
from assent_workflow.reviews.model import Review, ReviewStatus, Round, Task, Verdict
from assent_workflow.reviews.refusals import (
    AlreadyDecided,
    CommentRefused,
    ContentMoved,
    NotYourTask,
    Refused,
    ReviewEnded,
    SeparationOfDuties,
)
from assent_workflow.reviews.round import with_tasks
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
ISSUER = "https://id.example"
ROLES = ("legal", "data_scientist", "security", "risk")
POLICY = parse("""
name: two-steps
version: 3
checks:
  - {name: good, description: It is good., expression: version.good}
stages:
  - name: experts
    approvals:
      - {role: legal, due_in: P14D}
      - {role: data_scientist, due_in: P14D}
      - {role: risk, due_in: P14D, when: use_case.high}
  - name: last-word
    approvals: [{role: security, due_in: P2D}]
valid_for: P365D
""")


@dataclass(frozen=True)
class Somebody:
    subject: str
    roles: frozenset[str] = frozenset(ROLES)
    issuer: str = ISSUER
    groups: frozenset[str] = frozenset()


def somebody(subject: str, *roles: str) -> Somebody:
    return Somebody(subject, frozenset(roles or ROLES))


def assessed(content: str = "a", *, good: bool = True, high: bool = False, policy: Policy = POLICY) -> Assessment:
    """As `policies.evaluate` would answer, without CEL."""
    first, second = policy.stages
    asked = tuple(approval for approval in first.approvals if approval.when is None or high)
    return Assessment(
        policy=policy,
        content_hash=ContentHash(content),
        checks=(CheckResult(name="good", passed=good, reason="fine" if good else "it is not good"),),
        stages=(first.model_copy(update={"approvals": asked}), second),
    )


def a_candidacy(by: str = "ada") -> Candidacy:
    return put_forward(
        use_case="retention",
        use_case_id=ids.new(),
        model_version=Urn("arn:aws:sagemaker:eu-central-1:111122223333:model-package/churn/7"),
        version_created_at=NOW,
        by=Person(ISSUER, by),
        at=NOW,
    )


def a_round(assessment: Assessment | None = None) -> Round:
    return opened(a_candidacy(), assessment or assessed())


def opened(candidacy: Matter, assessment: Assessment, *, by: str = "ada", last: Round | None = None) -> Round:
    """With those asked whom it asks first."""
    round_ = model.open_review(candidacy, assessment, requested_by=by, at=NOW, last=last)
    return model.reconsider(round_, assessment, by=by, at=NOW)


def task_of(round_: Round, role: str) -> Task:
    [task] = [task for task in round_.live if task.role == role]
    return task


def decide(
    round_: Round,
    role: str,
    who: Somebody,
    verdict: Verdict = Verdict.APPROVE,
    comment: str | None = "because",
    assessment: Assessment | None = None,
    at: datetime = NOW,
) -> Round:
    task = task_of(round_, role)
    return model.decide(round_, task.id, verdict, comment, by=who, assessment=assessment or assessed(), at=at)


def approved_by_the_experts(assessment: Assessment | None = None) -> Round:
    round_ = decide(a_round(assessment), "legal", somebody("lucia"), assessment=assessment)
    return decide(round_, "data_scientist", somebody("grace"), assessment=assessment)


def test_stages_come_one_after_the_other_and_their_tasks_fall_due_from_when_they_are_asked() -> None:
    round_ = a_round()
    assert [task.role for task in round_.tasks] == ["legal", "data_scientist"]
    assert {task.due_at for task in round_.tasks} == {NOW + timedelta(days=14)}
    round_ = decide(round_, "legal", somebody("lucia"))
    assert round_.waiting_for == ("data_scientist",)
    later = NOW + timedelta(days=3)
    round_ = decide(round_, "data_scientist", somebody("grace"), at=later)
    assert round_.waiting_for == ("security",)
    assert task_of(round_, "security").due_at == later + timedelta(days=2)


def test_all_approvals_and_all_checks_make_an_acceptance_that_holds_for_a_year() -> None:
    before = approved_by_the_experts()
    after = decide(before, "security", somebody("sam"))
    assert after.candidacy.status is Status.ACCEPTED
    assert after.candidacy.expires_at == NOW + timedelta(days=365)
    assert after.candidacy.reason == "accepted under two-steps@3, approved by legal, data_scientist, security"
    assert (after.review.status, after.review.ended_at) == (ReviewStatus.ACCEPTED, NOW)
    change = after.since(before)
    assert change.candidacy is after.candidacy
    assert change.review is after.review
    assert [task.role for task in change.tasks] == ["security"]


def test_a_step_tells_only_what_it_changed() -> None:
    before = a_round()
    change = decide(before, "legal", somebody("lucia")).since(before)
    assert change.candidacy is None
    assert change.review is None
    assert [task.role for task in change.tasks] == ["legal"]


def test_who_does_not_hold_the_role_does_not_decide_and_an_admin_holds_none() -> None:
    for who in (somebody("adam", "admin"), somebody("vera", "viewer"), somebody("sam", "security")):
        with pytest.raises(NotYourTask, match="role legal"):
            decide(a_round(), "legal", who)
    with pytest.raises(NotYourTask):
        decide(a_round(), "legal", somebody("robot", "service", "legal"))


@pytest.mark.parametrize("verdict", Verdict)
def test_who_put_it_forward_judges_nothing_of_it(verdict: Verdict) -> None:
    with pytest.raises(SeparationOfDuties, match="put this model version forward"):
        decide(a_round(), "legal", somebody("ada"), verdict)
    assert decide(a_round(), "legal", Somebody("ada", issuer="https://other.example"))


def test_one_person_decides_one_task() -> None:
    round_ = decide(a_round(), "legal", somebody("lucia"))
    with pytest.raises(SeparationOfDuties, match="one person"):
        decide(round_, "data_scientist", somebody("lucia"))


def test_a_policy_may_let_the_proposer_and_one_person_do_more() -> None:
    duties = POLICY.separation_of_duties.model_copy(
        update={"proposer_decides_nothing": False, "one_person_one_task": False}
    )
    lenient = assessed(policy=POLICY.model_copy(update={"separation_of_duties": duties}))
    round_ = a_round(lenient)
    for role in ("legal", "data_scientist", "security"):
        round_ = decide(round_, role, somebody("ada"), assessment=lenient)
    assert round_.candidacy.status is Status.ACCEPTED


def test_a_decided_task_is_not_decided_again_by_anybody() -> None:
    round_ = decide(a_round(), "legal", somebody("lucia"))
    for who in ("lucia", "lars"):
        with pytest.raises(AlreadyDecided, match="approved by lucia"):
            decide(round_, "legal", somebody(who), Verdict.REJECT)


def test_a_rejected_review_stays_rejected_whatever_comes_after() -> None:
    round_ = decide(a_round(), "legal", somebody("lucia"), Verdict.REJECT, "no legal basis")
    assert round_.candidacy.status is Status.REJECTED
    assert round_.candidacy.reason == "rejected by legal: no legal basis"
    cancelled = next(task for task in round_.tasks if task.role == "data_scientist")
    assert cancelled.status is TaskStatus.CANCELLED
    for task in round_.tasks:
        with pytest.raises((ReviewEnded, AlreadyDecided)):
            model.decide(round_, task.id, Verdict.APPROVE, None, by=somebody("grace"), assessment=assessed(), at=NOW)
    with pytest.raises(ReviewEnded):
        model.reconsider(round_, assessed(), by="assent", at=NOW)


def test_requested_changes_bring_it_back_to_candidate_and_a_new_round_asks_everybody_anew() -> None:
    back = decide(a_round(), "legal", somebody("lucia"), Verdict.REQUEST_CHANGES, "name the legal basis")
    assert back.candidacy.status is Status.CANDIDATE
    assert back.review.status is ReviewStatus.CHANGES_REQUESTED
    again = opened(back.candidacy, assessed())
    assert again.review.id != back.review.id
    assert again.waiting_for == ("legal", "data_scientist")


@pytest.mark.parametrize(
    ("asks", "kept"),
    [("ada", {"data_scientist"}), ("grace", set()), ("gina", set())],
    ids=["who put it forward", "who approved", "for whom was approved"],
)
def test_who_asks_for_the_next_round_keeps_no_approval_that_he_gave_in_the_last(asks: str, kept: set[str]) -> None:
    keeping = assessed(policy=POLICY.model_copy(update={"keeps_approvals": True}))
    round_ = decide(a_round(keeping), "data_scientist", somebody("grace"), assessment=keeping)
    behalf = replace(task_of(round_, "data_scientist"), on_behalf_of=Person(ISSUER, "gina"))
    back = decide(with_tasks(round_, behalf), "legal", somebody("lucia"), Verdict.REQUEST_CHANGES, assessment=keeping)
    again = opened(back.candidacy, keeping, by=asks, last=back)
    assert {task.role for task in again.live if task.kept_from} == kept
    assert {task.role for task in again.live} == {"legal", "data_scientist"}


def test_a_no_needs_its_reason_and_no_comment_is_endless() -> None:
    for verdict in (Verdict.REJECT, Verdict.REQUEST_CHANGES):
        for comment in (None, "", " \n"):
            with pytest.raises(CommentRefused, match="say why"):
                decide(a_round(), "legal", somebody("lucia"), verdict, comment)
    with pytest.raises(CommentRefused, match="4001 characters"):
        decide(a_round(), "legal", somebody("lucia"), comment="x" * 4001)
    with pytest.raises(CommentRefused, match="NUL"):
        decide(a_round(), "legal", somebody("lucia"), comment="x\x00y")
    assert task_of(decide(a_round(), "legal", somebody("lucia"), comment="x" * 4000), "legal").comment == "x" * 4000


def test_a_failing_check_keeps_it_under_review_and_says_why_until_it_passes() -> None:
    bad = assessed(good=False)
    round_ = decide(approved_by_the_experts(bad), "security", somebody("sam"), assessment=bad)
    assert round_.candidacy.status is Status.UNDER_REVIEW
    assert round_.waiting_for == ()
    assert round_.review.blocked_by == ("good: it is not good",)
    mended = model.reconsider(round_, assessed(), by="catalog", at=NOW)
    assert mended.candidacy.status is Status.ACCEPTED
    assert mended.review.blocked_by == ()
    numbered_on(round_, mended)


def test_a_risk_class_that_rises_during_the_review_brings_risk_to_the_table() -> None:
    round_ = approved_by_the_experts()
    high = assessed(high=True)
    round_ = decide(round_, "security", somebody("sam"), assessment=high)
    assert round_.candidacy.status is Status.UNDER_REVIEW
    assert round_.waiting_for == ("risk",)
    assert decide(round_, "risk", somebody("rita"), assessment=high).candidacy.status is Status.ACCEPTED


def test_a_role_that_was_asked_is_waited_for_though_the_policy_would_not_ask_it_any_more() -> None:
    round_ = model.reconsider(a_round(assessed(high=True)), assessed(), by="catalog", at=NOW)
    assert "risk" in round_.waiting_for


def test_changed_content_dismisses_the_approvals_given_with_the_difference_as_the_reason() -> None:
    before = approved_by_the_experts()
    later = NOW + timedelta(days=5)
    moved = model.dismiss(before, assessed("b"), diff="metrics.accuracy was 0.91, is 0.5", by="assent", at=later)
    after = model.reconsider(moved, assessed("b"), by="assent", at=later)
    assert after.candidacy.status is Status.UNDER_REVIEW
    assert after.candidacy.content_hash == after.review.content_hash == "b"
    assert "metrics.accuracy" in (after.candidacy.reason or "")
    assert after.waiting_for == ("legal", "data_scientist")
    legal = task_of(after, "legal")
    assert legal.id == task_of(before, "legal").id
    assert (legal.decided_by, legal.comment, legal.due_at) == (None, None, later + timedelta(days=14))
    assert legal.dismissed == "metrics.accuracy was 0.91, is 0.5"
    overtaken = task_of(before, "security")
    with pytest.raises(ContentMoved):
        model.decide(after, overtaken.id, Verdict.APPROVE, None, by=somebody("sam"), assessment=assessed("b"), at=NOW)
    # Nobody is bound by what does not count any more.
    assert decide(after, "data_scientist", somebody("lucia"), assessment=assessed("b"))


def test_nobody_approves_a_content_that_has_just_moved_on() -> None:
    with pytest.raises(ContentMoved, match="has just changed"):
        decide(a_round(), "legal", somebody("lucia"), assessment=assessed("b"))


def test_a_round_is_judged_by_the_policy_version_it_began_with_and_by_no_other() -> None:
    newer = assessed(policy=POLICY.model_copy(update={"version": 4}))
    with pytest.raises(ValueError, match="two-steps@3 was assessed by two-steps@4"):
        decide(a_round(), "legal", somebody("lucia"), assessment=newer)


@pytest.mark.parametrize("trigger", [Trigger.WITHDRAW, Trigger.MISSING_FROM_SOURCE, Trigger.USE_CASE_GIVEN_UP])
def test_what_leaves_review_asks_nobody_any_more(trigger: Trigger) -> None:
    after = model.cancel(approved_by_the_experts(), trigger, by="ada", at=NOW)
    assert after.candidacy.status is Status.WITHDRAWN
    assert after.review.status is ReviewStatus.CANCELLED
    assert [task.status for task in after.tasks] == ["approved", "approved", "cancelled"]
    with pytest.raises(ImpossibleTransition):
        model.cancel(after, trigger, by="ada", at=NOW)


def test_two_last_approvers_one_after_the_other_accept_once() -> None:
    accepted = decide(approved_by_the_experts(), "security", somebody("sam"))
    with pytest.raises(AlreadyDecided):
        decide(accepted, "security", somebody("sina"))


PEOPLE = [somebody(name) for name in ("ada", "lucia", "grace", "sam", "rita")] + [
    somebody("only-legal", "legal"),
    somebody("adam", "admin"),
]


@dataclass
class Told:
    """What an onlooker remembers, with no regard to how the model keeps it."""

    approvals: dict[tuple[str, str], Person] = field(default_factory=dict)


class Anything(RuleBasedStateMachine):
    """Any people doing anything in any order."""

    policy = POLICY
    #: How often it came to an acceptance: without any, nothing would have been tried.
    acceptances = 0

    @initialize(proposer=st.sampled_from(PEOPLE))
    def put_forward(self, proposer: Somebody) -> None:
        self.proposer = Person(ISSUER, proposer.subject)
        self.candidacy: Matter = a_candidacy(proposer.subject)
        self.round: Round | None = None
        self.content, self.good, self.high = 0, True, False
        self.told = Told()
        self.settled: dict[object, Task] = {}
        self.ended: dict[object, Review] = {}

    def assessment(self) -> Assessment:
        return assessed(str(self.content), good=self.good, high=self.high, policy=self.policy)

    def look_again(self, by: str) -> None:
        assert self.round is not None
        self.look(model.reconsider(self.round, self.assessment(), by=by, at=NOW))

    def look(self, round_: Round) -> None:
        if self.round is not None:
            numbered_on(self.round, round_)
        self.round, self.candidacy = round_, round_.candidacy
        if round_.review.status is not ReviewStatus.OPEN:
            self.ended[round_.review.id] = round_.review
            self.settled |= {task.id: task for task in round_.tasks}
        if self.candidacy.status is Status.ACCEPTED:
            self.accepted_rightly()

    def accepted_rightly(self) -> None:
        type(self).acceptances += 1
        people = list(self.told.approvals.values())
        for stage in self.assessment().stages:
            given = [approval for approval in stage.approvals if (stage.name, approval.role) in self.told.approvals]
            assert len(given) >= stage.needed
        assert len(people) == len(set(people))
        assert self.proposer not in people
        assert self.good
        assert self.candidacy.content_hash == str(self.content)

    @rule(by=st.sampled_from(PEOPLE))
    def submit(self, by: Somebody) -> None:
        if self.candidacy.allows(Trigger.SUBMIT):
            self.told = Told()
            self.look(model.open_review(self.candidacy, self.assessment(), requested_by=by.subject, at=NOW))
            self.look_again("ada")
        else:
            with pytest.raises(ImpossibleTransition):
                model.open_review(self.candidacy, self.assessment(), requested_by=by.subject, at=NOW)

    @precondition(lambda self: self.round is not None)
    @rule(
        by=st.sampled_from(PEOPLE),
        place=st.integers(0, 9),
        verdict=st.sampled_from([*Verdict, *[Verdict.APPROVE] * 12]),
    )
    def decide(self, by: Somebody, place: int, verdict: Verdict) -> None:
        assert self.round is not None
        self.try_to_decide(self.round.tasks[place % len(self.round.tasks)], by, verdict)

    @precondition(lambda self: self.candidacy.status is Status.UNDER_REVIEW)
    @rule(people=st.permutations(PEOPLE))
    def all_come_along_and_approve_what_they_can(self, people: list[Somebody]) -> None:
        for by in [*people, *people]:
            assert self.round is not None
            for task in self.round.tasks:
                self.try_to_decide(task, by, Verdict.APPROVE)

    def try_to_decide(self, task: Task, by: Somebody, verdict: Verdict) -> None:
        assert self.round is not None
        before = self.round.task(task.id)
        try:
            after = model.decide(self.round, task.id, verdict, "so", by=by, assessment=self.assessment(), at=NOW)
        except Refused:
            return
        assert before.status is TaskStatus.OPEN
        assert self.round.review.status is ReviewStatus.OPEN
        assert task.role in by.roles
        if verdict is Verdict.APPROVE:
            self.told.approvals[task.stage, task.role] = Person(by.issuer, by.subject)
        self.look(after)

    @rule()
    def change_content(self) -> None:
        self.content += 1
        if self.candidacy.status is Status.UNDER_REVIEW:
            assert self.round is not None
            self.told = Told()
            self.look(model.dismiss(self.round, self.assessment(), diff="an artifact", by="assent", at=NOW))
            self.look_again("assent")
        elif self.candidacy.allows(Trigger.CONTENT_CHANGED):
            self.leave(Trigger.CONTENT_CHANGED)

    @rule(good=st.booleans(), high=st.booleans())
    def change_the_use_case(self, good: bool, high: bool) -> None:
        self.good, self.high = good, high
        if self.candidacy.status is Status.UNDER_REVIEW:
            assert self.round is not None
            self.look_again("catalog")

    @rule(trigger=st.sampled_from([Trigger.SUSPEND, Trigger.RETIRE, Trigger.WITHDRAW, Trigger.EXPIRED]))
    def leave(self, trigger: Trigger) -> None:
        if self.candidacy.status is Status.UNDER_REVIEW and trigger is Trigger.WITHDRAW:
            assert self.round is not None
            self.look(model.cancel(self.round, trigger, by="ada", at=NOW))
        elif self.candidacy.allows(trigger):
            self.candidacy = transition(self.candidacy, trigger, by="rita", at=NOW)
            if self.round is not None:
                self.round = replace(self.round, candidacy=self.candidacy)
        else:
            assert trigger not in allowed_from(self.candidacy.status)
            with pytest.raises(ImpossibleTransition):
                transition(self.candidacy, trigger, by="rita", at=NOW)

    @invariant()
    def what_is_over_stays_as_it_was(self) -> None:
        for task in self.tasks_of_ended_rounds():
            assert self.settled[task.id] == task

    @invariant()
    def acceptance_is_of_the_content_that_stands(self) -> None:
        if getattr(self, "candidacy", None) is not None and self.candidacy.status is Status.ACCEPTED:
            assert self.candidacy.content_hash == str(self.content)

    @invariant()
    def under_review_means_an_open_review_that_waits_or_is_blocked(self) -> None:
        if getattr(self, "round", None) is None:
            return
        assert self.round is not None
        is_open = self.round.review.status is ReviewStatus.OPEN
        assert is_open is (self.candidacy.status is Status.UNDER_REVIEW)
        if is_open:
            assert self.round.waiting_for or self.round.review.blocked_by

    def tasks_of_ended_rounds(self) -> Iterator[Task]:
        round_: Round | None = getattr(self, "round", None)
        if round_ is not None and round_.review.id in self.ended:
            assert self.ended[round_.review.id] == round_.review
            yield from round_.tasks


class AnythingByQuorum(Anything):
    """The same, where two of the experts are enough."""

    policy = POLICY.model_copy(update={"stages": (POLICY.stages[0].model_copy(update={"quorum": 2}), POLICY.stages[1])})
    acceptances = 0


def numbered_on(before: Round, after: Round) -> None:
    """Whoever is told of each counts the numbers."""
    known = {each.id: each for each in _entities(before)}
    for each in _entities(after):
        was = known.get(each.id)
        assert each.sequence == (1 if was is None else was.sequence + (each != was)), each


def _entities(round_: Round) -> list[Matter | Review | Task]:
    return [round_.candidacy, round_.review, *round_.tasks]


@pytest.mark.parametrize("machine", [Anything, AnythingByQuorum])
def test_nothing_is_accepted_wrongly_whoever_does_what_in_which_order(machine: type[Anything]) -> None:
    # Now and then no dice of a hundred lead to one.
    for _ in range(5):
        run_state_machine_as_test(machine, settings=settings(max_examples=100, stateful_step_count=30, deadline=None))
        if machine.acceptances > 0:
            return
    raise AssertionError("it never came to an acceptance")
