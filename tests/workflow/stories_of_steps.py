"""What may happen to use cases themselves: they are proposed for a stage, judged, looked at again and given up, and the
catalogue hears of it late."""

from collections import defaultdict

from assent_common import ids
from assent_common.events import envelope
from assent_common.events.catalog import Proposal
from assent_common.events.catalog import Stage as UseCaseStage
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from tests.workflow.matters import Policy, Step
from tests.workflow.stories import (
    ANY_ROLE,
    DEATHS,
    NAMES,
    OF_USE_CASES,
    SOMETHING,
    STAGES,
    Teller,
    each_once,
    records,
)
from tests.workflow.world import a_deployment, gone

step_policies = st.builds(
    Policy,
    stages=STAGES,
    days=st.sampled_from([5, 30]),
    proposer_decides_nothing=st.booleans(),
    one_person_one_task=st.booleans(),
    accurate=st.just(value=False),
    described=st.booleans(),
    keeps=st.sampled_from([frozenset[str](), frozenset({"legal"}), frozenset({"impact"})]),
    reviews=st.booleans(),
    steps=st.sampled_from([frozenset({"development", "monitoring"}), frozenset({"monitoring", "archived"})]),
    switched_off=st.booleans(),
    keeps_approvals=st.booleans(),
    judges=st.sampled_from([(), (("legal", frozenset({"legal"})),), (("security", frozenset({"impact"})),)]),
)
ENDPOINT = "arn:aws:sagemaker:eu-central-1:123456789012:endpoint/story-{}-{}#main"
STEP_RECORDS = {**records("step"), "step.proposed": "candidate", "step.not_asked": "retired"}


class StepStories(Teller):
    @rule(policy=step_policies, die_after=DEATHS)
    def edit_the_policy_of_use_cases(self, policy: Policy, die_after: int | None) -> None:
        self.write_policy(OF_USE_CASES, policy, die_after)

    @rule(use_case=SOMETHING, to=st.sampled_from(["development", "monitoring"]), name=NAMES, die_after=DEATHS)
    def propose(self, use_case: int, to: str, name: str, die_after: int | None) -> None:
        proposal = Proposal(
            id=ids.new(),
            to=UseCaseStage(to),
            proposed_by=name,
            issuer="https://issuer",
            proposed_at=self.company.now,
            reason="it is time",
        )
        self.proposals[use_case] = proposal
        self.matters[str(proposal.id)] = self.company.propose(use_case, to, name)
        self.hear(self._use_case(use_case), die_after=die_after)

    # Of one alone, so that stories go on with the other.
    @rule(name=NAMES, die_after=DEATHS)
    def propose_to_give_it_up(self, name: str, die_after: int | None) -> None:
        self.propose(1, "archived", name, die_after)

    @rule(use_case=SOMETHING, name=NAMES, die_after=DEATHS)
    def propose_and_have_it_accepted(self, use_case: int, name: str, die_after: int | None) -> None:
        self.propose(use_case, "monitoring", name, None)
        self.have_accepted(list(self.matters)[-1], die_after)

    @rule(use_case=SOMETHING, name=NAMES, die_after=DEATHS)
    def have_it_accepted_and_looked_at_again(self, use_case: int, name: str, die_after: int | None) -> None:
        self.propose_and_have_it_accepted(use_case, name, None)
        self.let_time_pass(31, die_after)

    @rule(use_case=SOMETHING, die_after=DEATHS)
    def take_the_proposal_back(self, use_case: int, die_after: int | None) -> None:
        self.proposals[use_case] = None
        self.company.take_back(use_case)
        self.hear(self._use_case(use_case), die_after=die_after)

    @rule(use_case=SOMETHING, die_after=DEATHS)
    def let_the_catalogue_hear(self, use_case: int, die_after: int | None) -> None:
        if self.company.move(use_case):
            self.proposals[use_case] = None
            self.hear(self._use_case(use_case), die_after=die_after)

    @rule(use_case=SOMETHING, legal=st.sampled_from(["a", "b"]), die_after=DEATHS)
    def write_of_the_law(self, use_case: int, legal: str, die_after: int | None) -> None:
        self.company.use_cases[use_case].legal = legal
        self.company.hear(use_case)
        self.hear(self._use_case(use_case), die_after=die_after)

    @rule(version=SOMETHING, serves=st.booleans(), die_after=DEATHS)
    def deploy_or_switch_off(self, version: int, serves: bool, die_after: int | None) -> None:
        self.company.versions[version].serves = serves
        urn = ENDPOINT.format(self.story, version)
        told = a_deployment(urn, model_version=self.urns[version]) if serves else gone(urn)
        self.hear(told, die_after=die_after)

    @rule(which=st.integers(0, 9), die_after=DEATHS)
    def have_a_step_accepted(self, which: int, die_after: int | None) -> None:
        if steps := self._steps():
            self.have_accepted(list(steps)[which % len(steps)], die_after)

    @rule(
        which=st.integers(0, 9),
        how=st.sampled_from(["submit", "withdraw", "suspend", "retire", "override"]),
        name=NAMES,
        role=ANY_ROLE,
    )
    def move_a_step_as_if_it_were_a_candidacy(self, which: int, how: str, name: str, role: str) -> None:
        if steps := self._steps():
            self.ask_to_move(list(steps)[which % len(steps)], how, name, role, None, expected=False)

    @invariant()
    def steps_stand_where_design_says(self) -> None:
        steps = self._steps()
        told = {
            each["id"]: each["status"]
            for key in self.keys
            if steps
            for each in self.get("/v1/use-case-steps", use_case=key, limit=200)["items"]
        }
        assert told == {id_: _words(step)[-1] for id_, step in steps.items()}

    @invariant()
    def each_move_of_a_step_is_told_and_on_record_once(self) -> None:
        steps = self._steps()
        told, sequences = defaultdict(list), defaultdict(list)
        for row in self.service.fetch(
            "select key, sequence, body from outbox where key = any($1::text[]) order by id", list(steps)
        ):
            told[row["key"]].append(envelope.from_bytes(row["body"]).data["status"])
            sequences[row["key"]].append(row["sequence"])
        recorded = defaultdict(list)
        for row in self.service.fetch(
            "select subject, action from audit where subject = any($1::text[]) order by id", list(steps)
        ):
            if row["action"] in STEP_RECORDS:
                recorded[row["subject"]].append(STEP_RECORDS[row["action"]])
        for id_, step in steps.items():
            # Nothing is told of it before it is known what becomes of it.
            assert sequences[id_] == list(range(2, len(sequences[id_]) + 2))
            assert each_once(told[id_]) == _words(step)[1:], step.history
            assert recorded[id_] == step.history

    @invariant()
    def who_stands_by_an_acceptance_that_does_not_hold_is_a_finding(self) -> None:
        expected = set()
        for number, use_case in enumerate(self.company.use_cases):
            steps = [each for each in self.company.steps if each.use_case is use_case and each.stands]
            fell = [each.status for each in steps if each.let_go]
            if not use_case.given_up and "accepted" not in fell and fell and fell[-1] != "under_review":
                expected.add(str(ids.of_urn(self.keys[number])))
        found = self.service.fetch(
            """select subject from findings
                where subject = any($1::text[]) and kind = 'use_case_not_accepted' and status = 'open'""",
            [str(ids.of_urn(key)) for key in self.keys],
        )
        assert {row["subject"] for row in found} == expected

    def _steps(self) -> dict[str, Step]:
        return {id_: each for id_, each in self.matters.items() if isinstance(each, Step)}


def _words(step: Step) -> list[str]:
    """Its history as the catalogue is told it."""
    not_asked = "retired" if step.policy else "not_asked"
    return [{"candidate": "changes_requested", "retired": not_asked}.get(each, each) for each in step.history]
