"""What a machine of hypothesis knows of the company that it does things to, and how it does them: the service is asked
over HTTP, told by events, and killed on the way."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import yaml
from assent_common import canonical, ids
from assent_common.events import envelope
from assent_common.events.catalog import Proposal
from assent_common.events.catalog import Stage as UseCaseStage
from assent_common.events.governance import CandidacyChanged, StepChanged
from assent_common.events.model import Payload
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.support.assent import FACETS
from tests.workflow.matters import Content, Matter, Policy, Seat, Stage, UseCase, Version
from tests.workflow.mortal import Service
from tests.workflow.promises import Company
from tests.workflow.world import MADE_AT, a_use_case, a_version, type_and_subject

URN = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/story-{}/{}"
REFUSALS = {403, 404, 409, 422}
#: The policies' names, of versions and of use cases.
OF_VERSIONS, OF_USE_CASES = "default", "of-use-cases"

LEGAL, RISK, SECURITY = ("legal", 1), ("risk", 1), ("security", 1)
STAGES = st.sampled_from(
    [
        (Stage("one", (LEGAL,)),),
        (Stage("one", (LEGAL, RISK)),),
        (Stage("one", (LEGAL,)), Stage("two", (SECURITY,))),
        (Stage("one", (LEGAL, RISK, SECURITY), 2),),
        (Stage("one", (("legal", 2),)),),
        (Stage("one", (("legal", 2), RISK), 1), Stage("two", (LEGAL, RISK))),
    ]
)
NAMES = st.sampled_from(["ada", "leo", "mia", "sam"])
ROLES = ["data_scientist", "legal", "risk", "security"]
ANY_ROLE = st.sampled_from([*ROLES, "admin", "viewer", "service"])
SOMETHING = st.integers(0, 1)
VERDICTS = st.sampled_from(["approve", "reject", "request_changes"])
#: After how many statements it dies, if it comes so far.
DEATHS = st.one_of(st.none(), st.integers(1, 40))


class Teller(RuleBasedStateMachine):
    """One company with two use cases, two model versions, four people and policies that are written anew at times."""

    service: Service

    def begin_with(self, policy: Policy, step_policy: Policy) -> None:
        self.story = self.service.stories = self.service.stories + 1
        self.urns = [URN.format(self.story, number) for number in (1, 2)]
        self.keys = [f"story-{self.story}-{number}" for number in (1, 2)]
        self.made_at = [MADE_AT, MADE_AT]
        # The stories before are over: their policies do not rule here, and time means nothing to them.
        self.service.fetch("with p as (delete from policies) delete from timers")
        base = datetime.now(UTC) - timedelta(seconds=5)  # noqa: TID251 - the gate asks the database for the time
        versions = [Version(Content("a", 0.9)) for _ in range(2)]
        self.company = Company(base, policy, [UseCase(), UseCase()], versions, step_policy)
        self.policy_versions = {OF_VERSIONS: 1, OF_USE_CASES: 0}
        #: Of candidacies; and of those and of steps, what becomes of each.
        self.ids: list[str] = []
        self.matters: dict[str, Matter] = {}
        self.proposals: list[Proposal | None] = [None, None]
        self.heard: list[list[str]] = []
        self.statuses: dict[str, list[str]] = defaultdict(list)
        self.sequences: dict[str, list[int]] = defaultdict(list)
        self.settled: dict[UUID, asyncpg.Record] = {}
        [row] = self.service.fetch("select coalesce(max(id), 0) as last from outbox")
        self.last_event = row["last"]
        self.write_policy(OF_VERSIONS, policy, None)
        self.write_policy(OF_USE_CASES, step_policy, None)
        for number in (0, 1):
            self.hear(self._use_case(number), self._version(number), die_after=None)

    def write_policy(self, name: str, policy: Policy, die_after: int | None) -> None:
        if name == OF_USE_CASES:
            self.company.step_policy = policy
        else:
            self.company.policy = policy
        self.policy_versions[name] += 1
        headers = self._now() | {"authorization": "Bearer adam:admin"}
        body = {"text": yaml.safe_dump(_document(policy, name, self.policy_versions[name]))}
        answer = self.service.ask("POST", "/v1/policies", headers=headers, die_after=die_after, json=body)
        # A policy's name and version are the key: who asks again learns that it is there.
        assert answer.status_code in (201, 409), answer.text
        [row] = self.service.fetch("select max(version) as newest from policies where name = $1", name)
        assert row["newest"] == self.policy_versions[name]

    def put_forward(self, use_case: int, version: int, name: str, role: str, die_after: int | None) -> bool:
        body = {"use_case": self.keys[use_case], "model_version": self.urns[version]}
        expected = self.company.put_forward(use_case, version, name, role)
        answer = self.act("/v1/candidacies", name, role, die_after, expected, json=body)
        if expected:
            self.ids.append(answer["id"])
            self.matters[answer["id"]] = self.company.candidacies[-1]
        return expected

    def move(self, which: int, how: str, name: str, role: str, die_after: int | None, move: Any) -> None:
        if self.ids:
            id_ = self.ids[which % len(self.ids)]
            expected = move(self.matters[id_])
            self.ask_to_move(id_, how, name, role, die_after, expected)

    def ask_to_move(self, id_: str, how: str, name: str, role: str, die_after: int | None, expected: bool) -> None:
        body = {"reason": "as discussed"} if how != "submit" else None
        self.act(f"/v1/candidacies/{id_}/{how}", name, role, die_after, expected, json=body)

    def decide(self, task: Any, name: str, role: str | None, verdict: str, die_after: int | None) -> None:
        role = role or task["role"]
        # A task that was opened once and is not open now is decided or over.
        expected = task["status"] == "open" and self.company.decide(
            self.matters[str(task["candidacy"])], task["round"], seat_of(task), verdict, name, role
        )
        body = {"verdict": verdict, "comment": "as discussed"}
        self.act(f"/v1/tasks/{task['id']}/decision", name, role, die_after, expected, json=body)

    def have_accepted(self, id_: str, die_after: int | None) -> None:
        """By three others, so that many stories have an acceptance."""
        for name in ("leo", "mia", "sam"):
            tasks = [task for task in self.tasks() if task["status"] == "open" and str(task["candidacy"]) == id_]
            if tasks:
                self.decide(tasks[0], name, None, "approve", die_after)

    def act(self, path: str, name: str, role: str, die_after: int | None, expected: bool, **more: Any) -> Any:
        headers = self._now() | {"authorization": f"Bearer {name}:{role}", "idempotency-key": str(ids.new())}
        answer = self.service.ask("POST", path, headers=headers, die_after=die_after, **more)
        assert answer.is_success is expected, answer.text
        assert expected or answer.status_code in REFUSALS, answer.text
        if expected:
            self.let_steps_go_on()
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
        self.let_steps_go_on()

    @rule(which=st.integers(0, 9), die_after=DEATHS)
    def restore_a_backup_in_which_it_is_accepted(self, which: int, die_after: int | None) -> None:
        """Though somebody suspended it after that: whoever hears of it now hears of that."""
        accepted = [id_ for id_, matter in self.matters.items() if matter.status == "accepted"]
        if accepted:
            self.restore(accepted[which % len(accepted)], die_after)

    def restore(self, id_: str, die_after: int | None) -> None:
        [row] = self.service.fetch("select body from outbox where key = $1 order by id desc limit 1", id_)
        last = envelope.from_bytes(row["body"])
        assert isinstance(last.payload, CandidacyChanged | StepChanged)
        taken = {"status": "suspended", "changed_by": "rita", "reason": "complaints from customers", "expires_at": None}
        said = last.payload.model_validate({**last.payload.model_dump(), **taken})
        event = envelope.create(
            source="/tests",
            type=last.type,
            subject=id_,
            sequence=int(last.sequence) + 1,
            time=self.company.now,
            data=said,
        )
        self.company.restore(self.matters[id_])
        self.post("/tests/reconcile", [envelope.to_bytes(event).decode()], die_after)
        self.let_steps_go_on()

    def let_steps_go_on(self) -> None:
        """Which wait for what serves: that is looked at a moment later."""
        if self.company.a_step_waits:
            self.company.look_again()
            self.fire(None)

    @rule(days=st.sampled_from([1, 6, 31]), die_after=DEATHS)
    def let_time_pass(self, days: int, die_after: int | None) -> None:
        self.company.pass_time(days)
        self.fire(die_after)

    def fire(self, die_after: int | None) -> None:
        answer = self.service.ask("POST", "/tests/fire", headers=self._now(), die_after=die_after)
        assert answer.status_code == 200, answer.text

    def tell(self, events: list[str], die_after: int | None) -> None:
        self.post("/tests/apply", events, die_after)

    def post(self, path: str, events: list[str], die_after: int | None) -> None:
        answer = self.service.ask("POST", path, headers=self._now(), die_after=die_after, content=orjson.dumps(events))
        assert answer.status_code == 200, answer.text

    def tasks(self) -> list[asyncpg.Record]:
        """Every task there ever was, with the number of its review among its candidacy's or step's."""
        return self.service.fetch(
            """select t.*, r.status as review_status,
                      (select count(*) from reviews b where b.candidacy = t.candidacy and b.id <= t.review) as round
                 from tasks t join reviews r on r.id = t.review
                where t.candidacy = any($1::uuid[]) order by t.review, t.id""",
            list(self.matters),
        )

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.service.http.get(
            path, params=parameters, headers=self._now() | {"authorization": "Bearer vera:viewer"}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _now(self) -> dict[str, str]:
        return {"now": self.company.now.isoformat()}

    def _use_case(self, number: int) -> Any:
        told = self.company.use_cases[number]
        missing = {} if told.described else {"impact": ["human_oversight"]}
        facets = {name: facet for name, facet in FACETS.items() if name not in missing}
        return a_use_case(
            self.keys[number],
            missing=missing,
            facets={**facets, "legal": {**FACETS["legal"], "legal_basis": told.legal}},
            stage=UseCaseStage(told.stage),
            proposal=self.proposals[number],
        )

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


def seat_of(row: Any) -> Seat:
    return Seat(row["stage"], row["role"], row["seat"])


def each_once(statuses: list[str]) -> list[str]:
    """Without those that say the same as the one before: a candidacy is told, too, where only its reason is another."""
    return [status for number, status in enumerate(statuses) if number == 0 or statuses[number - 1] != status]


def records(noun: str) -> Mapping[str, str]:
    """What stands on record → the status that it says."""
    said = ("candidate", "accepted", "rejected", "suspended", "retired", "withdrawn")
    return {f"{noun}.submitted": "under_review", **{f"{noun}.{status}": status for status in said}}


def _document(policy: Policy, name: str, version: int) -> dict[str, Any]:
    checks = []
    if policy.accurate:
        checks.append(("accurate", "version.metrics.accuracy >= 0.8", True))
    if policy.described:
        checks.append(("described", "use_case.missing.size() == 0", False))
    if policy.switched_off:
        checks.append(("switched-off", 'step.to != "archived" || step.serving.size() == 0', False))
    otherwise = "review" if policy.reviews else "suspend"
    judges = dict(policy.judges)
    document: dict[str, Any] = {
        "name": name,
        "version": version,
        "checks": [
            {"name": name, "description": "As it should be.", "expression": expression, "overridable": overridable}
            for name, expression, overridable in checks
        ],
        "stages": [
            {
                "name": stage.name,
                "approvals": [
                    {"role": role, "people": people, "due_in": "P1D", **_judging(judges.get(role))}
                    for role, people in stage.asked
                ],
                "quorum": stage.quorum or "all",
            }
            for stage in policy.stages
        ],
        "separation_of_duties": {
            "proposer_decides_nothing": policy.proposer_decides_nothing,
            "one_person_one_task": policy.one_person_one_task,
        },
        "valid_for": f"P{policy.days}D",
        "keeps_approvals": policy.keeps_approvals,
        "on_content_change": {**dict.fromkeys(policy.keeps, "keep"), "otherwise": otherwise},
    }
    if policy.override:
        document["override"] = {"by": [policy.override], "valid_for": "P10D"}
    if policy.steps:
        document |= {"subject": "use_case", "steps": sorted(policy.steps)}
    return document


def _judging(parts: frozenset[str] | None) -> dict[str, list[str]]:
    return {} if parts is None else {"judges": sorted(parts)}
