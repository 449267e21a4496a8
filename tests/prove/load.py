"""A live load whose every acknowledged write is written down, and the checker that finds what is lost or doubled.

Each story is told by its number alone: the same number ends the same, whatever happened on the way. So the end of a run
with faults is held against that of one without, entity by entity.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from assent_common import ids

from tests.prove.house import House
from tests.support.assent import APPROVERS, FACETS

PERSIST_FOR_S = 180.0
PROPOSER = "ada"
ENDINGS = ("accepted", "rejected", "suspended", "withdrawn", "changes_requested", "retired")
#: What a client is told to try again.
AGAIN = {429, 502, 503, 504}


class Refused(Exception):
    """An answer that no fault excuses."""


@dataclass
class Ledger:
    """What was acknowledged: by service, subject and action of the audit log, how often."""

    acknowledged: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    questions: list[tuple[str, bool]] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    asked_again: int = 0
    slowest_s: float = 0.0

    @property
    def operations(self) -> int:
        return self.acknowledged.total() + len(self.questions) + len(self.versions)


@dataclass
class Story:
    """One use case, one version put forward for it, and how that ends."""

    number: int
    key: str
    urn: str = ""
    candidacy: str = ""

    @property
    def ending(self) -> str:
        return ENDINGS[self.number % len(ENDINGS)]


class Load:
    """Stories under one prefix, some at a time, each told to its end by a client that does not give up."""

    def __init__(self, house: House, prefix: str, at_once: int = 3) -> None:
        self.house = house
        self.prefix = prefix
        self.ledger = Ledger()
        self.stories: list[Story] = []
        self._at_once = at_once

    async def run(self, enough: asyncio.Event) -> None:
        """Story after story until it is enough, and of each ending one at the least."""
        async with self.house.aws("sagemaker") as sagemaker:
            await sagemaker.create_model_package_group(ModelPackageGroupName=self.prefix)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._at_once):
                tasks.create_task(self._tell_on(enough))

    async def _tell_on(self, enough: asyncio.Event) -> None:
        while len(self.stories) < len(ENDINGS) or not enough.is_set():
            number = len(self.stories)
            story = Story(number, f"{self.prefix}-{number}")
            self.stories.append(story)
            await self._tell(story)

    async def _tell(self, story: Story) -> None:
        await self.put_forward(story)
        await self.gate(story, allow=False)
        await self.step(story, "submit", "data_scientist", "candidacy.submitted")
        if story.ending == "withdrawn":
            await self.step(story, "withdraw", "data_scientist", "candidacy.withdrawn")
        else:
            await self._judge(story)
        await self.gate(story, allow=story.ending == "accepted")

    async def put_forward(self, story: Story) -> str:
        """A version of its own for a use case of its own: the candidacy."""
        story.urn = await self._register(story)
        given = {"key": story.key, "name": f"Story {story.number}", "facets": FACETS}
        await self._done("catalog-api", "/v1/use-cases", "business_owner", story.key, "use_case.created", given)
        proposal = {"use_case": story.key, "model_version": story.urn}
        put = await self.ask("POST", "workflow", "/v1/candidacies", "data_scientist", json=proposal, missing=True)
        story.candidacy = put["id"]
        self._acknowledge("workflow", story.candidacy, "candidacy.put_forward")
        return story.candidacy

    async def _judge(self, story: Story) -> None:
        tasks = await self.tasks(story)
        if story.ending in ("rejected", "changes_requested"):
            for role in APPROVERS[:2]:
                await self.decide(story, role, tasks[role], "approve", "task.approved")
            verdict = "reject" if story.ending == "rejected" else "request_changes"
            await self.decide(story, APPROVERS[2], tasks[APPROVERS[2]], verdict, f"task.{story.ending}")
            return
        for role in APPROVERS:
            await self.decide(story, role, tasks[role], "approve", "task.approved")
        await self.gate(story, allow=True)
        if story.ending == "suspended":
            await self.step(story, "suspend", "risk", "candidacy.suspended")
        if story.ending == "retired":
            await self.step(story, "retire", "admin", "candidacy.retired")

    async def _register(self, story: Story) -> str:
        async with self.house.aws("sagemaker") as sagemaker:
            address = f"s3://company-models/{story.key}/model.tar.gz"
            answer = await sagemaker.create_model_package(
                ModelPackageGroupName=self.prefix,
                ModelPackageDescription=f"Story {story.number}",
                ModelApprovalStatus="PendingManualApproval",
                InferenceSpecification={"Containers": [{"Image": "xgboost:1.7", "ModelDataUrl": address}]},
            )
        urn = str(answer["ModelPackageArn"])
        self.ledger.versions.append(urn)
        return urn

    async def tasks(self, story: Story) -> Mapping[str, str]:
        path = f"/v1/tasks?candidacy={story.candidacy}&status=open"
        page = await self.ask("GET", "workflow", path, "viewer")
        return {task["role"]: task["id"] for task in page["items"]}

    async def decide(self, story: Story, role: str, task: str, verdict: str, action: str) -> None:
        given = {"verdict": verdict, "comment": "as discussed"}
        await self._done("workflow", f"/v1/tasks/{task}/decision", role, story.candidacy, action, given)

    async def step(self, story: Story, step: str, role: str, action: str) -> None:
        path = f"/v1/candidacies/{story.candidacy}/{step}"
        given = {"reason": "as told"} if step != "submit" else None
        await self._done("workflow", path, role, story.candidacy, action, given)

    async def gate(self, story: Story, *, allow: bool) -> None:
        """Whoever was told that a decision stands is answered by it, whatever happens meanwhile."""
        question = {"model_version": story.urn, "use_case": story.key}
        answer = await self.ask("POST", "workflow", "/v1/gate", "service", json=question)
        if answer["allow"] is not allow:
            raise Refused(f"{story.key}: the gate said {answer} where {allow} was due")
        self.ledger.questions.append((answer["question"], allow))

    async def _done(
        self, service: str, path: str, role: str, subject: str, action: str, given: Mapping[str, Any] | None
    ) -> None:
        await self.ask("POST", service, path, role, json=given)
        self._acknowledge(service, subject, action)

    def _acknowledge(self, service: str, subject: str, action: str) -> None:
        self.ledger.acknowledged[service, subject, action] += 1

    async def ask(
        self, method: str, service: str, path: str, role: str, *, json: Any = None, missing: bool = False
    ) -> Any:
        """Until it is acknowledged: the same request with the same Idempotency-Key, as a careful client does.

        `missing` says that what it speaks of may not have arrived yet. Raises Refused for what is no fault's doing.
        """
        headers = {"Idempotency-Key": str(ids.new())} if method == "POST" else {}
        # Who puts forward may not judge.
        subject = PROPOSER if "/candidacies" in path and role == "data_scientist" else role
        began = time.monotonic()
        while True:
            try:
                answer = await self.house.request(
                    *(method, service, path), role=role, subject=subject, json=json, headers=headers
                )
            except httpx.HTTPError as error:
                said = repr(error)
            else:
                said = f"{answer.status_code} {answer.text[:500]}"
                if answer.is_success:
                    self.ledger.slowest_s = max(self.ledger.slowest_s, time.monotonic() - began)
                    return answer.json()
                running = answer.status_code == 409 and "retry-after" in answer.headers
                unheard = missing and answer.status_code == 404 and "retry-after" in answer.headers
                if answer.status_code not in AGAIN and not running and not unheard:
                    raise Refused(f"{method} {path}: {said}")
                if answer.status_code in (429, 503) and "retry-after" not in answer.headers:
                    raise Refused(f"{method} {path}: {answer.status_code} without Retry-After")
            if time.monotonic() - began > PERSIST_FOR_S:
                raise Refused(f"{method} {path}: not within {PERSIST_FOR_S:g} s; at last {said}")
            self.ledger.asked_again += 1
            await asyncio.sleep(0.1)
