"""What SageMaker says of an approval, beside what is right: by table, and by random lives of versions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from assent_sagemaker.drift import RESTORES_WITHIN, Approval, Found, Restores, Standing, at_first, judged, restored_to
from hypothesis import given, settings
from hypothesis import strategies as st

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
A: Approval = "Approved"
R: Approval = "Rejected"
P: Approval = "PendingManualApproval"


def found(status: Approval, *, by: str | None = "ada", minute: int = 0) -> Found:
    return Found(status, by, NOON + timedelta(minutes=minute))


@pytest.mark.parametrize(
    ("standing", "wanted", "writing", "says", "then", "drifts"),
    [
        # Nothing was decided.
        (P, None, None, P, P, False),
        (P, None, None, A, P, True),
        (P, None, None, R, P, True),
        (A, None, None, A, A, False),
        (A, None, None, P, A, True),
        # It was decided, and is not written yet: nobody did anything.
        (P, A, None, P, P, False),
        (A, R, None, A, A, False),
        # It was decided, and written or done by hand.
        (P, A, None, A, A, False),
        (A, P, None, P, P, False),
        # It was decided, and somebody did something else.
        (P, A, None, R, P, True),
        (A, A, None, P, A, True),
        (A, A, None, R, A, True),
        # What Assent is writing is its own, even if something else was decided meanwhile.
        (P, P, A, A, A, False),
        (P, None, A, A, A, False),
        (P, R, A, A, A, False),
        (P, R, A, P, P, False),
    ],
)
def test_what_is_drift_and_what_is_right_from_then_on(
    standing: Approval, wanted: Approval | None, writing: Approval | None, says: Approval, then: Approval, drifts: bool
) -> None:
    after = judged(Standing(standing, None, wanted, writing), found(says))
    assert (after.status, after.drift is not None) == (then, drifts)
    if after.drift:
        assert (after.drift.found, after.drift.wanted, after.drift.by) == (says, wanted, "ada")


@pytest.mark.parametrize(
    ("says", "watched", "drifts"),
    [(A, False, False), (R, False, False), (P, False, False), (A, True, True), (R, True, False), (P, True, False)],
)
def test_a_company_begins_with_its_approvals_but_nobody_registers_as_approved(
    says: Approval, watched: bool, drifts: bool
) -> None:
    assert (judged(at_first(found(says), watched=watched), found(says)).drift is not None) == drifts


def test_who_did_it_stays_who_did_it_until_somebody_does_something_else() -> None:
    drifting = judged(Standing(P), found(A, by="ada", minute=1))
    tagged = judged(drifting, found(A, by="bea", minute=2))
    assert tagged == drifting
    decided = judged(replace(tagged, wanted=R), found(A, by="bea", minute=2))
    assert decided.drift is not None
    assert (decided.drift.wanted, decided.drift.by, decided.drift.at) == (R, "ada", NOON + timedelta(minutes=1))
    rejected = judged(Standing(P, decided.drift), found(R, by="bea", minute=3))
    assert rejected.drift is not None
    assert (rejected.drift.found, rejected.drift.by) == (R, "bea")


def test_a_drift_is_put_back_to_what_was_decided_or_stood_but_never_to_an_approval_that_nobody_gave() -> None:
    for standing, says, to in [
        (Standing(P), A, P),
        (Standing(P, wanted=R), A, R),
        (Standing(A, wanted=A), P, A),
        (Standing(R), A, R),
        (Standing(A), P, None),
        (Standing(A), A, None),
    ]:
        assert restored_to(judged(standing, found(says))) == to


def test_it_is_put_back_some_times_and_again_when_that_was_long_ago() -> None:
    restores = Restores(0, None)
    for minute in range(3):
        assert not restores.exhausted(NOON + timedelta(minutes=minute))
        restores = restores.once_more(NOON + timedelta(minutes=minute))
    soon, later = NOON + timedelta(minutes=9), NOON + timedelta(minutes=3) + RESTORES_WITHIN
    assert restores.exhausted(soon)
    assert not restores.exhausted(later)
    assert restores.once_more(later).count == 1


@dataclass
class Life:
    """A version as it goes through the world: SageMaker, the decisions, and Assent in between."""

    says: Approval
    #: What it was last read to say.
    read: Approval
    standing: Standing
    #: What SageMaker was last read to say that was right, by the book: the oracle.
    right: Approval
    #: Whether a decision is still to be written.
    pending: bool = False

    def edit(self, to: Approval) -> None:
        self.says = to

    def decide(self, wanted: Approval | None) -> None:
        """Judged by what was read last: SageMaker is not asked."""
        self.standing = replace(self.standing, wanted=wanted)
        self.pending = wanted is not None
        self._judge()

    def write(self, *, cut_off: bool = False, fails: bool = False) -> None:
        """As the writer does: look, forget what an attempt before left noted, note, write, look, forget."""
        self.look()
        self.standing = replace(self.standing, writing=None)
        wanted = self.standing.wanted
        if not self.pending or wanted is None:
            return
        self.standing = replace(self.standing, writing=wanted)
        if not fails:
            self.says = wanted
        if fails or cut_off:
            return
        self.look()
        self.standing = replace(self.standing, writing=None)
        self.pending = False

    def look(self) -> None:
        self.read = self.says
        self._judge()

    def _judge(self) -> None:
        # Who sets by hand what Assent is just writing can't be told from Assent.
        if self.read in (self.standing.wanted, self.standing.writing):
            self.right = self.read
        self.standing = judged(self.standing, found(self.read))
        drift = self.standing.drift
        assert (drift is None) == (self.read in (self.standing.wanted, self.right))
        if drift is not None:
            assert (drift.found, drift.wanted) == (self.read, self.standing.wanted)


_statuses = st.sampled_from([A, R, P])
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), _statuses),
        st.tuples(st.just("decide"), st.one_of(st.none(), _statuses)),
        st.tuples(st.just("look"), st.none()),
        st.tuples(st.just("write"), st.sampled_from(["done", "cut off", "fails"])),
    ),
    max_size=12,
)


@settings(max_examples=500)
@given(_statuses, st.booleans(), _steps)
def test_at_rest_a_version_drifts_exactly_if_sagemaker_says_neither_what_is_wanted_nor_what_it_last_said_rightly(
    first: Approval, watched: bool, steps: Sequence[tuple[str, str | None]]
) -> None:
    standing = at_first(found(first), watched=watched)
    life = Life(first, first, standing, standing.status)
    for step, what in steps:
        match step:
            case "edit":
                life.edit(what)  # type: ignore[arg-type]
            case "decide":
                life.decide(what)  # type: ignore[arg-type]
            case "look":
                life.look()
            case _:
                life.write(cut_off=what == "cut off", fails=what == "fails")
    was_pending = life.pending
    life.write()
    assert life.standing.writing is None
    for _ in range(2):
        life.look()
    if was_pending:
        assert (life.says, life.standing.drift) == (life.standing.wanted, None)


@given(_statuses, _steps)
def test_without_decisions_what_sagemaker_said_at_first_is_right_for_ever(
    first: Approval, steps: Sequence[tuple[str, str | None]]
) -> None:
    life = Life(first, first, at_first(found(first), watched=False), first)
    for step, what in steps:
        if step == "edit":
            life.edit(what)  # type: ignore[arg-type]
        life.look()
    life.look()
    assert (life.standing.drift is None) == (life.says == first)


@given(_statuses, _statuses, st.lists(_statuses, max_size=5))
def test_once_a_decision_is_written_it_alone_is_right(
    first: Approval, wanted: Approval, edits: Sequence[Approval]
) -> None:
    life = Life(first, first, at_first(found(first), watched=False), first)
    life.decide(wanted)
    life.write()
    for edit in edits:
        life.edit(edit)
        life.look()
        assert (life.standing.drift is None) == (edit == wanted)
