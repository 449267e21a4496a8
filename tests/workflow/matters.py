"""What is judged, and by which policy, as `promises` speaks of it: nothing here knows what follows from what."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

STANDING = ("candidate", "under_review", "accepted", "suspended", "rejected")


class Seat(NamedTuple):
    """One approval asked of one person of a role."""

    stage: str
    role: str
    number: int


class Stage(NamedTuple):
    name: str
    #: Role → how many people.
    asked: tuple[tuple[str, int], ...]
    #: How many approvals are enough; all, where absent.
    quorum: int | None = None

    @property
    def seats(self) -> list[Seat]:
        return [Seat(self.name, role, number) for role, people in self.asked for number in range(1, people + 1)]


@dataclass(frozen=True)
class Policy:
    stages: tuple[Stage, ...]
    days: int
    proposer_decides_nothing: bool
    one_person_one_task: bool
    #: Checks that it makes.
    accurate: bool
    described: bool
    #: Parts of the content whose change leaves an acceptance standing; any other suspends it …
    keeps: frozenset[str]
    #: … and puts it under review again at once.
    reviews: bool
    #: Whether a round that follows on requested changes, or on a change of content alone, takes approvals over.
    keeps_approvals: bool = False
    #: Role → the parts that it judges, so that its approval outlives a change of the others; all, where absent.
    judges: tuple[tuple[str, frozenset[str]], ...] = ()
    #: Who may override it, for ten days; nobody past the check that it is described.
    override: str | None = None
    #: Of a policy about use cases: to which stages they go by it.
    steps: frozenset[str] = frozenset()
    #: Whether it is given up only when nothing serves any more for it alone.
    switched_off: bool = False

    def harm(self, one: "Content | Written", other: "Content | Written") -> set[str]:
        """The parts that differ and may not."""
        return {part for part in one._fields if getattr(one, part) != getattr(other, part)} - self.keeps

    def outlives(self, seat: Seat, harm: set[str]) -> bool:
        """Whether an approval does."""
        return not (dict(self.judges).get(seat.role, harm) & harm)


class Content(NamedTuple):
    """Of a version."""

    description: str
    metrics: float


class Written(NamedTuple):
    """Of a use case."""

    impact: bool
    legal: str


@dataclass(eq=False)
class Version:
    content: Content
    live: bool = True
    #: How many were made under its name.
    made: int = 1
    serves: bool = False


@dataclass(eq=False)
class UseCase:
    described: bool = True
    legal: str = "a"
    stage: str = "ideation"
    proposal: "Step | None" = None

    @property
    def given_up(self) -> bool:
        return self.stage in ("rejected", "archived")

    @property
    def content(self) -> Written:
        return Written(self.described, self.legal)


@dataclass(eq=False, kw_only=True)
class Matter:
    """What is judged in rounds."""

    use_case: UseCase
    proposer: str
    history: list[str] = field(default_factory=lambda: ["candidate"])
    policy: Policy | None = None
    #: How many reviews it had.
    round: int = 0
    #: Who asked for the present one, if anybody did.
    asker: str | None = None
    #: What the present review judges; what the last one judged.
    judged: Content | Written | None = None
    approvals: dict[Seat, str] = field(default_factory=dict)
    until: datetime | None = None
    overridden: bool = False
    #: How many approvals counted on in a later round.
    kept: int = 0
    #: Until when what was approved last was to hold, whoever was overridden.
    approved_until: datetime | None = None
    #: Whether it is suspended for its content, and for nothing else.
    moved_on: bool = False

    @property
    def content(self) -> Content | Written:
        raise NotImplementedError

    @property
    def status(self) -> str:
        return self.history[-1]

    @property
    def stands(self) -> bool:
        return self.status in STANDING

    def end(self) -> None:
        """Because what it is about, or for, is gone, or something else stands in its place."""
        self.history.append("withdrawn" if self.status in ("candidate", "under_review") else "retired")

    def is_own_judge(self, name: str) -> bool:
        return name in (self.proposer, self.asker)

    @property
    def open_seats(self) -> set[Seat]:
        """Who is asked now: those of the first stage that has not enough approvals."""
        if self.status != "under_review" or self.policy is None:
            return set()
        for stage in self.policy.stages:
            missing = [seat for seat in stage.seats if seat not in self.approvals]
            if len(stage.seats) - len(missing) < (stage.quorum or len(stage.seats)):
                return set(missing)
        return set()


@dataclass(eq=False, kw_only=True)
class Candidacy(Matter):
    version: Version
    made: int

    @property
    def content(self) -> Content:
        return self.version.content


@dataclass(eq=False, kw_only=True)
class Step(Matter):
    """A use case on its way to a stage, or looked at again where it stands."""

    to: str
    #: Whether it ever was, or no policy asked for that.
    let_go: bool = False

    @property
    def content(self) -> Written:
        return self.use_case.content
