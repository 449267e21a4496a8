"""Databases restored to the moment of a backup, each to another one, while Kafka and SageMaker went on."""

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from typing import Any

import httpx
from assent_common import audit
from assent_common.kafka import topics

from tests.prove import checker
from tests.prove.house import MODULES, House
from tests.prove.load import ENDINGS, Load, Story
from tests.prove.trouble import Trouble
from tests.support.assent import APPROVERS
from tests.support.wait import until

CONVERGES_WITHIN_S = 180.0
CANDIDACIES = "select id::text, status from candidacies"
LIVE = "select urn from records where kind = 'model_version' and live"
VERSIONS = "select urn from model_versions where live"
GENERATION = "select value >> 32 from outbox_position"
REASON = "select reason from candidacies where id = $1"
ACCEPTED = ENDINGS.index("accepted")


async def restored_from_backups(names: Sequence[str], t: Trouble) -> None:
    """T17. Accepted before the backup and suspended after it; accepted after it; accepted and never touched."""
    house, load = t.house, Load(t.house, f"{t.load.prefix}-before")
    async with house.aws("sagemaker") as sagemaker:
        await sagemaker.create_model_package_group(ModelPackageGroupName=load.prefix)
    taken, kept, late = (Story(ACCEPTED, f"{load.prefix}-{what}") for what in ("taken", "kept", "late"))
    dumps = {}
    for name in sorted(names):
        # Each at another moment.
        if name != "workflow":
            dumps[name] = await house.dump(name, house.folder / f"{load.prefix}-{name}.dump")
    for story in (taken, kept):
        await _accept(load, story)
    await house.well()
    if "workflow" in names:
        dumps["workflow"] = await house.dump("workflow", house.folder / f"{load.prefix}-workflow.dump")
    await load.step(taken, "suspend", "risk", "candidacy.suspended")
    await _accept(load, late)
    await house.well()
    highest = await _highest(house)
    generations = {}
    for name in MODULES:
        async with house.database(name) as connection:
            # A backup is of the generation that the database has now: no other restore comes between.
            generations[name] = await connection.fetchval(GENERATION)

    for name in MODULES:
        await house.remove(name, 0)
    for name in names:
        await house.restore(name, dumps[name])
    t.faults += len(names)
    denied: list[float] = []
    asking = asyncio.create_task(_never_allowed(house, taken, denied))
    try:
        for name in MODULES:
            await house.add(name, 0)
        t.recoveries.append(await house.well())
        await until(lambda: _has_converged(house), within_s=CONVERGES_WITHIN_S)
        await until(lambda: denied or asking.done(), within_s=CONVERGES_WITHIN_S)
    finally:
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
    t.notes.append(f"{len(denied)} times denied")
    await load.gate(taken, allow=False)
    await load.gate(kept, allow=True)
    await load.gate(late, allow="workflow" not in names)
    if "workflow" in names:
        async with house.database("workflow") as connection:
            assert "a backup was restored" in await connection.fetchval(REASON, taken.candidacy)
        await until(lambda: _says(house, late, "retired", "PendingManualApproval"), within_s=CONVERGES_WITHIN_S)
    await until(lambda: _says(house, taken, "suspended", "PendingManualApproval"), within_s=CONVERGES_WITHIN_S)
    await until(lambda: _says(house, kept, "accepted", "Approved"), within_s=CONVERGES_WITHIN_S)
    await _nothing_went_back(house, highest)
    for name in MODULES:
        async with house.database(name) as connection:
            await audit.verify(connection)
            generation = await connection.fetchval(GENERATION)
        assert generation == generations[name] + (name in names), f"{name} is of generation {generation}"


async def _accept(load: Load, story: Story) -> None:
    await load.put_forward(story)
    await load.step(story, "submit", "data_scientist", "candidacy.submitted")
    tasks = await load.tasks(story)
    for role in APPROVERS:
        await load.decide(story, role, tasks[role], "approve", "task.approved")
    await load.gate(story, allow=True)


async def _never_allowed(house: House, story: Story, denied: list[float]) -> None:
    """From the first answer on, until it is cancelled: notes when it was denied."""
    question = {"model_version": story.urn, "use_case": story.key}
    while True:
        with contextlib.suppress(httpx.HTTPError):
            answer = await house.request("POST", "workflow", "/v1/gate", role="service", json=question)
            if answer.status_code == 200:
                assert answer.json()["allow"] is False, f"alive again: {answer.text}"
                denied.append(time.monotonic())
        await asyncio.sleep(0.02)


async def _has_converged(house: House) -> bool:
    """All three say the same of candidacies and of versions."""
    said: dict[str, Any] = {}
    for name in MODULES:
        async with house.database(name) as connection:
            said[name] = {row["id"]: row["status"] for row in await connection.fetch(CANDIDACIES)}
            statement = LIVE if name == "sagemaker-connector" else VERSIONS
            said[f"{name} versions"] = {row["urn"] for row in await connection.fetch(statement)}
    truth = said["workflow"]
    # What only others know was let go by the workflow.
    heard = [{id_: status for id_, status in said[name].items() if id_ in truth} for name in MODULES]
    gone = {s for name in MODULES for id_, s in said[name].items() if id_ not in truth}
    versions = [said[f"{name} versions"] for name in MODULES]
    return (
        all(each == truth for each in heard)
        and gone <= {"retired", "withdrawn"}
        and versions[0] == versions[1] == versions[2]
    )


async def _says(house: House, story: Story, status: str, approval: str) -> bool:
    async with house.database("catalog-api") as connection, house.aws("sagemaker") as sagemaker:
        row = await connection.fetchrow(checker.VERSION, story.urn)
        package = await sagemaker.describe_model_package(ModelPackageName=story.urn)
        said = json.loads(row["candidacies"]) if row else {}
    return (said.get(story.key), package["ModelApprovalStatus"]) == (status, approval)


async def _highest(house: House) -> dict[tuple[str, str], int]:
    highest: dict[tuple[str, str], int] = {}
    for topic in (topics.REGISTRY, topics.CATALOG, topics.GOVERNANCE):
        for event, _ in await checker.events(house, topic.name):
            where = topic.name, event.subject
            highest[where] = max(highest.get(where, 0), event.number)
    return highest


async def _nothing_went_back(house: House, before: dict[tuple[str, str], int]) -> None:
    """What was told last of each entity is what a consumer holds that lets go of the overtaken."""
    last: dict[tuple[str, str], int] = {}
    for topic in (topics.REGISTRY, topics.CATALOG, topics.GOVERNANCE):
        for event, _ in await checker.events(house, topic.name):
            last[topic.name, event.subject] = event.number
    back = {where: (number, last.get(where)) for where, number in before.items() if last.get(where, 0) < number}
    assert not back, f"sequences went back: {back}"
