"""What happens is told to whoever asked for it: signed, once while all goes well, and again until it is taken."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from assent_workflow.outgoing import post
from assent_workflow.outgoing.places import Room
from assent_workflow.outgoing.queue import RETRIES_S
from assent_workflow.webhooks import store
from assent_workflow.webhooks.deliver import Deliveries
from assent_workflow.webhooks.reseal import Resealing
from assent_workflow.webhooks.sign import Sealer
from fastapi import Response
from standardwebhooks.webhooks import Webhook

from tests.support import certificates
from tests.support.receiver import Receiver, a_receiver
from tests.support.wait import until
from tests.workflow.one_look import DELIVERIES, looks
from tests.workflow.outgoing_process import a_process
from tests.workflow.world import World

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
SEALER = Sealer("ab" * 32)
TASKS = "assent.governance.task.*"


async def create(world: World, url: str, types: Sequence[str] = (TASKS,)) -> dict[str, Any]:
    body = {"url": url, "types": list(types)}
    answer = await world.ask("POST", "/v1/webhooks", by="root", role="admin", json=body)
    assert answer.status_code == 201, answer.text
    webhook: dict[str, Any] = answer.json()
    return webhook


async def happens(world: World) -> int:
    """Five tasks are asked, and published; the number of events altogether."""
    await world.put_forward()
    async with world.database.connection() as connection:
        await connection.execute("update outbox set position = id, published_at = now()")
        await connection.execute("update outbox_position set value = (select max(position) from outbox)")
        count: int = await connection.fetchval("select count(*) from outbox")
    return count


async def ping(world: World, webhook: dict[str, Any]) -> None:
    answer = await world.ask("POST", f"/v1/webhooks/{webhook['id']}/ping", by="root", role="admin")
    assert answer.status_code == 202, answer.text


async def drained(world: World, deliveries: Deliveries) -> None:
    await looks(world.database, DELIVERIES, [deliveries.run])


async def make_due(world: World) -> None:
    async with world.database.connection() as connection:
        await connection.execute("update webhook_deliveries set next_try_at = now() where status = 'waiting'")


async def log(world: World, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await world.ask("GET", f"/v1/webhooks/{webhook['id']}/deliveries", by="root", role="admin")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with a_receiver() as receiver:
        yield receiver


@pytest.fixture
def deliveries(world: World) -> Deliveries:
    world.app.state.webhook_sealer = SEALER
    return Deliveries(world.database, SEALER, LOOPBACK)


async def test_what_was_asked_for_is_told_once_and_signed(
    world: World, deliveries: Deliveries, receiver: Receiver
) -> None:
    webhook = await create(world, receiver.url)
    assert await happens(world) > 5
    await drained(world, deliveries)
    await drained(world, deliveries)
    assert len(receiver.got) == 5
    for headers, body in receiver.got:
        event = Webhook(webhook["secret"]).verify(body.decode(), headers)
        assert event["type"] == "assent.governance.task.changed.v1"
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 5
    assert [each["status"] for each in await log(world, webhook)] == ["delivered"] * 5


async def test_a_secret_is_shown_once_kept_sealed_and_after_a_rotation_both_are_good(
    world: World, deliveries: Deliveries, receiver: Receiver
) -> None:
    webhook = await create(world, receiver.url)
    path = f"/v1/webhooks/{webhook['id']}"
    assert "secret" not in (await world.ask("GET", path, by="root", role="admin")).json()
    async with world.database.connection() as connection:
        sealed = await connection.fetchval("select secret from webhooks")
        audited = await connection.fetch("select details::text from audit")
    assert webhook["secret"].encode() not in bytes(sealed)
    assert all(webhook["secret"] not in row["details"] for row in audited)
    rotated = (await world.ask("POST", f"{path}/rotate", by="root", role="admin")).json()
    assert (await world.ask("POST", f"{path}/ping", by="root", role="admin")).status_code == 202
    await drained(world, deliveries)
    [(headers, body)] = receiver.got
    for secret in (webhook["secret"], rotated["secret"]):
        assert Webhook(secret).verify(body.decode(), headers)["type"] == "assent.webhook.ping.v1"
    async with world.database.connection() as connection:
        await connection.execute("update webhooks set old_until = now()")
    await world.ask("POST", f"{path}/ping", by="root", role="admin")
    await drained(world, deliveries)
    assert len(receiver.got[1][0]["webhook-signature"].split()) == 1


async def test_a_failure_is_tried_again_later_as_the_receiver_asks_and_given_up_in_the_end(
    world: World, deliveries: Deliveries, receiver: Receiver
) -> None:
    webhook = await create(world, receiver.url)
    receiver.answers = [Response(status_code=503, headers={"Retry-After": "7000"})]
    await world.ask("POST", f"/v1/webhooks/{webhook['id']}/ping", by="root", role="admin")
    await drained(world, deliveries)
    async with world.database.connection() as connection:
        wait_s = await connection.fetchval("select extract(epoch from next_try_at - now()) from webhook_deliveries")
    assert 6_900 < wait_s <= 7_000
    assert sum(RETRIES_S) * 1.25 >= 3 * 86_400
    receiver.answers = [Response(status_code=500) for _ in RETRIES_S]
    for _ in RETRIES_S:
        await make_due(world)
        await drained(world, deliveries)
    [failed] = await log(world, webhook)
    assert (failed["status"], failed["attempts"], failed["last_status"]) == ("failed", len(RETRIES_S) + 1, 500)
    again = f"/v1/webhook-deliveries/{failed['id']}/redeliver"
    assert (await world.ask("POST", again, by="root", role="admin")).status_code == 202
    await drained(world, deliveries)
    assert [each["status"] for each in await log(world, webhook)] == ["delivered"]
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


async def test_410_disables_and_a_redirect_is_not_followed(
    world: World, deliveries: Deliveries, receiver: Receiver
) -> None:
    webhook = await create(world, receiver.url)
    receiver.answers = [Response(status_code=302, headers={"Location": receiver.url}), Response(status_code=410)]
    path = f"/v1/webhooks/{webhook['id']}"
    await world.ask("POST", f"{path}/ping", by="root", role="admin")
    await drained(world, deliveries)
    assert len(receiver.got) == 1
    assert (await log(world, webhook))[0]["last_status"] == 302
    await make_due(world)
    await drained(world, deliveries)
    read = await world.ask("GET", path, by="root", role="admin")
    assert read.json()["enabled"] is False
    assert "410" in read.json()["disabled_reason"]
    body = {"url": receiver.url, "types": []}
    assert (await world.ask("PUT", path, by="root", role="admin", json=body)).status_code == 428
    headers = {"If-Match": read.headers["ETag"]}
    enabled = await world.ask("PUT", path, by="root", role="admin", json=body, headers=headers)
    assert enabled.json()["enabled"] is True
    assert (await world.ask("DELETE", path, by="root", role="admin")).status_code == 204


async def test_another_key_takes_the_place_of_the_one_that_sealed_them(
    world: World, deliveries: Deliveries, receiver: Receiver
) -> None:
    webhook = await create(world, receiver.url)
    path = f"/v1/webhooks/{webhook['id']}"
    rotated = (await world.ask("POST", f"{path}/rotate", by="root", role="admin")).json()
    lost = await create(world, receiver.url)
    async with world.database.connection() as connection:
        await connection.execute("update webhooks set secret = 'sealed by whom?' where id = $1", UUID(lost["id"]))

    resealing = Resealing(world.database, Sealer("cd" * 32, "ab" * 32))
    assert [await resealing.once() for _ in range(2)] == [1, 0]
    await ping(world, webhook)
    await drained(world, Deliveries(world.database, Sealer("cd" * 32), LOOPBACK))
    [(headers, body)] = receiver.got
    for secret in (webhook["secret"], rotated["secret"]):
        assert Webhook(secret).verify(body.decode(), headers)["type"] == "assent.webhook.ping.v1"


async def test_a_name_that_means_something_else_at_the_next_delivery_leads_nowhere(
    world: World, receiver: Receiver
) -> None:
    world.app.state.webhook_sealer = SEALER
    port = receiver.url.split(":")[2].split("/")[0]
    meant = ["127.0.0.1", "169.254.169.254"]
    asked = 0

    async def rebinding(host: str, _: int) -> Sequence[str]:
        nonlocal asked
        asked += 1
        return [meant[min(asked, 2) - 1]]

    deliveries = Deliveries(world.database, SEALER, LOOPBACK, resolve=rebinding)
    webhook = await create(world, f"http://hooks.internal:{port}/hook")
    path = f"/v1/webhooks/{webhook['id']}/ping"
    await world.ask("POST", path, by="root", role="admin")
    await drained(world, deliveries)
    # Asked once, and connected to what it meant then.
    assert asked == 1
    [(headers, _)] = receiver.got
    assert headers["host"] == f"hooks.internal:{port}"
    await world.ask("POST", path, by="root", role="admin")
    await drained(world, deliveries)
    assert len(receiver.got) == 1
    assert "not public" in (await log(world, webhook))[0]["last_error"]


async def test_a_worker_that_dies_over_a_delivery_leaves_it_to_another(
    world: World, deliveries: Deliveries, receiver: Receiver
) -> None:
    webhook = await create(world, receiver.url)
    await happens(world)
    async with world.database.transaction() as uow:
        await store.fan_out(uow)
    async with world.database.connection() as connection:
        assert len(await store.QUEUE.claim(connection, Room(10, 10, {}, ()))) == 5
    await drained(world, deliveries)
    assert receiver.got == []
    await make_due(world)
    await drained(world, deliveries)
    assert len(receiver.got) == 5
    assert [each["attempts"] for each in await log(world, webhook)] == [2] * 5


async def test_without_a_key_there_are_no_webhooks_and_no_url_is_taken_on_trust(world: World) -> None:
    body = {"url": "https://hooks.example.com/"}
    assert (await world.ask("POST", "/v1/webhooks", by="root", role="admin", json=body)).status_code == 409
    world.app.state.webhook_sealer = SEALER
    for url in ("ftp://hooks.example.com", "https://user:pw@hooks.example.com/", "nonsense"):
        refused = await world.ask("POST", "/v1/webhooks", by="root", role="admin", json={"url": url})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/url"


async def test_the_certificate_must_be_of_the_name_though_the_connection_goes_to_the_address(
    world: World, tmp_path: Path
) -> None:
    authority = certificates.authority(tmp_path)
    files = certificates.of("hooks.internal", authority, tmp_path)
    world.app.state.webhook_sealer = SEALER

    async def here(host: str, _: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with a_receiver(files) as receiver:
        port = receiver.port
        named = await create(world, f"https://hooks.internal:{port}/hook")
        misnamed = await create(world, f"https://other.internal:{port}/hook")
        by_address = await create(world, f"https://127.0.0.1:{port}/hook")
        trusting = Deliveries(world.database, SEALER, LOOPBACK, resolve=here, cafile=str(authority.file))
        wary = Deliveries(world.database, SEALER, LOOPBACK, resolve=here)
        for webhook in (named, misnamed, by_address):
            await world.ask("POST", f"/v1/webhooks/{webhook['id']}/ping", by="root", role="admin")
        await drained(world, wary)
        assert receiver.got == []
        await make_due(world)
        await drained(world, trusting)
        assert [headers["host"] for headers, _ in receiver.got] == [f"hooks.internal:{port}"]
        assert [each["status"] for each in await log(world, named)] == ["delivered"]
        for webhook in (misnamed, by_address):
            [refused] = await log(world, webhook)
            assert (refused["status"], refused["last_error"]) == ("waiting", "ConnectError")


async def test_a_receiver_may_name_a_date_before_which_it_wants_nothing(
    world: World, deliveries: Deliveries, receiver: Receiver
) -> None:
    webhook = await create(world, receiver.url)
    until_then = datetime.now(UTC) + timedelta(hours=2)  # noqa: TID251
    receiver.answers = [Response(status_code=429, headers={"Retry-After": format_datetime(until_then, usegmt=True)})]
    await world.ask("POST", f"/v1/webhooks/{webhook['id']}/ping", by="root", role="admin")
    await drained(world, deliveries)
    [delivery] = await log(world, webhook)
    asked_for = datetime.fromisoformat(delivery["next_try_at"]) - until_then
    assert timedelta(seconds=-2) < asked_for < timedelta(seconds=60)


async def test_one_that_takes_nothing_for_days_is_disabled_and_its_owner_has_a_finding(
    world: World, deliveries: Deliveries, receiver: Receiver
) -> None:
    webhook = await create(world, receiver.url)
    path = f"/v1/webhooks/{webhook['id']}"
    for _ in range(2):
        await world.ask("POST", f"{path}/ping", by="root", role="admin")
    receiver.answers = [Response(status_code=500) for _ in range(2)]
    async with world.database.connection() as connection:
        await connection.execute(
            "update webhook_deliveries set attempts = $1, created_at = now() - interval '3 days'", len(RETRIES_S)
        )
    await drained(world, deliveries)
    read = await world.ask("GET", path, by="root", role="admin")
    assert read.json()["enabled"] is False
    assert "500" in read.json()["disabled_reason"]
    [finding] = (await world.ask("GET", "/v1/findings", params={"status": "open"})).json()["items"]
    assert (finding["kind"], finding["owner"], finding["subject"]) == ("webhook_disabled", "root", webhook["id"])
    assert receiver.url not in str(finding)
    body = {"url": receiver.url, "enabled": True}
    headers = {"If-Match": read.headers["ETag"]}
    assert (await world.ask("PUT", path, by="root", role="admin", json=body, headers=headers)).status_code == 200
    again = (await world.ask("GET", f"/v1/findings/{finding['id']}")).json()
    assert again["status"] == "resolved"


async def test_one_killed_before_it_could_put_an_answer_on_record_leaves_the_delivery_to_another(
    world: World, deliveries: Deliveries, receiver: Receiver, database_url: str
) -> None:
    webhook = await create(world, receiver.url)
    await world.ask("POST", f"/v1/webhooks/{webhook['id']}/ping", by="root", role="admin")
    receiver.hold()
    async with a_process("webhooks", database_url) as process:
        await until(lambda: receiver.got, within_s=30)
        process.kill()
        await process.wait()
    receiver.let_go()
    await drained(world, deliveries)
    # Whoever held it may be about it still.
    assert len(receiver.got) == 1
    await make_due(world)
    await drained(world, deliveries)
    assert [each["status"] for each in await log(world, webhook)] == ["delivered"]
    assert len(receiver.got) == 2
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


async def test_one_that_does_not_answer_holds_up_nobody_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "DEADLINE_S", 3600.0)
    monkeypatch.setattr(post, "STEP_WITHIN_S", 3600.0)
    world.app.state.webhook_sealer = SEALER
    deliveries, stopping = Deliveries(world.database, SEALER, LOOPBACK), asyncio.Event()
    async with a_receiver() as silent, a_receiver() as quick:
        silent.hold()
        await ping(world, await create(world, silent.url))
        webhook = await create(world, quick.url)
        running = asyncio.create_task(deliveries.run(stopping))
        await until(lambda: silent.got, within_s=60)
        for count in (1, 2, 3):
            await ping(world, webhook)
            await until(lambda count=count: len(quick.got) == count, within_s=60)  # type: ignore[misc]
        assert len(silent.got) == 1
        stopping.set()
        silent.let_go()
        await running
    assert [each["status"] for each in await log(world, webhook)] == ["delivered"] * 3
