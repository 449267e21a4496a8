"""Write what people are to be told of the events that were published, in one transaction with their position."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from assent_common.database import Database, is_transient
from assent_common.supervise import pause
from assent_common.uow import UnitOfWork

from assent_workflow.contacts import store as contacts
from assent_workflow.notifications import digests, standing_in, store
from assent_workflow.notifications.happenings import Happening, StandIn, happened, of_interest, state_of
from assent_workflow.notifications.plan import Book, names, plan
from assent_workflow.notifications.reach import Reach
from assent_workflow.notifications.rules import Rules
from assent_workflow.outgoing.follow import follow

LOOK_EVERY_S = 1.0
#: What happened longer ago than a mail is tried for is no news: a database restored, a service that stood still.
NEWS_FOR = timedelta(days=3)


class Writer:
    """Any number of processes share it: one writes at a time. Where nobody can be reached, nothing is written."""

    def __init__(self, database: Database, reach: Reach) -> None:
        self._database = database
        self._reach = reach

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                seen = await self.once()
            except Exception as error:
                if not is_transient(error):
                    raise
                seen = 0
            if not seen:
                await pause(stopping, LOOK_EVERY_S)

    async def once(self) -> int:
        """How many events were seen to."""
        async with self._database.transaction() as uow:
            connection = await uow.sql()

            async def make(events: Sequence[Mapping[str, Any]]) -> None:
                await _tell(uow, connection, events, self._reach)

            return await follow(connection, "notification_cursor", make)


async def _tell(
    uow: UnitOfWork, connection: asyncpg.Connection, events: Sequence[Mapping[str, Any]], reach: Reach
) -> None:
    told = await _news(connection, [orjson.loads(event["body"]) for event in events], now=uow.clock.now())
    await store.ANY.forget(connection)
    if not told or not reach.channels:
        return
    rules = await store.rules(connection)
    wanted = [(cause, each) for cause, each in told if any(rules.that_fit(each))]
    known = await _filled_in(connection, [each for _, each in wanted], uow.clock.now())
    book = await _book(connection, known, rules, reach)
    for (cause, _), happening in zip(wanted, known, strict=True):
        notices = plan(
            happening, rules, book, channels=reach.channels, public_url=reach.public_url, now=uow.clock.now()
        )
        for notice in notices:
            digest = await digests.hold(connection, notice) if notice.gathered_until else None
            await store.add(connection, [(cause, notice, digest)], at=happening.at)


async def _news(
    connection: asyncpg.Connection, events: Sequence[Mapping[str, Any]], *, now: datetime
) -> list[tuple[str, Happening]]:
    """What happened, each with the event that told it; and what was told is remembered."""
    ours = [event for event in events if of_interest(event["type"])]
    states = await store.states(connection, {UUID(event["subject"]) for event in ours})
    news: list[tuple[str, Happening]] = []
    changed: dict[UUID, str] = {}
    for event in ours:
        subject, at = UUID(event["subject"]), datetime.fromisoformat(event["time"]).astimezone(UTC)
        if at > now - NEWS_FOR:
            happenings = happened(event["type"], event["data"], states.get(subject), at=at)
            news += [(event["id"], happening) for happening in happenings]
        state = state_of(event["type"], event["data"])
        if state is not None:
            states[subject] = changed[subject] = state
    await store.remember(connection, changed)
    return news


async def _filled_in(connection: asyncpg.Connection, happenings: Sequence[Happening], now: datetime) -> list[Happening]:
    """With what the event does not say and its entity does."""
    about = {happening.about for happening in happenings}
    candidacies = await store.by_id(
        connection, store.CANDIDACIES, {each.candidacy for each in happenings if each.candidacy}
    )
    tasks = await store.by_id(connection, store.TASKS, about)
    findings = await store.by_id(connection, store.FINDINGS, about)
    stand_ins = await standing_in.stand_ins(connection, tasks, now)
    return [
        _with(
            each,
            candidacies.get(each.candidacy) if each.candidacy else None,
            tasks.get(each.about),
            findings.get(each.about),
            stand_ins.get(each.about, ()),
        )
        for each in happenings
    ]


def _with(
    happening: Happening,
    candidacy: Mapping[str, Any] | None,
    task: Mapping[str, Any] | None,
    finding: Mapping[str, Any] | None,
    stand_ins: Sequence[StandIn],
) -> Happening:
    facts: dict[str, str | None] = {}
    owner, assignee, acting = happening.owner, happening.assignee, tuple[StandIn, ...]()
    if candidacy is not None:
        facts |= {name: candidacy[name] for name in ("use_case", "model_version", "reason")}
        owner = owner or candidacy["owner"]
    if task is not None:
        facts |= {"stage": task["stage"]}
        # Of one that is escalated, somebody else is told.
        if "role" not in happening.facts or happening.facts["role"] == task["role"]:
            assignee, acting = assignee or task["assignee"], tuple(stand_ins)
            facts |= {"group": task["asked_group"]}
    if finding is not None:
        facts |= {"summary": finding["summary"], "severity": finding["severity"], "finding": finding["kind"]}
        owner = owner or finding["owner"]
    known = {name: value for name, value in facts.items() if value is not None}
    proposer = candidacy["put_forward_by"] if candidacy is not None else happening.proposer
    facts_known = {**known, **happening.facts}
    return replace(happening, facts=facts_known, owner=owner, assignee=assignee, proposer=proposer, stand_ins=acting)


async def _book(connection: asyncpg.Connection, happenings: Sequence[Happening], rules: Rules, reach: Reach) -> Book:
    people, roles, groups = set[str](), set[str](), set[str]()
    for happening in happenings:
        named = names(happening, rules)
        people |= named.people
        roles |= named.roles
        groups |= named.groups
    subjects = await store.subjects(connection, people)
    members = await store.members(connection, roles)
    inside = await store.inside(connection, groups)
    found = {subject for held in (*members.values(), *inside.values()) for subject in held}
    known = await contacts.named(connection, {*people, *subjects.values(), *found}, roles, groups)
    return Book(known, subjects, members, inside, reach.domains)
