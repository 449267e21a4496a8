"""What is there in the end, entity by entity, and what of the acknowledged is missing or there twice."""

import contextlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent, UnreadableEvent
from assent_common.kafka import topics
from assent_common.outbox.append import GENERATION

from tests.prove.house import MODULES, House
from tests.prove.load import Ledger, Load, Story
from tests.support.wait import until

SAYS_SAGEMAKER = {"accepted": "Approved", "rejected": "Rejected"}
SETTLES_WITHIN_S = 120.0
AUDIT = "select subject, action, count(*) as times from audit where subject = any($1::text[]) group by subject, action"
QUESTIONS = "select id::text, allow from gate_questions where id = any($1::uuid[])"
# Positions have no gaps within a generation of the database.
POSITIONS = """
select count(position) as given, count(distinct position) as different, coalesce(max(position) - base, 0) as last,
       (select value from outbox_position) - base as counter
  from outbox right join (select (value >> 32) << 32 as base from outbox_position) g on position > base
 group by base
"""
CANDIDACY = """
select c.status, c.sequence,
       (select coalesce(jsonb_object_agg(t.role, t.status || ' ' || t.sequence), '{}')
          from tasks t where t.candidacy = c.id) as tasks
  from candidacies c where c.id = $1
"""
VERSION = "select status, source_approval_status as approval, candidacies from model_versions where urn = $1"


@dataclass
class Findings:
    """Nothing of it may be there."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong)


async def settled(house: House, load: Load, reference: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """By its ending how a story left the world, once all stand as in the reference.

    Without one it is enough that each story ended as it is told: this run is the reference for others.
    """
    end: dict[int, Any] = {}
    wanted = {story.number: reference[story.ending] if reference else _as_told(story) for story in load.stories}

    async def as_without_faults() -> bool:
        end.update(await _end(house, load))
        return not any(_differs(end[number], wanted[number]) for number in end)

    try:
        await until(as_without_faults, within_s=SETTLES_WITHIN_S)
    except AssertionError:
        differing = {n: (end[n], wanted[n]) for n in end if _differs(end[n], wanted[n])}
        raise AssertionError(f"not as without faults: {json.dumps(differing, default=str)}") from None
    return {story.ending: end[story.number] for story in load.stories}


async def checked(house: House, load: Load) -> Findings:
    """Every acknowledged write has its effect once, and topics tell one history of each entity."""
    found = Findings()
    await _audit(house, load.ledger, found)
    await _questions(house, load.ledger, found)
    await _catalogue(house, load, found)
    for service in MODULES:
        async with house.database(service) as connection:
            row = await connection.fetchrow(POSITIONS)
        if not row["given"] == row["different"] == row["last"] == row["counter"]:
            found.wrong.append(f"{service}: positions have gaps or doubles: {dict(row)}")
    await _topics(house, load, found)
    return found


def _differs(is_: Mapping[str, Any], should_be: Mapping[str, Any]) -> bool:
    return any(is_[part] != value for part, value in should_be.items())


def _as_told(story: Story) -> Mapping[str, Any]:
    status = "candidate" if story.ending == "changes_requested" else story.ending
    source = SAYS_SAGEMAKER.get(story.ending, "PendingManualApproval")
    return {"status": status, "catalogue": status, "told the catalogue": source, "says SageMaker": source}


async def _end(house: House, load: Load) -> dict[int, Any]:
    """In the workflow, in the catalogue and in SageMaker, without ids and times."""
    end: dict[int, Any] = {}
    async with (
        house.aws("sagemaker") as sagemaker,
        house.database("workflow") as workflow,
        house.database("catalog-api") as catalogue,
    ):
        for story in load.stories:
            candidacy = await workflow.fetchrow(CANDIDACY, story.candidacy) or {}
            known = await catalogue.fetchrow(VERSION, story.urn) or {}
            package = await sagemaker.describe_model_package(ModelPackageName=story.urn)
            end[story.number] = {
                "status": candidacy.get("status"),
                "sequence": candidacy.get("sequence"),
                "tasks": json.loads(candidacy.get("tasks", "{}")),
                "catalogue": known.get("status"),
                "candidacies": list(json.loads(known.get("candidacies", "{}")).values()),
                "told the catalogue": known.get("approval"),
                "says SageMaker": package["ModelApprovalStatus"],
            }
    return end


async def _audit(house: House, ledger: Ledger, found: Findings) -> None:
    for service in {service for service, _, _ in ledger.acknowledged}:
        mine = {key: times for key, times in ledger.acknowledged.items() if key[0] == service}
        async with house.database(service) as connection:
            rows = await connection.fetch(AUDIT, list({subject for _, subject, _ in mine}))
        kept = Counter({(service, row["subject"], row["action"]): row["times"] for row in rows})
        for key, times in mine.items():
            if kept[key] < times:
                found.lost.append(f"{key}: {times} acknowledged, {kept[key]} kept")
            if kept[key] > times:
                found.doubled.append(f"{key}: {times} acknowledged, {kept[key]} kept")


async def _questions(house: House, ledger: Ledger, found: Findings) -> None:
    async with house.database("workflow") as connection:
        rows = await connection.fetch(QUESTIONS, [id_ for id_, _ in ledger.questions])
    kept = {row["id"]: row["allow"] for row in rows}
    found.lost += [f"gate question {id_}" for id_, allow in ledger.questions if kept.get(id_) is not allow]


async def _catalogue(house: House, load: Load, found: Findings) -> None:
    async with house.database("catalog-api") as connection:
        rows = await connection.fetch("select urn from model_versions where urn = any($1)", load.ledger.versions)
    held = Counter(row["urn"] for row in rows)
    for urn in load.ledger.versions:
        if held[urn] != 1:
            (found.lost if not held[urn] else found.doubled).append(f"{urn}: {held[urn]} times in the catalogue")


async def _topics(house: House, load: Load, found: Findings) -> None:
    """As a consumer sees them that lets go of what it has seen: one history of each entity, in order."""
    ours = {story.candidacy for story in load.stories} | {story.urn for story in load.stories}
    histories: defaultdict[tuple[str, str], dict[int, bytes]] = defaultdict(dict)
    for topic in (topics.REGISTRY, topics.CATALOG, topics.GOVERNANCE):
        for event, value in await events(house, topic.name):
            history = histories[topic.name, event.subject]
            if event.number in history and history[event.number] != value:
                found.doubled.append(f"{topic.name} {event.subject}: two events are {event.number}")
            skipped = history and event.number % GENERATION > max(history) % GENERATION + 1
            if skipped and event.number // GENERATION == max(history) // GENERATION:
                found.lost.append(f"{topic.name} {event.subject}: after {max(history)} comes {event.number}")
            history.setdefault(event.number, value)
    told = {subject for _, subject in histories}
    found.lost += [f"nothing was told of {subject}" for subject in sorted(ours - told)]


async def events(house: House, topic: str) -> Sequence[tuple[CloudEvent, bytes]]:
    """All on a topic that can be read, in order within each partition."""
    found = []
    for value in await _records(house, topic):
        with contextlib.suppress(UnreadableEvent):
            found.append((envelope.from_bytes(value), value))
    return found


async def _records(house: House, topic: str) -> Sequence[bytes]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=house.broker.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, n) for n in sorted(consumer.partitions_for_topic(topic) or ())]
        ends = await consumer.end_offsets(partitions)
        found: list[bytes] = []
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found += [record.value for record in batch if record.value is not None]
        return found
    finally:
        await consumer.stop()
