"""Whoever says nothing is in nobody's way, however many they are: no attempt to tell them ends here before the others
are told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from assent_common.supervise import Duty
from assent_workflow import metrics
from assent_workflow.outgoing import post
from assent_workflow.webhooks import store
from assent_workflow.webhooks.deliver import Deliveries
from assent_workflow.webhooks.routes import PING

from tests.support.receiver import a_receiver
from tests.support.wait import until
from tests.workflow.test_external_checks import SECRETS, YES, answering, asking
from tests.workflow.test_policy_language import LEGAL, rules
from tests.workflow.test_webhooks import LOOPBACK, SEALER, create, log
from tests.workflow.world import World

#: More than there are places.
MANY = 15
ENDED = """
select count(*) from webhook_deliveries where webhook = any($1::uuid[]) and (status <> 'waiting' or last_error <> '')
"""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gives up while this goes on."""
    monkeypatch.setattr(post, "DEADLINE_S", 3600.0)
    monkeypatch.setattr(post, "STEP_WITHIN_S", 3600.0)


@asynccontextmanager
async def running(*duties: Duty) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for duty in duties:
            group.create_task(_run(duty, stopping))
        yield
        stopping.set()


async def _run(duty: Duty, stopping: asyncio.Event) -> None:
    await duty(stopping)


async def added(world: World, url: str, count: int) -> list[dict[str, Any]]:
    return [await create(world, url) for _ in range(count)]


async def due(world: World, webhooks: list[dict[str, Any]]) -> None:
    """One more delivery of each."""
    async with world.database.connection() as connection:
        for webhook in webhooks:
            await store.add(connection, UUID(webhook["id"]), PING, b"{}")


async def ended(world: World, webhooks: list[dict[str, Any]]) -> int:
    async with world.database.connection() as connection:
        count: int = await connection.fetchval(ENDED, [webhook["id"] for webhook in webhooks])
    return count


def are_slow(channel: str, count: int) -> Callable[[], bool]:
    return lambda: metrics.OUTGOING_SLOW.labels(channel)._value.get() == count


async def test_whoever_answers_is_told_though_more_say_nothing_than_there_are_places(world: World) -> None:
    world.app.state.webhook_sealer = SEALER
    async with a_receiver() as nobody, a_receiver() as quick:
        nobody.hold()
        silent, answering_ = await added(world, nobody.url, MANY), await added(world, quick.url, 3)
        await due(world, [*silent, *silent, *answering_])
        async with running(Deliveries(world.database, SEALER, LOOPBACK).run):
            await until(lambda: len(quick.got) == 3, within_s=120)
            # Nor is anybody later on: they are known now.
            await until(are_slow("webhook", MANY), within_s=120)
            for count in (6, 9, 12):
                await due(world, answering_)
                await until(lambda count=count: len(quick.got) == count, within_s=120)  # type: ignore[misc]
            assert await ended(world, silent) == 0
            nobody.let_go()
            # In the end they are told, too; and who takes something at once is like all others again.
            await until(lambda: len(nobody.got) == 2 * MANY, within_s=120)
            await due(world, silent)
            await until(are_slow("webhook", 0), within_s=120)
    for webhook in silent:
        assert [(each["status"], each["attempts"]) for each in await log(world, webhook)] == [("delivered", 1)] * 3


async def test_one_that_says_nothing_is_asked_for_so_much_at_once_and_no_more(world: World) -> None:
    world.app.state.webhook_sealer = SEALER
    async with a_receiver() as nobody, a_receiver() as quick:
        nobody.hold()
        [silent], [answering_] = await added(world, nobody.url, 1), await added(world, quick.url, 1)
        await due(world, [silent] * 2 * MANY)
        async with running(Deliveries(world.database, SEALER, LOOPBACK).run):
            # At first half of the places, and once it is known to be slow as many as there are; but aside.
            await until(lambda: len(nobody.got) == 10, within_s=120)
            for count in range(1, 4):
                await due(world, [answering_])
                await until(lambda count=count: len(quick.got) == count, within_s=120)  # type: ignore[misc]
            assert (len(nobody.got), await ended(world, [silent])) == (10, 0)
            nobody.let_go()
            await until(lambda: len(nobody.got) == 2 * MANY, within_s=120)
    assert {(each["status"], each["attempts"]) for each in await log(world, silent)} == {("delivered", 1)}


async def test_workers_that_share_what_is_due_tell_each_thing_once(world: World) -> None:
    world.app.state.webhook_sealer = SEALER
    async with a_receiver() as receiver:
        webhooks = await added(world, receiver.url, 4)
        await due(world, webhooks * MANY)
        async with running(*(Deliveries(world.database, SEALER, LOOPBACK).run for _ in range(3))):
            await until(lambda: len(receiver.got) >= 4 * MANY, within_s=120)
        assert len(receiver.got) == 4 * MANY
        assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 4 * MANY
    for webhook in webhooks:
        told = [(each["status"], each["attempts"]) for each in await log(world, webhook)]
        assert told == [("delivered", 1)] * MANY


async def test_a_system_that_is_asked_and_says_nothing_keeps_no_other_from_being_asked(world: World) -> None:
    world.app.state.external_secrets = SECRETS
    async with a_receiver() as nobody, a_receiver() as quick:
        nobody.hold()
        nobody.answers, quick.answers = [answering(YES) for _ in range(MANY)], [answering(YES)]
        urls = [*(f"{nobody.url}?{number}" for number in range(MANY)), quick.url]
        checks = [
            {"name": f"check-{number}", "description": "It is fair.", "external": {"url": url, "timeout": "PT30S"}}
            for number, url in enumerate(urls)
        ]
        await rules(world, LEGAL, checks=checks)
        await world.put_forward()
        async with world.database.connection() as connection:
            # The one that answers is the last to be due, and none of the others gives up.
            await connection.execute(
                "update external_checks set timeout_s = 3600, next_try_at = now() - '1 s'::interval"
            )
            await connection.execute("update external_checks set next_try_at = now() where url = $1", quick.url)
            answered = "select count(*) from external_checks where (answered_at is not null or last_error <> '')"
            async with running(asking(world, "127.0.0.0/8").run):
                await until(lambda: connection.fetchval(f"{answered} and url = $1", quick.url), within_s=120)
                assert await connection.fetchval(answered) == 1
                nobody.let_go()
                await until(lambda: _all(connection, answered, MANY + 1), within_s=120)
            passed = await connection.fetchval("select count(*) from external_checks where passed and attempts = 1")
    assert passed == MANY + 1


async def _all(connection: Any, statement: str, count: int) -> bool:
    return bool(await connection.fetchval(statement) == count)
