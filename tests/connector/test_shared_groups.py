"""Groups that accounts share: one record, however many sources see them, for as long as one of them does."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_common.events.registry import Kind
from assent_local.simulator import Simulator
from assent_local.simulator.caller import access_key_for
from assent_sagemaker.sources import Source

from tests.connector import world
from tests.connector.conftest import client
from tests.connector.world import MODEL_OBSERVED, OBSERVED, REMOVED, Connector, connected, register
from tests.support.wait import until

OWNER, CONSUMER, STRANGER = "111111111111", "222222222222", "333333333333"


def source(name: str, account: str, **settings: Any) -> Source:
    return Source(name=name, region=world.REGION, role_arn=f"arn:aws:iam::{account}:role/assent", **settings)


Join = Callable[[Source], Awaitable[Connector]]


@pytest.fixture
async def join(store: Database, clock: FrozenClock, simulator: Simulator) -> AsyncIterator[Join]:
    """One more source, read by a process of its own, and read whole."""
    async with AsyncExitStack() as stack:

        async def join(source: Source) -> Connector:
            async with store.connection() as connection:
                before: int = await connection.fetchval("select count(*) from sync_runs where status = 'completed'")
            connector = await stack.enter_async_context(connected(store, clock, source=source))

            async def read() -> bool:
                rows = await connector.rows("select from sync_runs where status = 'completed'")
                return len(rows) > before

            await until(read, within_s=30)
            return connector

        yield join


@pytest.fixture
async def owner(simulator: Simulator) -> AsyncIterator[Any]:
    async with client("sagemaker", simulator.url, key=access_key_for(OWNER)) as sagemaker:
        yield sagemaker


async def share(simulator: Simulator, owner: Any, group: str, *accounts: str) -> None:
    described = await owner.describe_model_package_group(ModelPackageGroupName=group)
    async with httpx.AsyncClient() as http:
        shared = {"group": described["ModelPackageGroupArn"], "accounts": accounts}
        assert (await http.put(f"{simulator.url}/_simulator/shares", json=shared)).status_code == 200


def asked(simulator: Simulator) -> int:
    """Of SageMaker: by the clock of these tests, a session is over as soon as it begins."""
    return simulator.app.calls.total() - simulator.calls("AssumeRole")


async def owners(connector: Connector) -> dict[str, str]:
    """Whose every live record is, by name."""
    return {
        row["key"].rpartition(":")[2]: row["source"] for row in await connector.rows("select * from records where live")
    }


@pytest.mark.parametrize("plan", ["search", "describe"])
async def test_what_others_share_is_read_with_one_more_call_a_reconcile_and_none_a_poll(
    simulator: Simulator, owner: Any, join: Join, plan: Any
) -> None:
    urn = await register(owner, "Churn", ModelPackageDescription="who leaves")
    await register(owner, "secret")
    await share(simulator, owner, "Churn", CONSUMER)
    connector = await join(source("consumer", CONSUMER, plan=plan))
    (model,) = await connector.events(MODEL_OBSERVED)
    assert model.data["name"] == "Churn"
    (version,) = await connector.events(OBSERVED)
    assert (version.subject, version.data["description"]) == (urn, "who leaves")
    assert version.data["model"] == model.subject

    simulator.app.calls.clear()
    await connector.poll()
    assert asked(simulator) <= 3
    assert len(await connector.events(OBSERVED)) == 1


async def test_without_shares_it_costs_one_call(simulator: Simulator, join: Join) -> None:
    connector = await join(source("consumer", CONSUMER))
    simulator.app.calls.clear()
    await connector.full()
    with_shares = asked(simulator)
    other = await join(source("other", STRANGER, shared_groups=False))
    simulator.app.calls.clear()
    await other.full()
    assert asked(simulator) == with_shares - 1


async def test_seen_by_two_it_is_one_record_and_its_accounts_own_source_owns_it(
    simulator: Simulator, owner: Any, join: Join
) -> None:
    urn = await register(owner, "churn")
    await share(simulator, owner, "churn", CONSUMER)
    consumer = await join(source("consumer", CONSUMER))
    assert set((await owners(consumer)).values()) == {"consumer"}
    own = await join(source("own", OWNER))
    assert await owners(own) == {"model-package-group/churn": "own", "model-package/churn/1": "own"}
    told = [event for event in await own.events() if event.subject == urn]
    assert [(event.number, event.data["source"]) for event in told] == [(1, "consumer"), (2, "own")]

    events = len(await own.events(OBSERVED))
    await consumer.full()
    await own.full()
    await consumer.full()
    assert len(await own.events(OBSERVED)) == events, "they do not take it from each other"
    assert set((await owners(own)).values()) == {"own"}


async def test_of_one_name_in_two_accounts_there_are_two(simulator: Simulator, owner: Any, join: Join) -> None:
    ours = await register(owner, "churn")
    async with client("sagemaker", simulator.url, key=access_key_for(CONSUMER)) as consumer:
        theirs = await register(consumer, "churn")
    await join(source("own", OWNER))
    connector = await join(source("consumer", CONSUMER))
    versions = await connector.versions()
    assert {urn: version.source for urn, version in versions.items()} == {ours: "own", theirs: "consumer"}
    assert len({version.model for version in versions.values()}) == 2


async def test_who_loses_sight_of_it_leaves_it_to_who_still_sees_it(
    simulator: Simulator, owner: Any, join: Join
) -> None:
    urn = await register(owner, "churn")
    await share(simulator, owner, "churn", CONSUMER, STRANGER)
    first = await join(source("consumer", CONSUMER))
    second = await join(source("stranger", STRANGER))
    await share(simulator, owner, "churn", STRANGER)
    await first.full()
    assert set((await owners(first)).values()) == {"consumer"}, "one listing proves nothing"
    await first.full()
    assert set((await owners(first)).values()) == {"stranger"}
    assert await first.events(REMOVED) == []
    last = [event for event in await first.events() if event.subject == urn][-1]
    assert (last.number, last.data["source"]) == (2, "stranger")
    assert (await first.census()).census[Kind.MODEL_VERSION].live == 0
    told = len(await second.events(OBSERVED))
    await second.full()
    assert len(await second.events(OBSERVED)) == told, "it was told already"
    assert (await second.census()).census[Kind.MODEL_VERSION].live == 1

    await share(simulator, owner, "churn")
    await second.full()
    assert await second.events(REMOVED) == []
    await second.full()
    (gone,) = await second.events(REMOVED)
    assert (gone.subject, gone.number, gone.data["source"]) == (urn, 3, "stranger")


async def test_a_view_that_is_gone_is_nobodys_heir(simulator: Simulator, owner: Any, join: Join) -> None:
    urn = await register(owner, "churn")
    await share(simulator, owner, "churn", CONSUMER)
    own = await join(source("own", OWNER))
    consumer = await join(source("consumer", CONSUMER))
    assert len(await own.rows("select from views where source = 'consumer'")) == 2
    await share(simulator, owner, "churn")
    await consumer.full()
    await consumer.full()
    assert await own.rows("select from views") == []
    assert set((await owners(own)).values()) == {"own"}
    await owner.delete_model_package(ModelPackageName=urn)
    await own.full()
    await own.full()
    assert [event.subject for event in await own.events(REMOVED)] == [urn]


async def test_a_service_that_knows_no_sharing_is_read_all_the_same(
    simulator: Simulator, owner: Any, join: Join
) -> None:
    urn = await register(owner, "churn")
    simulator.dial(unknown_values=["CrossAccount"])
    connector = await join(source("own", OWNER))
    assert list(await connector.versions()) == [urn]
