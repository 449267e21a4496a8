"""A request, its transaction, its key and its trace, on a real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import pytest
from assent_common.census import TABLE_V1, announce
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.events.registry import Census, Kind, SyncCompleted
from assent_common.health import Health
from assent_common.http import app as http_app
from assent_common.http.idempotency import IdempotencyKey, once
from assent_common.http.problems import Conflict
from assent_common.identity.roles import Principal, Role, allow
from assent_common.kafka import topics
from assent_common.leases import Lease
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.responses import JSONResponse

from tests.common import world
from tests.common.world import rows, value

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Wish(BaseModel):
    key: str
    fail: bool = False


class Desk:
    """A service with one route, which can be held in the middle of its work."""

    def __init__(self, store: Database) -> None:
        self.store = store
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    def routes(self) -> APIRouter:
        router = http_app.router()

        @router.post("/wishes", status_code=201)
        async def wish(
            wish: Wish,
            request: Request,
            who: Annotated[Principal, allow(Role.ADMIN)],
            idempotency_key: IdempotencyKey = None,
        ) -> Response:
            async def act() -> Response:
                self.entered.set()
                await self.go_on.wait()
                sequence = await (await uow.sql()).fetchval(world.GROW, wish.key)
                uow.emit(topics.REGISTRY, world.OBSERVED, wish.key, sequence, world.a_model(wish.key))
                uow.audit(who.subject, "wished", wish.key)
                if wish.fail:
                    raise Conflict("not now")
                return JSONResponse({"sequence": sequence}, 201, {"Location": f"/v1/wishes/{wish.key}"})

            async with self.store.transaction() as uow:
                return await once(uow, request, who, idempotency_key, act)

        return router

    @asynccontextmanager
    async def client(self, who: str = "ada") -> AsyncIterator[httpx.AsyncClient]:
        async def authenticate(token: str) -> Principal:
            return Principal("tests", token, frozenset({Role.ADMIN}))

        app = http_app.build(
            title="Tests",
            version="1",
            description="",
            routers=[self.routes()],
            database=self.store,
            health=Health(self.store.clock),
            authenticate=authenticate,
        )
        headers = {"Authorization": f"Bearer {who}"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://tests", headers=headers
        ) as client:
            yield client


@pytest.fixture
def desk(store: Database) -> Desk:
    return Desk(store)


async def send(desk: Desk, idempotency_key: str, who: str = "ada", **wish: Any) -> httpx.Response:
    async with desk.client(who) as client:
        headers = {"Idempotency-Key": idempotency_key}
        return await client.post("/v1/wishes", json=wish, headers=headers)


async def test_the_same_request_twice_has_one_effect_and_one_answer(desk: Desk) -> None:
    first, second = await send(desk, "k1", key="pony"), await send(desk, "k1", key="pony")
    assert (first.status_code, first.json()) == (201, {"sequence": 1})
    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert await value(desk.store, "select count(*) from outbox") == 1
    assert await value(desk.store, "select count(*) from audit") == 1


async def test_another_body_under_the_same_key_is_refused(desk: Desk) -> None:
    await send(desk, "k1", key="pony")
    other = await send(desk, "k1", key="tiger")
    assert (other.status_code, other.json()["type"]) == (422, "https://assent.dev/problems/invalid")
    assert await value(desk.store, "select count(*) from entities") == 1


async def test_a_key_belongs_to_who_sent_it(desk: Desk) -> None:
    await send(desk, "k1", key="pony")
    assert (await send(desk, "k1", who="bob", key="pony")).json() == {"sequence": 2}


async def test_while_the_first_is_running_the_second_is_told_so(desk: Desk) -> None:
    desk.go_on.clear()
    first = asyncio.create_task(send(desk, "k1", key="pony"))
    await desk.entered.wait()
    second = await send(desk, "k1", key="pony")
    assert second.status_code == 409
    assert second.headers["retry-after"] == "1"
    desk.go_on.set()
    assert (await first).status_code == 201
    assert (await send(desk, "k1", key="pony")).headers["idempotency-replayed"] == "true"


async def test_many_at_once_have_one_effect(desk: Desk) -> None:
    answers = await asyncio.gather(*(send(desk, "k1", key="pony") for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.content for answer in answers if answer.status_code == 201} == {b'{"sequence":1}'}
    assert await value(desk.store, "select sequence from entities") == 1


async def test_what_failed_had_no_effect_and_may_be_tried_again(desk: Desk) -> None:
    assert (await send(desk, "k1", key="pony", fail=True)).status_code == 409
    for table in ("entities", "outbox", "audit", "idempotency_keys"):
        assert await value(desk.store, f"select count(*) from {table}") == 0
    assert (await send(desk, "k1", key="pony")).status_code == 201


async def test_the_cause_of_a_request_is_in_its_event_and_in_its_audit_record(desk: Desk, traced: None) -> None:
    async with desk.client() as client:
        headers = {"X-Request-Id": "req-1", "traceparent": PARENT}
        await client.post("/v1/wishes", json={"key": "pony"}, headers=headers)
    (row,) = await rows(desk.store, "select body from outbox")
    event = envelope.from_bytes(row["body"])
    assert event.correlationid == "req-1"
    assert event.traceparent is not None
    version, trace_id, span, _ = event.traceparent.split("-")
    assert (version, trace_id) == tuple(PARENT.split("-")[:2])
    assert span != PARENT.split("-")[2]
    assert (await rows(desk.store, "select correlation_id from audit"))[0]["correlation_id"] == "req-1"


async def test_without_a_cause_each_transaction_is_its_own(store: Database) -> None:
    for key in ("a", "b"):
        async with store.transaction() as uow:
            uow.emit(topics.REGISTRY, world.OBSERVED, key, 1, world.a_model(key))
            uow.audit("system", "looked", key)
    bodies = await rows(store, "select body from outbox order by key")
    causes = [envelope.from_bytes(row["body"]).correlationid for row in bodies]
    audited = [row["correlation_id"] for row in await rows(store, "select correlation_id from audit order by subject")]
    assert causes == audited
    assert len(set(causes)) == 2


async def test_a_lease_has_one_holder_and_its_fence_grows_with_each_new_one(store: Database) -> None:
    first, second = Lease("watch", range(4)), Lease("watch", range(4))
    async with store.connection() as connection:
        assert await first.claim(connection) == dict.fromkeys(range(4), 1)
        assert await second.claim(connection) == {}
        await connection.execute("update leases set expires_at = now() - interval '1 second' where shard < 2")
        assert await second.claim(connection) == {0: 2, 1: 2}
        await first.release(connection)
        assert await second.claim(connection) == dict.fromkeys(range(4), 2)
        assert await first.claim(connection) == {}


async def test_a_lease_is_not_written_again_before_a_third_of_its_time(store: Database) -> None:
    lease = Lease("watch")
    async with store.connection() as connection:
        await lease.claim(connection)
        expires_at = await rows(store, "select expires_at from leases")
        assert await lease.claim(connection) == {0: 1}
    assert await rows(store, "select expires_at from leases") == expires_at
    assert 5 < lease.left_s <= 6


async def test_an_older_announcement_changes_nothing(store: Database) -> None:
    async with store.connection() as connection:
        await connection.execute(TABLE_V1)
        for sequence, live in ((2, 7), (1, 5), (2, 6)):
            census = {Kind.MODEL: Census(live=live, sequences=live)}
            event = SyncCompleted(
                source="eu",
                run="r",
                mode="full",
                started_at=world.BORN,
                finished_at=world.BORN,
                changed=0,
                removed=0,
                census=census,
            )
            await announce(connection, event, sequence)
    assert await value(store, "select live from source_census") == 7
