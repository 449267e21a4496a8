"""Whatever people, sources, time and crashes do to the real service over HTTP, DESIGN §9 holds.

A machine of hypothesis does random things to the service and to `promises.Company` beside it, compares after each, and
shrinks what differs to the shortest story. The service is a process, killed with SIGKILL after any statement that it
sends; whoever asked asks again, as DESIGN §6 has it, and there is one effect. `ASSENT_STORIES` says how many stories;
in CI they are few, and the same each time.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

import asyncpg
import pytest
from assent_common import audit
from assent_common.events import envelope
from assent_common.events.registry import Kind, Removed
from assent_common.leases import Lease
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from tests.workflow.matters import Content, Policy
from tests.workflow.mortal import Service, a_service
from tests.workflow.promises import holds
from tests.workflow.stories import (
    ANY_ROLE,
    DEATHS,
    NAMES,
    OF_VERSIONS,
    SOMETHING,
    STAGES,
    VERDICTS,
    each_once,
    records,
    seat_of,
)
from tests.workflow.stories_of_steps import StepStories, step_policies

STORIES = int(os.environ.get("ASSENT_STORIES", "0"))
RECORDS = {**records("candidacy"), "candidacy.put_forward": "candidate", "candidacy.overridden": "accepted"}

TOLD = "select key, array_agg(sequence order by id) as numbers from outbox group by key"


@pytest.fixture
def service(database_url: str, database_plain_url: str) -> Iterator[Service]:
    with a_service(database_url, database_plain_url) as service:
        yield service


policies = st.builds(
    Policy,
    stages=STAGES,
    days=st.sampled_from([5, 30]),
    proposer_decides_nothing=st.booleans(),
    one_person_one_task=st.booleans(),
    accurate=st.booleans(),
    described=st.booleans(),
    keeps=st.sampled_from([frozenset[str](), frozenset({"description"})]),
    reviews=st.booleans(),
    override=st.sampled_from([None, "risk"]),
    keeps_approvals=st.sampled_from([True, True, False]),
    judges=st.sampled_from([(("legal", frozenset({"description"})), ("risk", frozenset({"metrics"}))), ()]),
)
contents = st.builds(Content, description=st.sampled_from(["a", "b"]), metrics=st.sampled_from([0.7, 0.9]))


class Anything(StepStories):
    """Of candidacies, and of use cases themselves."""

    @initialize(policy=policies, step_policy=step_policies, content=st.none() | contents, name=NAMES)
    def begin(self, policy: Policy, step_policy: Policy, content: Content | None, name: str) -> None:
        self.begin_with(policy, step_policy)
        self.put_forward_and_submit(0, 0, "ada", None)
        # Few stories come so far by themselves.
        self.take_away_what_is_accepted_and_submit_it_again(0, content, name, None)

    @rule(policy=policies, die_after=DEATHS)
    def edit_the_policy(self, policy: Policy, die_after: int | None) -> None:
        self.write_policy(OF_VERSIONS, policy, die_after)

    @rule(use_case=SOMETHING, version=SOMETHING, name=NAMES, role=ANY_ROLE, die_after=DEATHS)
    def put_forward_as(self, use_case: int, version: int, name: str, role: str, die_after: int | None) -> None:
        self.put_forward(use_case, version, name, role, die_after)

    @rule(use_case=SOMETHING, version=SOMETHING, name=NAMES, die_after=DEATHS)
    def put_forward_and_submit(self, use_case: int, version: int, name: str, die_after: int | None) -> None:
        if self.put_forward(use_case, version, name, "data_scientist", None):
            self.submit(len(self.ids) - 1, name, "data_scientist", die_after)

    @rule(which=st.integers(0, 9), name=NAMES, role=st.just("data_scientist") | ANY_ROLE, die_after=DEATHS)
    def submit(self, which: int, name: str, role: str, die_after: int | None) -> None:
        self.move(which, "submit", name, role, die_after, lambda each: self.company.submit(each, name, role))

    @rule(
        which=st.integers(0, 9),
        how=st.sampled_from(["withdraw", "suspend", "retire"]),
        name=NAMES,
        role=st.sampled_from(["data_scientist", "risk", "admin", "legal"]),
        die_after=DEATHS,
    )
    def leave(self, which: int, how: str, name: str, role: str, die_after: int | None) -> None:
        self.move(which, how, name, role, die_after, lambda each: self.company.leave(each, how, role))

    @rule(which=st.integers(0, 9), name=NAMES, role=st.just("risk") | ANY_ROLE, die_after=DEATHS)
    def override(self, which: int, name: str, role: str, die_after: int | None) -> None:
        self.move(which, "override", name, role, die_after, lambda each: self.company.override(each, name, role))

    @rule(which=st.integers(0, 99), name=NAMES, verdict=VERDICTS, role=st.none() | ANY_ROLE, die_after=DEATHS)
    def decide_any_task_there_ever_was(
        self, which: int, name: str, verdict: str, role: str | None, die_after: int | None
    ) -> None:
        tasks = self.tasks()
        if tasks:
            self.decide(tasks[which % len(tasks)], name, role, verdict, die_after)

    @rule(which=st.integers(0, 9), name=NAMES, verdict=VERDICTS, die_after=DEATHS)
    def decide_an_open_task(self, which: int, name: str, verdict: str, die_after: int | None) -> None:
        tasks = [task for task in self.tasks() if task["status"] == "open"]
        if tasks:
            self.decide(tasks[which % len(tasks)], name, None, verdict, die_after)

    @rule(which=st.integers(0, 9), die_after=DEATHS)
    def have_it_accepted(self, which: int, die_after: int | None) -> None:
        """By three others, so that many stories have an acceptance."""
        if self.ids:
            self.have_accepted(self.ids[which % len(self.ids)], die_after)

    @rule(which=st.integers(0, 9), content=st.none() | contents, name=NAMES, die_after=DEATHS)
    def take_away_what_is_accepted_and_submit_it_again(
        self, which: int, content: Content | None, name: str, die_after: int | None
    ) -> None:
        """For its content, or for a backup in which it is accepted still: what of it counts on?"""
        if not self.ids:
            return
        self.have_it_accepted(which, None)
        number = which % len(self.ids)
        candidacy = self.company.candidacies[number]
        if candidacy.status == "accepted":
            if content is None:
                self.restore(self.ids[number], die_after)
            else:
                self.observe(self.company.versions.index(candidacy.version), content, die_after)
            self.submit(number, name, "data_scientist", None)

    @rule(version=SOMETHING, content=contents, die_after=DEATHS)
    def observe(self, version: int, content: Content, die_after: int | None) -> None:
        self.company.change_content(version, content)
        self.hear(self._version(version), die_after=die_after)

    @rule(version=SOMETHING, die_after=DEATHS)
    def write_the_description_anew_and_take_it_back(self, version: int, die_after: int | None) -> None:
        content = self.company.versions[version].content
        self.observe(version, content._replace(description="of the moment"), None)
        self.observe(version, content, die_after)

    @rule(version=SOMETHING, late=contents, content=contents, die_after=DEATHS)
    def observe_out_of_order(self, version: int, late: Content, content: Content, die_after: int | None) -> None:
        """What comes late has been overtaken, and has no effect."""
        before = self.service.sequence = self.service.sequence + 1
        self.observe(version, content, die_after)
        self.hear(self._version(version, late), die_after=die_after, sequence=before)

    @rule(which=st.integers(0, 99), die_after=DEATHS)
    def hear_again(self, which: int, die_after: int | None) -> None:
        self.tell(self.heard[which % len(self.heard)], die_after)

    @rule(version=SOMETHING, die_after=DEATHS)
    def remove_at_its_source(self, version: int, die_after: int | None) -> None:
        self.company.remove(version)
        gone = Removed(urn=self.urns[version], source="prod-eu", kind=Kind.MODEL_VERSION, removed_at=self.company.now)
        self.hear(gone, die_after=die_after)

    @rule(version=SOMETHING, content=contents, die_after=DEATHS)
    def make_another_under_its_name(self, version: int, content: Content, die_after: int | None) -> None:
        self.company.make_another(version, content)
        self.made_at[version] += timedelta(days=1)
        self.hear(self._version(version), die_after=die_after)

    @rule(use_case=SOMETHING, described=st.booleans(), die_after=DEATHS)
    def describe(self, use_case: int, described: bool, die_after: int | None) -> None:
        self.company.describe(use_case, described)
        self.hear(self._use_case(use_case), die_after=die_after)

    # Of one alone, so that stories go on with the other.
    @rule(use_case=st.just(1), die_after=DEATHS)
    def give_up(self, use_case: int, die_after: int | None) -> None:
        self.company.give_up(use_case)
        self.hear(self._use_case(use_case), die_after=die_after)

    @invariant()
    def everybody_sees_what_design_says(self) -> None:
        """Statuses, and the gate (promise 4)."""
        told = {
            each["id"]: each
            for key in self.keys
            if self.ids
            for each in self.get("/v1/candidacies", use_case=key, limit=200)["items"]
        }
        assert len(told) == len(self.ids)
        for id_, expected in zip(self.ids, self.company.candidacies, strict=True):
            assert told[id_]["status"] == expected.status, expected.history
            if expected.status == "accepted":
                number = next(n for n, each in enumerate(self.company.versions) if each is expected.version)
                assert told[id_]["content_hash"] == self._version(number).content_hash
        for pair in {(told[id_]["use_case"], told[id_]["model_version"]) for id_ in self.ids}:
            ids_ = [id_ for id_ in self.ids if (told[id_]["use_case"], told[id_]["model_version"]) == pair]
            accepted = any(self.company.candidacies[self.ids.index(id_)].status == "accepted" for id_ in ids_)
            question = {"use_case": pair[0], "model_version": pair[1]}
            headers = self._now() | {"authorization": "Bearer ci:service"}
            answer = self.service.http.post("/v1/gate", json=question, headers=headers)
            assert answer.json()["allow"] is accepted, answer.text

    @invariant()
    def exactly_those_are_asked_whom_the_policy_asks(self) -> None:
        """And what was decided stays so; nobody is accepted without the approvals (promise 3)."""
        rows = self.tasks()
        for id_, expected in self.matters.items():
            own = [row for row in rows if str(row["candidacy"]) == id_]
            asked = {seat_of(row) for row in own if row["status"] == "open"}
            assert asked == expected.open_seats
            if expected.status == "accepted" and not expected.overridden:
                last = [row for row in own if row["round"] == expected.round and row["status"] == "approved"]
                assert holds(expected, [(seat_of(row), row["decided_by"]) for row in last])
        for row in rows:
            if row["review_status"] != "open":
                assert self.settled.setdefault(row["id"], row) == row

    @invariant()
    def each_transition_is_told_and_on_record_once(self) -> None:
        """Promises 1 and 5."""
        for row in self.service.fetch(
            "select id, key, sequence, body from outbox where id > $1 and key = any($2::text[]) order by id",
            *(self.last_event, self.ids),
        ):
            self.last_event = row["id"]
            self.sequences[row["key"]].append(row["sequence"])
            self.statuses[row["key"]].append(envelope.from_bytes(row["body"]).data["status"])
        recorded: dict[str, list[str]] = defaultdict(list)
        for row in self.service.fetch(
            "select subject, action from audit where subject = any($1::text[]) order by id", self.ids
        ):
            if row["action"] in RECORDS:
                recorded[row["subject"]].append(RECORDS[row["action"]])
        for id_, expected in zip(self.ids, self.company.candidacies, strict=True):
            assert self.sequences[id_] == list(range(1, len(self.sequences[id_]) + 1))
            assert each_once(self.statuses[id_]) == expected.history
            assert recorded[id_] == expected.history

    def teardown(self) -> None:
        """The log is sealed, and holds (promise 5). Of whatever was told, no number is missing (promise 1)."""
        for row in self.service.fetch(
            "select key, array_agg(sequence order by id) as numbers from outbox group by key"
        ):
            first = row["numbers"][0]
            assert row["numbers"] == list(range(first, first + len(row["numbers"]))), row["key"]
        connection = self.service.connection
        self.service.loop.run_until_complete(_seal_and_verify(connection))
        for each in self.company.candidacies:
            self.service.seen.update(each.history)
            self.service.seen["kept"] += each.kept
            self.service.seen["overridden"] += each.overridden
        for step in self.company.steps:
            self.service.seen.update(f"a step {status}" for status in step.history)
            self.service.seen["a step looked at again"] += step.let_go and step.round > 1


def test_whatever_happens_in_which_order_and_wherever_it_is_killed_the_promises_hold(service: Service) -> None:
    class Story(Anything):
        pass

    Story.service = service
    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=STORIES or 12,
            stateful_step_count=30,
            deadline=None,
            derandomize=not STORIES,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    # Otherwise nothing of this was about anything.
    steps = ("a step accepted", "a step retired", "a step withdrawn", "a step looked at again")
    for what in ("accepted", "suspended", "withdrawn", *steps):
        assert service.seen[what] > 0, service.seen
    assert service.kills > 0


async def _seal_and_verify(connection: asyncpg.Connection) -> None:
    lease = Lease("audit-sealer")
    fences = await lease.claim(connection)
    while await audit.seal(connection, fences[0]):
        pass
    await lease.release(connection)
    await audit.verify(connection)
