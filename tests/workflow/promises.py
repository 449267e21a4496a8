"""What DESIGN says of candidacies and of use cases' steps, as small as it can be said: §4's states, §5's policies, §7's
roles, §9's promises.

Written from that page, not from the service, and it knows nothing of how the service does it. Whatever is asked of it
answers whether DESIGN lets it happen; if so, it has happened.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.workflow.matters import Candidacy, Content, Matter, Policy, Seat, Step, UseCase, Version, Written


@dataclass
class Company:
    now: datetime
    policy: Policy
    use_cases: list[UseCase]
    versions: list[Version]
    #: About use cases.
    step_policy: Policy | None = None
    candidacies: list[Candidacy] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def put_forward(self, use_case: int, version: int, name: str, role: str) -> bool:
        about = (self.use_cases[use_case], self.versions[version])
        taken = any(each.stands and each.use_case is about[0] and each.version is about[1] for each in self.candidacies)
        if role != "data_scientist" or taken or not about[1].live or about[0].given_up:
            return False
        self.candidacies.append(Candidacy(use_case=about[0], version=about[1], made=about[1].made, proposer=name))
        return True

    def submit(self, candidacy: Candidacy, name: str, role: str) -> bool:
        if role != "data_scientist" or candidacy.status not in ("candidate", "suspended", "rejected"):
            return False
        sent_back = candidacy.status == "candidate"
        until = candidacy.approved_until
        goes_on = sent_back or (candidacy.moved_on and until is not None and self.now < until)
        self._review(candidacy, asker=name, last=candidacy if goes_on else None)
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

    def restore(self, matter: Matter) -> None:
        """A backup in which it is accepted, though that was taken away after it."""
        if matter.status == "accepted":
            matter.history.append("suspended")

    def decide(self, matter: Matter, round_: int, seat: Seat, verdict: str, name: str, role: str) -> bool:
        policy = matter.policy
        if policy is None or round_ != matter.round or seat not in matter.open_seats or role != seat.role:
            return False
        if policy.proposer_decides_nothing and matter.is_own_judge(name):
            return False
        gave = [given for given, by in matter.approvals.items() if by == name]
        if gave and (policy.one_person_one_task or any(given[:2] == seat[:2] for given in gave)):
            return False
        match verdict:
            case "approve":
                matter.approvals[seat] = name
                self._settle(matter)
            case "reject":
                matter.history.append("rejected")
            case "request_changes":
                matter.history.append("candidate")
        return True

    def override(self, candidacy: Candidacy, name: str, role: str) -> bool:
        policy = candidacy.policy
        if candidacy.status != "under_review" or policy is None or role != policy.override:
            return False
        if policy.proposer_decides_nothing and candidacy.is_own_judge(name):
            return False
        if policy.described and not candidacy.use_case.described:
            return False
        self._accept(candidacy, days=10, overridden=True)
        return True

    def make_another(self, version: int, content: Content) -> None:
        """Under its name."""
        self.remove(version)
        self.versions[version].made += 1
        self.change_content(version, content)

    def change_content(self, version: int, content: Content) -> None:
        """Or tell it again, where it is the same."""
        self.versions[version].content = content
        self.versions[version].live = True
        for candidacy in self._of(self.versions[version]):
            self._hold_to_content(candidacy)

    def remove(self, version: int) -> None:
        """At its source; or something else is there now under its name."""
        self.versions[version].live = False
        for candidacy in self._of(self.versions[version]):
            candidacy.end()

    def give_up(self, use_case: int) -> None:
        self.use_cases[use_case].stage = "archived"
        self.hear(use_case)

    def describe(self, use_case: int, described: bool) -> None:
        self.use_cases[use_case].described = described
        self.hear(use_case)

    def propose(self, use_case: int, to: str, name: str) -> Step:
        about = self.use_cases[use_case]
        about.proposal = Step(use_case=about, proposer=name, to=to, asker=name)
        self.hear(use_case)
        return about.proposal

    def take_back(self, use_case: int) -> None:
        self.use_cases[use_case].proposal = None
        self.hear(use_case)

    def move(self, use_case: int) -> bool:
        """Where its proposal leads, once that is let go; it is not proposed any more where it was decided otherwise."""
        about = self.use_cases[use_case]
        step = about.proposal
        if step is None or (step.status == "under_review" and not step.let_go):
            return False
        about.proposal = None
        about.stage = step.to if step.let_go and not about.given_up else about.stage
        self.hear(use_case)
        return True

    def hear(self, use_case: int) -> None:
        """All that the catalogue says of it, at once."""
        about = self.use_cases[use_case]
        for step in self._steps_of(about):
            if step.status == "under_review" and step is not about.proposal and not step.let_go:
                step.end()
        if about.proposal is not None and about.proposal not in self.steps:
            self.steps.append(about.proposal)
            self._begin(about.proposal)
        for matter in [*self.candidacies, *self.steps]:
            if matter.use_case is about and matter.stands:
                if about.given_up:
                    matter.end()
                else:
                    self._hold_to_content(matter)

    def pass_time(self, days: int) -> None:
        self.now += timedelta(days=days)
        for matter in [*self.candidacies, *self.steps]:
            if matter.status == "accepted" and matter.until is not None and matter.until <= self.now:
                matter.history.append("suspended")
                if isinstance(matter, Step):
                    self._review(matter)

    @property
    def a_step_waits(self) -> bool:
        """For something else than decisions."""
        return any(each.status == "under_review" and not each.open_seats for each in self.steps)

    def look_again(self) -> None:
        """At steps: what serves may be something else."""
        for step in self.steps:
            self._settle(step)

    def _of(self, version: Version) -> Iterator[Candidacy]:
        return (each for each in self.candidacies if each.version is version and each.stands)

    def _steps_of(self, use_case: UseCase) -> list[Step]:
        return [each for each in self.steps if each.use_case is use_case and each.stands]

    def _begin(self, step: Step) -> None:
        if step.use_case.given_up:
            step.end()
        elif self.step_policy is None or step.to not in self.step_policy.steps:
            step.let_go = True
            step.history.append("retired")
        else:
            to = [each for each in self._steps_of(step.use_case) if each.to == step.to]
            sent_back = [each for each in to if each.status == "candidate" and each.round]
            self._review(step, asker=step.proposer, last=sent_back[-1] if sent_back else None)

    def _hold_to_content(self, matter: Matter) -> None:
        policy, judged = matter.policy, matter.judged
        if policy is None or judged is None:
            return
        harm = policy.harm(judged, matter.content)
        if matter.status == "under_review":
            matter.judged = matter.content
            if harm:
                matter.approvals = {
                    seat: name for seat, name in matter.approvals.items() if policy.outlives(seat, harm)
                }
            self._settle(matter)
        elif matter.status == "accepted" and harm:
            matter.history.append("suspended")
            matter.moved_on = True
            if policy.reviews:
                self._review(matter, last=matter)

    def _review(self, matter: Matter, asker: str | None = None, *, last: Matter | None = None) -> None:
        """By the policy of now; a use case that stands by one is looked at again by it where no other asks for that.

        `last` is what may have been approved before, by that very policy: that counts on as far as the change since
        leaves it, and who asks now did not give it.
        """
        before = (last.policy, last.judged, last.approvals) if last is not None else (None, None, {})
        if isinstance(matter, Candidacy):
            matter.policy = self.policy
        elif self.step_policy is not None and isinstance(matter, Step) and matter.to in self.step_policy.steps:
            matter.policy = self.step_policy
        matter.history.append("under_review")
        matter.judged, matter.asker = matter.content, asker
        matter.round += 1
        matter.approvals = self._kept(matter, *before)
        matter.kept += len(matter.approvals)
        self._settle(matter)

    def _kept(
        self, matter: Matter, policy: Policy | None, judged: Content | Written | None, given: dict[Seat, str]
    ) -> dict[Seat, str]:
        if policy is None or policy is not matter.policy or judged is None or not policy.keeps_approvals:
            return {}
        harm, apart = policy.harm(judged, matter.content), policy.proposer_decides_nothing
        return {
            seat: name
            for seat, name in given.items()
            if policy.outlives(seat, harm) and not (apart and matter.is_own_judge(name))
        }

    def _settle(self, matter: Matter) -> None:
        policy = matter.policy
        if matter.status != "under_review" or policy is None or matter.open_seats:
            return
        content = matter.content
        accurate = not policy.accurate or (isinstance(content, Content) and content.metrics >= 0.8)
        described = not policy.described or matter.use_case.described
        silent = not (policy.switched_off and isinstance(matter, Step) and matter.to == "archived")
        if accurate and described and (silent or not self._serves_for(matter.use_case)):
            self._accept(matter, days=policy.days)

    def _serves_for(self, use_case: UseCase) -> bool:
        """Whether anything does, for it and for no other."""
        return any(
            each.version.serves and each.status != "withdrawn" and each.made == each.version.made
            for each in self.candidacies
            if each.use_case is use_case and not self._is_accepted_beside(use_case, each.version)
        )

    def _is_accepted_beside(self, use_case: UseCase, version: Version) -> bool:
        return any(
            each.status == "accepted" and each.version is version and each.use_case is not use_case
            for each in self.candidacies
        )

    def _accept(self, matter: Matter, *, days: int, overridden: bool = False) -> None:
        matter.history.append("accepted")
        matter.until = self.now + timedelta(days=days)
        matter.overridden, matter.moved_on = overridden, False
        matter.approved_until = self.now + timedelta(days=matter.policy.days if matter.policy else days)
        if isinstance(matter, Step) and not matter.let_go:
            matter.let_go = True
            for other in self._steps_of(matter.use_case):
                if other is not matter:
                    other.end()


def holds(matter: Matter, approvals: Iterable[tuple[Seat, str]]) -> bool:
    """Whether these approvals, and who gave them, are all that the policy asks for (promise 3)."""
    given, policy = dict(approvals), matter.policy
    if policy is None:
        return False
    enough = all(
        sum(seat in given for seat in stage.seats) >= (stage.quorum or len(stage.seats)) for stage in policy.stages
    )
    alone = not policy.proposer_decides_nothing or not any(map(matter.is_own_judge, given.values()))
    apart = not policy.one_person_one_task or len(set(given.values())) == len(given)
    return enough and alone and apart
