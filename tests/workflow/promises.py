"""What DESIGN says of candidacies, as small as it can be said: §4's states, §5's policies, §7's roles, §9's promises.

Written from that page, not from the service, and it knows nothing of how the service does it. Whatever is asked of it
answers whether DESIGN lets it happen; if so, it has happened.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
    #: Who may override it, for ten days; nobody past the check that it is described.
    override: str | None


class Content(NamedTuple):
    description: str
    metrics: float

    def differs_in(self, other: "Content") -> set[str]:
        return {part for part in self._fields if getattr(self, part) != getattr(other, part)}


@dataclass
class Version:
    content: Content
    live: bool = True


@dataclass
class UseCase:
    described: bool = True
    given_up: bool = False


@dataclass
class Candidacy:
    use_case: UseCase
    version: Version
    proposer: str
    history: list[str] = field(default_factory=lambda: ["candidate"])
    policy: Policy | None = None
    #: How many reviews it had.
    round: int = 0
    #: What the present review judges; what the last one judged.
    judged: Content | None = None
    approvals: dict[Seat, str] = field(default_factory=dict)
    until: datetime | None = None
    overridden: bool = False

    @property
    def status(self) -> str:
        return self.history[-1]

    @property
    def stands(self) -> bool:
        return self.status in STANDING

    def end(self) -> None:
        """Because what it is about, or for, is gone."""
        self.history.append("withdrawn" if self.status in ("candidate", "under_review") else "retired")

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


@dataclass
class Company:
    now: datetime
    policy: Policy
    use_cases: list[UseCase]
    versions: list[Version]
    candidacies: list[Candidacy] = field(default_factory=list)

    def put_forward(self, use_case: int, version: int, name: str, role: str) -> bool:
        about = (self.use_cases[use_case], self.versions[version])
        taken = any(each.stands and each.use_case is about[0] and each.version is about[1] for each in self.candidacies)
        if role != "data_scientist" or taken or not about[1].live or about[0].given_up:
            return False
        self.candidacies.append(Candidacy(*about, proposer=name))
        return True

    def submit(self, candidacy: Candidacy, role: str) -> bool:
        if role != "data_scientist" or candidacy.status not in ("candidate", "suspended", "rejected"):
            return False
        self._review(candidacy)
        return True

    def leave(self, candidacy: Candidacy, how: str, role: str) -> bool:
        """Withdrawn, suspended or retired by hand."""
        who, whence, whither = {
            "withdraw": (("data_scientist",), ("candidate", "under_review"), "withdrawn"),
            "suspend": (("risk", "security", "admin"), ("accepted",), "suspended"),
            "retire": (("risk", "security", "admin"), ("accepted", "suspended", "rejected"), "retired"),
        }[how]
        if role not in who or candidacy.status not in whence:
            return False
        candidacy.history.append(whither)
        return True

    def decide(self, candidacy: Candidacy, round_: int, seat: Seat, verdict: str, name: str, role: str) -> bool:
        policy = candidacy.policy
        if policy is None or round_ != candidacy.round or seat not in candidacy.open_seats or role != seat.role:
            return False
        if policy.proposer_decides_nothing and name == candidacy.proposer:
            return False
        gave = [given for given, by in candidacy.approvals.items() if by == name]
        if gave and (policy.one_person_one_task or any(given[:2] == seat[:2] for given in gave)):
            return False
        match verdict:
            case "approve":
                candidacy.approvals[seat] = name
                self._settle(candidacy)
            case "reject":
                candidacy.history.append("rejected")
            case "request_changes":
                candidacy.history.append("candidate")
        return True

    def override(self, candidacy: Candidacy, name: str, role: str) -> bool:
        policy = candidacy.policy
        if candidacy.status != "under_review" or policy is None or role != policy.override:
            return False
        if policy.proposer_decides_nothing and name == candidacy.proposer:
            return False
        if policy.described and not candidacy.use_case.described:
            return False
        self._accept(candidacy, days=10, overridden=True)
        return True

    def change_content(self, version: int, content: Content) -> None:
        """Or tell it again, where it is the same."""
        self.versions[version].content = content
        self.versions[version].live = True
        for candidacy in self._of(self.versions[version]):
            policy, judged = candidacy.policy, candidacy.judged
            if policy is None or judged is None:
                continue
            harm = judged.differs_in(content) - policy.keeps
            if candidacy.status == "under_review":
                candidacy.judged = content
                if harm:
                    candidacy.approvals.clear()
                self._settle(candidacy)
            elif candidacy.status == "accepted" and harm:
                candidacy.history.append("suspended")
                if policy.reviews:
                    self._review(candidacy)

    def remove(self, version: int) -> None:
        """At its source; or something else is there now under its name."""
        self.versions[version].live = False
        for candidacy in self._of(self.versions[version]):
            candidacy.end()

    def give_up(self, use_case: int) -> None:
        self.use_cases[use_case].given_up = True
        for candidacy in self.candidacies:
            if candidacy.use_case is self.use_cases[use_case] and candidacy.stands:
                candidacy.end()

    def describe(self, use_case: int, described: bool) -> None:
        self.use_cases[use_case].described = described
        for candidacy in self.candidacies:
            if candidacy.use_case is self.use_cases[use_case]:
                self._settle(candidacy)

    def pass_time(self, days: int) -> None:
        self.now += timedelta(days=days)
        for candidacy in self.candidacies:
            if candidacy.status == "accepted" and candidacy.until is not None and candidacy.until <= self.now:
                candidacy.history.append("suspended")

    def _of(self, version: Version) -> Iterator[Candidacy]:
        return (each for each in self.candidacies if each.version is version and each.stands)

    def _review(self, candidacy: Candidacy) -> None:
        candidacy.history.append("under_review")
        candidacy.policy, candidacy.judged = self.policy, candidacy.version.content
        candidacy.round += 1
        candidacy.approvals = {}

    def _settle(self, candidacy: Candidacy) -> None:
        policy = candidacy.policy
        if candidacy.status != "under_review" or policy is None or candidacy.open_seats:
            return
        accurate = candidacy.version.content.metrics >= 0.8 or not policy.accurate
        described = candidacy.use_case.described or not policy.described
        if accurate and described:
            self._accept(candidacy, days=policy.days)

    def _accept(self, candidacy: Candidacy, *, days: int, overridden: bool = False) -> None:
        candidacy.history.append("accepted")
        candidacy.until = self.now + timedelta(days=days)
        candidacy.overridden = overridden


def holds(candidacy: Candidacy, approvals: Iterable[tuple[Seat, str]]) -> bool:
    """Whether these approvals, and who gave them, are all that the policy asks for (promise 3)."""
    given, policy = dict(approvals), candidacy.policy
    if policy is None:
        return False
    enough = all(
        sum(seat in given for seat in stage.seats) >= (stage.quorum or len(stage.seats)) for stage in policy.stages
    )
    alone = not policy.proposer_decides_nothing or candidacy.proposer not in given.values()
    apart = not policy.one_person_one_task or len(set(given.values())) == len(given)
    return enough and alone and apart
