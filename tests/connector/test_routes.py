"""The connector's HTTP: who may call what, and what it answers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from assent_common import ids
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_common.events.registry import Kind
from assent_common.health import Health
from assent_common.http import app as http_app
from assent_common.http import audit_log
from assent_common.http.app import access_table
from assent_common.identity.roles import EVERYBODY, Principal, Role
from assent_local.simulator import Simulator
from assent_sagemaker import routes, runs
from assent_sagemaker.access.check import Checker
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.limiter import Limiter
from assent_sagemaker.aws.traffic import Traffic
from assent_sagemaker.runs import Status
from assent_sagemaker.sources import Source
from fastapi import FastAPI

from tests.connector import test_write_back as decisions
from tests.connector import world
from tests.connector.conftest import Connect
from tests.connector.world import Connector, register
from tests.support.wait import until

OPERATORS = frozenset({Role.ADMIN, Role.SERVICE})
TABLE = {
    ("GET", "/v1/sources"): EVERYBODY,
    ("GET", "/v1/sources/{name}"): EVERYBODY,
    ("POST", "/v1/sources/{name}/sync"): OPERATORS,
    ("POST", "/v1/sources/{name}/replay"): OPERATORS,
    ("POST", "/v1/sources/{name}/removals"): frozenset({Role.ADMIN}),
    ("POST", "/v1/sources/{name}/test"): OPERATORS,
    ("GET", "/v1/hints"): EVERYBODY,
    ("GET", "/v1/sync-runs"): EVERYBODY,
    ("GET", "/v1/sync-runs/{id}"): EVERYBODY,
    ("GET", "/v1/write-backs"): EVERYBODY,
    ("POST", "/v1/write-backs/{id:path}/retry"): OPERATORS,
    ("GET", "/v1/audit"): EVERYBODY,
    ("GET", "/v1/audit/checkpoint"): EVERYBODY,
    ("GET", "/v1/audit/export"): EVERYBODY,
    ("GET", "/v1/audit/keys"): EVERYBODY,
}


@pytest.fixture
def woken() -> list[str]:
    return []


@pytest.fixture
async def checker(store: Database) -> AsyncIterator[Checker]:
    async with Clients(store.clock) as clients:
        yield Checker(store, clients, Limiter())


@pytest.fixture
def app(store: Database, woken: list[str], checker: Checker) -> FastAPI:
    """Tokens are roles' names here: how they are verified is the library's."""

    async def authenticate(token: str) -> Principal:
        return Principal("tests", f"{token}-1", frozenset({Role(token)}))

    sources = [Source(name="demo", region=world.REGION, write_back=True), Source(name="spare", region=world.REGION)]
    return http_app.build(
        title="connector",
        version="0",
        description="",
        routers=[
            *routes.routers(store, {source.name: source for source in sources}, woken.append, checker.check),
            audit_log.routes,
        ],
        database=store,
        health=Health(world.now()),
        authenticate=authenticate,
    )


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://connector") as http:
        yield http


def bearing(role: Role, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {role}", **headers}


async def get(http: httpx.AsyncClient, path: str, **params: Any) -> Any:
    answer = await http.get(path, headers=bearing(Role.VIEWER), params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_routes_and_their_roles_are_these(app: FastAPI) -> None:
    assert access_table(app) == TABLE


@pytest.mark.parametrize(("method", "path"), TABLE)
async def test_every_route_knows_who_calls(
    simulator: Simulator, http: httpx.AsyncClient, method: str, path: str
) -> None:
    template = path
    path = path.replace(":path", "").format(name="demo", id=ids.new())
    assert (await http.request(method, path)).status_code == 401
    for role in Role:
        answer = await http.request(method, path, headers=bearing(role))
        allowed = role in TABLE[method, template]
        assert (answer.status_code != 403) == allowed, f"{role}: {answer.status_code}"
        # An audit log that nothing was written to yet has no end to sign.
        assert answer.status_code in (200, 202, 403, 404, 409)


async def test_a_source_says_how_reading_it_goes(company: Simulator, connect: Connect, http: httpx.AsyncClient) -> None:
    await connect()

    async def scheduled() -> bool:
        return (await get(http, "/v1/sources/demo"))["next_poll_at"] is not None

    await until(scheduled, within_s=10)
    page = await get(http, "/v1/sources")
    assert [source["name"] for source in page["items"]] == ["demo", "spare"]
    demo, spare = page["items"]
    assert demo["plan"] == "search"
    assert "agrees with Describe" in demo["plan_reason"]
    assert demo["live"] == {"model": 7, "model_version": 41, "deployment": 2}
    assert demo["last_error"] is None
    assert demo["last_full_at"] is not None
    assert demo["next_poll_at"] > demo["last_synced_at"]
    assert spare["plan"] is None
    assert await get(http, "/v1/sources/demo") == demo

    first = await get(http, "/v1/sources", limit=1)
    second = await get(http, "/v1/sources", limit=1, cursor=first["next_cursor"])
    assert [s["name"] for s in (*first["items"], *second["items"])] == ["demo", "spare"]
    assert second["next_cursor"] is None


async def test_a_sync_that_is_asked_for_runs_and_can_be_followed(
    company: Simulator, connect: Connect, http: httpx.AsyncClient, woken: list[str]
) -> None:
    connector = await connect()
    answer = await http.post("/v1/sources/demo/sync", headers=bearing(Role.ADMIN))
    assert answer.status_code == 202
    assert woken == ["demo"]
    await connector.wake()

    async def ended() -> Any:
        run = await get(http, answer.headers["location"])
        return run if run["finished_at"] else None

    run = await until(ended, within_s=20)
    assert run["status"] == "completed"
    assert run["requested_by"] == "admin-1"
    assert run["cause"] == "request"
    assert run["counts"]["listed"] == 48
    listed = await get(http, "/v1/sync-runs", source="demo", status="completed")
    assert listed["items"][0]["id"] == run["id"]
    (entry,) = (await get(http, "/v1/audit", subject="demo"))["items"]
    assert (entry["actor"], entry["action"]) == ("admin-1", "sync_requested")


async def test_a_poll_that_is_asked_for_is_kept_though_it_finds_nothing(
    company: Simulator, connect: Connect, http: httpx.AsyncClient
) -> None:
    connector = await connect()
    answer = await http.post("/v1/sources/demo/sync", params={"mode": "incremental"}, headers=bearing(Role.ADMIN))
    assert (answer.status_code, answer.json()["mode"]) == (202, "incremental")
    await connector.wake()

    async def ended() -> Any:
        run = await get(http, answer.headers["location"])
        return run if run["finished_at"] else None

    run = await until(ended, within_s=20)
    assert (run["status"], run["cause"], run["error"]) == ("completed", "request", None)
    assert run["counts"].get("changed", 0) == 0
    assert run["traffic"]["calls"]["search"] == 1
    assert "describe_model_package" not in run["traffic"]["calls"]
    assert run["traffic"]["rates"]["search"] > 0
    assert len(await connector.events(world.COMPLETED)) == 1


async def test_a_source_that_was_never_read_is_read_whole_before_it_is_polled(
    company: Simulator, store: Database, connect: Connect, http: httpx.AsyncClient
) -> None:
    answer = await http.post("/v1/sources/demo/sync", params={"mode": "incremental"}, headers=bearing(Role.ADMIN))
    connector = await connect()

    async def ended() -> Any:
        run = await get(http, answer.headers["location"])
        return run if run["finished_at"] else None

    asked = await until(ended, within_s=20)
    assert (asked["status"], asked["plan"]) == ("completed", "search")
    full, polled = sorted(await connector.runs(), key=lambda run: run.mode)
    assert (full.mode, full.counts["changed"]) == ("full", 50)
    assert (polled.id, polled.counts.get("changed", 0)) == (UUID(asked["id"]), 0)


async def test_how_fresh_a_source_is_is_counted_from_when_the_last_reading_began(
    company: Simulator, connect: Connect, http: httpx.AsyncClient
) -> None:
    connector = await connect()
    demo = await get(http, "/v1/sources/demo")
    assert demo["freshness_s"] == 0
    assert demo["traffic"]["calls"]["list_model_packages"] >= 1
    connector.clock.advance(timedelta(seconds=40))
    assert (await get(http, "/v1/sources/demo"))["freshness_s"] == 40
    assert (await get(http, "/v1/sources/spare"))["freshness_s"] is None


async def test_the_failing_sources_are_found_among_many(
    company: Simulator, connect: Connect, http: httpx.AsyncClient
) -> None:
    connector = await connect()
    assert (await get(http, "/v1/sources", failing=True))["items"] == []
    company.dial(denied=["Search", "ListModelPackageGroups"])
    failed = await connector.full()
    assert failed.status == Status.FAILED
    assert failed.traffic["calls"]
    (demo,) = (await get(http, "/v1/sources", failing=True))["items"]
    assert demo["name"] == "demo"
    assert "ListModelPackageGroups" in demo["last_error"]
    assert [s["name"] for s in (await get(http, "/v1/sources", failing=False))["items"]] == ["spare"]
    assert [s["name"] for s in (await get(http, "/v1/sources", q="PAR"))["items"]] == ["spare"]
    assert (await get(http, "/v1/sources", q="par", failing=True))["items"] == []


async def test_a_source_says_how_many_approvals_nobody_decided(
    simulator: Simulator, sagemaker: Any, connect: Connect, http: httpx.AsyncClient
) -> None:
    urns = [await register(sagemaker, "churn") for _ in range(2)]
    connector = await connect()
    assert (await get(http, "/v1/sources/demo"))["drifting"] == 0
    await sagemaker.update_model_package(ModelPackageArn=urns[0], ModelApprovalStatus="Approved")
    await connector.full()
    assert (await get(http, "/v1/sources/demo"))["drifting"] == 1


async def test_asking_twice_before_it_begins_is_one_run(http: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(http.post("/v1/sources/spare/sync", headers=bearing(Role.ADMIN)) for _ in range(4))
    )
    assert [answer.status_code for answer in answers] == [202] * 4
    assert len({answer.headers["location"] for answer in answers}) == 1
    poll = await http.post("/v1/sources/spare/sync", params={"mode": "incremental"}, headers=bearing(Role.ADMIN))
    assert poll.headers["location"] != answers[0].headers["location"]


async def test_an_idempotency_key_makes_a_repeated_request_answer_as_the_first(http: httpx.AsyncClient) -> None:
    headers = bearing(Role.SERVICE, **{"Idempotency-Key": "again"})
    first = await http.post("/v1/sources/spare/sync", headers=headers)
    second = await http.post("/v1/sources/spare/sync", headers=headers)
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.headers["location"] == first.headers["location"]


async def test_a_replay_sends_the_present_state_of_one_source_again(
    company: Simulator, connect: Connect, http: httpx.AsyncClient
) -> None:
    connector = await connect()
    await connector.rows("update outbox set published_at = now()")
    answer = await http.post("/v1/sources/demo/replay", headers=bearing(Role.SERVICE))
    assert (answer.status_code, answer.json()) == (202, {"source": "demo", "events": 51})
    (row,) = await connector.rows("select count(*) from outbox where published_at is null and replayed")
    assert row["count"] == 51
    spare = await http.post("/v1/sources/spare/replay", headers=bearing(Role.SERVICE))
    assert spare.json()["events"] == 0


async def test_a_run_says_how_long_it_took_once_it_has_ended(
    store: Database, clock: FrozenClock, http: httpx.AsyncClient
) -> None:
    asked = (await http.post("/v1/sources/demo/sync", headers=bearing(Role.ADMIN))).json()
    assert asked["duration_seconds"] is None
    async with store.connection() as connection:
        run = await runs.requested(connection, "demo")
        assert run is not None
        clock.advance(timedelta(seconds=5))
        await runs.start(connection, run, clock.now())
    assert (await get(http, f"/v1/sync-runs/{asked['id']}"))["duration_seconds"] is None
    clock.advance(timedelta(minutes=1, milliseconds=500))
    async with store.connection() as connection:
        await runs.finish(
            *(connection, run.id, Status.COMPLETED, clock.now()), plan="search", counts={}, traffic=Traffic()
        )
    # From its beginning, not from when it was asked for.
    (item,) = (await get(http, "/v1/sync-runs"))["items"]
    assert (item["id"], item["duration_seconds"]) == (asked["id"], 60.5)


async def test_runs_are_listed_page_by_page(company: Simulator, connect: Connect, http: httpx.AsyncClient) -> None:
    connector = await connect()
    for _ in range(4):
        await connector.full()
    seen: list[UUID] = []
    cursor: dict[str, str] = {}
    while True:
        page = await get(http, "/v1/sync-runs", limit=2, **cursor)
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(seen) == len(set(seen)) == 5


async def test_write_backs_are_shown_with_what_became_of_them(
    simulator: Simulator, sagemaker: Any, connect: Connect, http: httpx.AsyncClient
) -> None:
    urns = [await register(sagemaker, "churn") for _ in range(3)]
    connector: Connector = await connect(write_back=True)
    await decisions.hear(connector, *(decisions.said(urn, decisions.ACCEPTED, 1) for urn in urns))

    async def done() -> Any:
        page = await get(http, "/v1/write-backs", state="done")
        return page["items"] if len(page["items"]) == 3 else None

    items = await until(done, within_s=20)
    assert {item["urn"] for item in items} == set(urns)
    assert all((item["desired"], item["enabled"], item["source"]) == ("Approved", True, "demo") for item in items)
    assert (await get(http, "/v1/write-backs", state="failed"))["items"] == []


async def test_what_is_not_there_or_not_understood_is_a_problem(http: httpx.AsyncClient) -> None:
    for method, path, status in (
        ("GET", "/v1/sources/nowhere", 404),
        ("POST", "/v1/sources/nowhere/sync", 404),
        ("POST", "/v1/sources/nowhere/replay", 404),
        ("POST", "/v1/sources/nowhere/test", 404),
        ("GET", f"/v1/sync-runs/{ids.new()}", 404),
        ("GET", "/v1/sync-runs/seven", 422),
        ("GET", "/v1/sync-runs?status=odd", 422),
        ("GET", "/v1/sync-runs?cursor=odd", 400),
        ("GET", "/v1/write-backs?stat=done", 400),
    ):
        answer = await http.request(method, path, headers=bearing(Role.ADMIN))
        assert answer.status_code == status, f"{path}: {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"
    assert "demo, spare" in (await http.get("/v1/sources/nowhere", headers=bearing(Role.ADMIN))).json()["detail"]


async def test_an_operator_has_what_failed_tried_again(
    simulator: Simulator, sagemaker: Any, connect: Connect, http: httpx.AsyncClient
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect(write_back=True)
    simulator.dial(denied=["UpdateModelPackage"])
    await decisions.hear(connector, decisions.said(urn, decisions.ACCEPTED, 1))
    await decisions.settled(connector, "failed")
    (item,) = (await get(http, "/v1/write-backs", state="failed"))["items"]
    assert item["id"] == str(ids.of_urn(urn))
    assert item["next_attempt_at"] > item["finished_at"]

    simulator.dial()
    for name in (urn.upper(), item["id"]):
        await connector.rows("update write_backs set state = 'failed'")
        answer = await http.post(f"/v1/write-backs/{name}/retry", headers=bearing(Role.ADMIN))
        assert answer.status_code == 202, answer.text
        assert (answer.json()["urn"], answer.json()["state"]) == (urn, "pending")
    await decisions.settled(connector)
    assert (await decisions.approval(sagemaker, urn))[0] == "Approved"
    entries = await connector.rows("select actor from audit where action = 'write_back_retried'")
    assert {row["actor"] for row in entries} == {"admin-1"}

    await sagemaker.update_model_package(ModelPackageArn=urn, ModelApprovalStatus="Rejected")
    again = await http.post(f"/v1/write-backs/{urn}/retry", headers=bearing(Role.ADMIN))
    assert again.status_code == 202
    await decisions.settled(connector)
    assert (await decisions.approval(sagemaker, urn))[0] == "Approved"

    await connector.rows("update write_backs set state = 'void'")
    refused = await http.post(f"/v1/write-backs/{urn}/retry", headers=bearing(Role.ADMIN))
    assert refused.status_code == 409
    unknown = await http.post(f"/v1/write-backs/{urn}9/retry", headers=bearing(Role.ADMIN))
    assert unknown.status_code == 404


async def test_half_of_a_source_goes_only_by_a_persons_word(
    simulator: Simulator, sagemaker: Any, connect: Connect, http: httpx.AsyncClient
) -> None:
    urns = [await register(sagemaker, "churn") for _ in range(24)]
    connector = await connect()
    for urn in urns[:14]:
        await sagemaker.delete_model_package(ModelPackageName=urn)
    since = connector.clock.now()
    await connector.full()
    assert (await get(http, "/v1/sources/demo"))["removals_waiting"] is None
    for _ in range(3):
        connector.clock.advance(timedelta(hours=1))
        await connector.full()
    assert await connector.events(world.REMOVED) == []
    waiting = (await get(http, "/v1/sources/demo"))["removals_waiting"]
    assert (waiting["count"], datetime.fromisoformat(waiting["since"])) == (14, since)

    confirm = "/v1/sources/demo/removals"
    assert (await http.post(confirm, headers=bearing(Role.SERVICE))).status_code == 403
    mistaken = await http.post(confirm, params={"count": 3}, headers=bearing(Role.ADMIN))
    assert (mistaken.status_code, mistaken.json()["type"].rpartition("/")[2]) == (409, "conflict")
    assert await connector.events(world.REMOVED) == []
    answer = await http.post(confirm, params={"count": 14}, headers=bearing(Role.ADMIN))
    assert (answer.status_code, answer.json()) == (200, {"source": "demo", "removed": 14})
    assert sorted(event.subject for event in await connector.events(world.REMOVED)) == sorted(urns[:14])
    assert (await get(http, "/v1/sources/demo"))["removals_waiting"] is None
    again = await http.post(confirm, headers=bearing(Role.ADMIN))
    assert (again.status_code, again.json()["removed"]) == (200, 0)
    audited = await connector.rows("select * from audit where action = 'removals_confirmed'")
    assert [(row["actor"], row["subject"], row["details"]) for row in audited] == [("admin-1", "demo", {"removed": 14})]
    await connector.full()
    assert len(await connector.events(world.REMOVED)) == 14
    assert (await connector.census()).census[Kind.MODEL_VERSION].live == 10


async def test_what_is_there_again_waits_no_longer(
    simulator: Simulator, sagemaker: Any, connect: Connect, http: httpx.AsyncClient
) -> None:
    names = [f"alone-{number}" for number in range(24)]

    async def register_all() -> None:
        for name in names:
            await sagemaker.create_model_package(ModelPackageName=name, InferenceSpecification=world.SPECIFICATION)

    await register_all()
    connector = await connect()
    for name in names:
        await sagemaker.delete_model_package(ModelPackageName=name)
    for _ in range(3):
        await connector.full()
    assert (await get(http, "/v1/sources/demo"))["removals_waiting"]["count"] == 24
    await register_all()
    await connector.full()
    assert (await get(http, "/v1/sources/demo"))["removals_waiting"] is None
    assert await connector.events(world.REMOVED) == []
    assert len(await connector.versions()) == 24
