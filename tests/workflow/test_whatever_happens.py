"""Whatever people, sources, time and crashes do to the real service over HTTP, DESIGN §9 holds.

A machine of hypothesis does random things to the service and to `promises.Company` beside it, compares after each, and
shrinks what differs to the shortest story. The service is a process, killed with SIGKILL after any statement that it
sends; whoever asked asks again, as DESIGN §6 has it, and there is one effect. `ASSENT_STORIES` says how many stories;
in CI they are few, and the same each time.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import orjson
import pytest
import yaml
from assent_common import audit, canonical, ids
from assent_common.events import envelope
from assent_common.events.catalog import Stage as UseCaseStage
from assent_common.events.model import Payload
from assent_common.events.registry import Kind, Removed
from assent_common.leases import Lease
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.workflow.mortal import Service, a_service
from tests.workflow.promises import Company, Content, Policy, Seat, Stage, UseCase, Version, holds
from tests.workflow.world import MADE_AT, a_use_case, a_version, type_and_subject

STORIES = int(os.environ.get("ASSENT_STORIES", "0"))
URN = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/story-{}/{}"
REFUSALS = {403, 404, 409, 422}
RECORDS = {
    "candidacy.put_forward": "candidate",
    "candidacy.submitted": "under_review",
    "candidacy.overridden": "accepted",
    **{f"candidacy.{status}": status for status in ("candidate", "accepted", "rejected", "suspended")},
    **{f"candidacy.{status}": status for status in ("retired", "withdrawn")},
}

T = TypeVar("T")


@pytest.fixture
def service(database_url: str, database_plain_url: str) -> Iterator[Service]:
    with a_service(database_url, database_plain_url) as service:
        yield service


LEGAL, RISK, SECURITY = ("legal", 1), ("risk", 1), ("security", 1)
policies = st.builds(
    Policy,
    stages=st.sampled_from(
        [
            (Stage("one", (LEGAL,)),),
            (Stage("one", (LEGAL, RISK)),),
            (Stage("one", (LEGAL,)), Stage("two", (SECURITY,))),
            (Stage("one", (LEGAL, RISK, SECURITY), 2),),
            (Stage("one", (("legal", 2),)),),
            (Stage("one", (("legal", 2), RISK), 1), Stage("two", (LEGAL, RISK))),
        ]
    ),
    days=st.sampled_from([5, 30]),
    proposer_decides_nothing=st.booleans(),
    one_person_one_task=st.booleans(),
    accurate=st.booleans(),
    described=st.booleans(),
    keeps=st.sampled_from([frozenset[str](), frozenset({"description"})]),
    reviews=st.booleans(),
    override=st.sampled_from([None, "risk"]),
)
contents = st.builds(Content, description=st.sampled_from(["a", "b"]), metrics=st.sampled_from([0.7, 0.9]))
NAMES = st.sampled_from(["ada", "leo", "mia", "sam"])
ROLES = ["data_scientist", "legal", "risk", "security"]
ANY_ROLE = st.sampled_from([*ROLES, "admin", "viewer", "service"])
SOMETHING = st.integers(0, 1)
VERDICTS = st.sampled_from(["approve", "reject", "request_changes"])
#: After how many statements it dies, if it comes so far.
DEATHS = st.one_of(st.none(), st.integers(1, 40))


class Anything(RuleBasedStateMachine):
    """One company with two use cases, two model versions, four people and a policy that is written anew at times."""

    service: Service

    @initialize(policy=policies)
    def begin(self, policy: Policy) -> None:
        self.story = self.service.stories = self.service.stories + 1
        self.urns = [URN.format(self.story, number) for number in (1, 2)]
        self.keys = [f"story-{self.story}-{number}" for number in (1, 2)]
        self.made_at = [MADE_AT, MADE_AT]
        # The stories before are over: their policies do not rule here, and time means nothing to them.
        self.service.fetch("with p as (delete from policies) delete from timers")
        base = datetime.now(UTC) - timedelta(seconds=5)  # noqa: TID251 - the gate asks the database for the time
        self.company = Company(base, policy, [UseCase(), UseCase()], [Version(Content("a", 0.9)) for _ in range(2)])
        self.policy_version = 1
        self.ids: list[str] = []
        self.heard: list[list[str]] = []
        self.statuses: dict[str, list[str]] = defaultdict(list)
        self.sequences: dict[str, list[int]] = defaultdict(list)
        self.settled: dict[UUID, asyncpg.Record] = {}
        [row] = self.service.fetch("select coalesce(max(id), 0) as last from outbox")
        self.last_event = row["last"]
        self.write_policy(policy, None)
        for number in (0, 1):
            self.hear(self._use_case(number), self._version(number), die_after=None)
        self.put_forward_and_submit(0, 0, "ada", None)

    @rule(policy=policies, die_after=DEATHS)
    def edit_the_policy(self, policy: Policy, die_after: int | None) -> None:
        self.write_policy(policy, die_after)

    @rule(use_case=SOMETHING, version=SOMETHING, name=NAMES, role=ANY_ROLE, die_after=DEATHS)
    def put_forward_as(self, use_case: int, version: int, name: str, role: str, die_after: int | None) -> None:
        self.put_forward(use_case, version, name, role, die_after)

    @rule(use_case=SOMETHING, version=SOMETHING, name=NAMES, die_after=DEATHS)
    def put_forward_and_submit(self, use_case: int, version: int, name: str, die_after: int | None) -> None:
        if self.put_forward(use_case, version, name, "data_scientist", None):
            self.submit(len(self.ids) - 1, name, "data_scientist", die_after)

    @rule(which=st.integers(0, 9), name=NAMES, role=st.just("data_scientist") | ANY_ROLE, die_after=DEATHS)
    def submit(self, which: int, name: str, role: str, die_after: int | None) -> None:
        self.move(which, "submit", name, role, die_after, lambda each: self.company.submit(each, role))

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
        if not self.ids:
            return
        id_ = self.ids[which % len(self.ids)]
        for name in ("leo", "mia", "sam"):
            tasks = [task for task in self.tasks() if task["status"] == "open" and str(task["candidacy"]) == id_]
            if tasks:
                self.decide(tasks[0], name, None, "approve", die_after)

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
        self.company.remove(version)
        self.company.change_content(version, content)
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

    @rule(days=st.sampled_from([1, 6, 31]), die_after=DEATHS)
    def let_time_pass(self, days: int, die_after: int | None) -> None:
        self.company.pass_time(days)
        answer = self.service.ask("POST", "/tests/fire", headers=self._now(), die_after=die_after)
        assert answer.status_code == 200, answer.text

    @invariant()
    def everybody_sees_what_design_says(self) -> None:
        """Statuses, and the gate (promise 4)."""
        told = {
            each["id"]: each
            for key in self.keys
            if self.ids
            for each in self._get("/v1/candidacies", use_case=key, limit=200)["items"]
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
        for id_, expected in zip(self.ids, self.company.candidacies, strict=True):
            own = [row for row in rows if str(row["candidacy"]) == id_]
            asked = {_seat(row) for row in own if row["status"] == "open"}
            assert asked == expected.open_seats
            if expected.status == "accepted" and not expected.overridden:
                last = [row for row in own if row["round"] == expected.round and row["status"] == "approved"]
                assert holds(expected, [(_seat(row), row["decided_by"]) for row in last])
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
            assert _steps(self.statuses[id_]) == expected.history
            assert recorded[id_] == expected.history

    def teardown(self) -> None:
        """The log is sealed, and holds (promise 5)."""
        connection = self.service.connection
        self.service.loop.run_until_complete(_seal_and_verify(connection))
        for each in self.company.candidacies:
            self.service.seen.update(each.history)
            self.service.seen["overridden"] += each.overridden

    # What the rules do.

    def write_policy(self, policy: Policy, die_after: int | None) -> None:
        self.company.policy = policy
        self.policy_version += 1
        headers = self._now() | {"authorization": "Bearer adam:admin"}
        body = {"text": _yaml(policy, self.policy_version)}
        answer = self.service.ask("POST", "/v1/policies", headers=headers, die_after=die_after, json=body)
        # A policy's name and version are the key: who asks again learns that it is there.
        assert answer.status_code in (201, 409), answer.text
        [row] = self.service.fetch("select max(version) as newest from policies")
        assert row["newest"] == self.policy_version

    def put_forward(self, use_case: int, version: int, name: str, role: str, die_after: int | None) -> bool:
        body = {"use_case": self.keys[use_case], "model_version": self.urns[version]}
        expected = self.company.put_forward(use_case, version, name, role)
        answer = self.act("/v1/candidacies", name, role, die_after, expected, json=body)
        if expected:
            self.ids.append(answer["id"])
        return expected

    def move(self, which: int, how: str, name: str, role: str, die_after: int | None, move: Any) -> None:
        if self.ids:
            which %= len(self.ids)
            expected = move(self.company.candidacies[which])
            body = {"reason": "as discussed"} if how != "submit" else None
            self.act(f"/v1/candidacies/{self.ids[which]}/{how}", name, role, die_after, expected, json=body)

    def decide(self, task: Any, name: str, role: str | None, verdict: str, die_after: int | None) -> None:
        candidacy = self.company.candidacies[self.ids.index(str(task["candidacy"]))]
        role = role or task["role"]
        # A task that was opened once and is not open now is decided or over.
        expected = task["status"] == "open" and self.company.decide(
            candidacy, task["round"], _seat(task), verdict, name, role
        )
        body = {"verdict": verdict, "comment": "as discussed"}
        self.act(f"/v1/tasks/{task['id']}/decision", name, role, die_after, expected, json=body)

    def act(self, path: str, name: str, role: str, die_after: int | None, expected: bool, **more: Any) -> Any:
        headers = self._now() | {"authorization": f"Bearer {name}:{role}", "idempotency-key": str(ids.new())}
        answer = self.service.ask("POST", path, headers=headers, die_after=die_after, **more)
        assert answer.is_success is expected, answer.text
        assert expected or answer.status_code in REFUSALS, answer.text
        return answer.json()

    def hear(self, *payloads: Payload, die_after: int | None, sequence: int | None = None) -> None:
        events = []
        for payload in payloads:
            type_, subject = type_and_subject(payload)
            if sequence is None:
                self.service.sequence += 1
            event = envelope.create(
                source="/tests",
                type=type_,
                subject=subject,
                sequence=sequence or self.service.sequence,
                time=self.company.now,
                data=payload,
            )
            events.append(envelope.to_bytes(event).decode())
        self.heard.append(events)
        self.tell(events, die_after)

    def tell(self, events: list[str], die_after: int | None) -> None:
        answer = self.service.ask(
            "POST", "/tests/apply", headers=self._now(), die_after=die_after, content=orjson.dumps(events)
        )
        assert answer.status_code == 200, answer.text

    def tasks(self) -> list[asyncpg.Record]:
        """Every task there ever was, with the number of its review among its candidacy's."""
        return self.service.fetch(
            """select t.*, r.status as review_status,
                      (select count(*) from reviews b where b.candidacy = t.candidacy and b.id <= t.review) as round
                 from tasks t join reviews r on r.id = t.review
                where t.candidacy = any($1::uuid[]) order by t.review, t.id""",
            self.ids,
        )

    def _get(self, path: str, **parameters: Any) -> Any:
        answer = self.service.http.get(
            path, params=parameters, headers=self._now() | {"authorization": "Bearer vera:viewer"}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _now(self) -> dict[str, str]:
        return {"now": self.company.now.isoformat()}

    def _use_case(self, number: int) -> Any:
        missing = {} if self.company.use_cases[number].described else {"impact": ["human_oversight"]}
        stage = UseCaseStage.ARCHIVED if self.company.use_cases[number].given_up else UseCaseStage.MONITORING
        return a_use_case(self.keys[number], missing=missing, stage=stage)

    def _version(self, number: int, content: Content | None = None) -> Any:
        told = content or self.company.versions[number].content
        document = {"description": told.description, "metrics": {"accuracy": told.metrics}}
        return a_version(
            self.urns[number],
            accuracy=told.metrics,
            created_at=self.made_at[number],
            content=document,
            content_hash=canonical.digest(document),
        )


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
    for what in ("accepted", "suspended", "withdrawn"):
        assert service.seen[what] > 0, service.seen
    assert service.kills > 0


async def _seal_and_verify(connection: asyncpg.Connection) -> None:
    lease = Lease("audit-sealer")
    fences = await lease.claim(connection)
    while await audit.seal(connection, fences[0]):
        pass
    await lease.release(connection)
    await audit.verify(connection)


def _seat(row: Any) -> Seat:
    return Seat(row["stage"], row["role"], row["seat"])


def _steps(statuses: list[str]) -> list[str]:
    """Without those that say the same as the one before: a candidacy is told, too, where only its reason is another."""
    return [status for number, status in enumerate(statuses) if number == 0 or statuses[number - 1] != status]


def _yaml(policy: Policy, version: int) -> str:
    checks = []
    if policy.accurate:
        checks.append(("accurate", "version.metrics.accuracy >= 0.8", True))
    if policy.described:
        checks.append(("described", "use_case.missing.size() == 0", False))
    otherwise = "review" if policy.reviews else "suspend"
    document: dict[str, Any] = {
        "name": "default",
        "version": version,
        "checks": [
            {"name": name, "description": "As it should be.", "expression": expression, "overridable": overridable}
            for name, expression, overridable in checks
        ],
        "stages": [
            {
                "name": stage.name,
                "approvals": [{"role": role, "people": people, "due_in": "P1D"} for role, people in stage.asked],
                "quorum": stage.quorum or "all",
            }
            for stage in policy.stages
        ],
        "separation_of_duties": {
            "proposer_decides_nothing": policy.proposer_decides_nothing,
            "one_person_one_task": policy.one_person_one_task,
        },
        "valid_for": f"P{policy.days}D",
        "on_content_change": {**dict.fromkeys(policy.keeps, "keep"), "otherwise": otherwise},
    }
    if policy.override:
        document["override"] = {"by": [policy.override], "valid_for": "P10D"}
    return yaml.safe_dump(document)
