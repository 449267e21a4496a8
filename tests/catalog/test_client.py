"""The Python client, on the real service and a real database."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import h11
import httpx
import pytest
from assent_catalog import main
from assent_client import Catalog, Conflict, Connection, NotFound, Refused, Stale, Unreachable
from assent_common import ids

from tests.catalog.world import MODEL, URN, World, a_deployment, a_model, a_version


def as_(world: World, role: str = "viewer", by: str = "victor") -> Catalog:
    return Catalog(Connection(world.http, "http://catalog", token=f"{by}:{role}"))


async def test_every_operation_of_the_service_is_a_method(world: World) -> None:
    document = main.described()
    operations = {operation["operationId"] for item in document["paths"].values() for operation in item.values()}
    assert len(operations) > 30
    assert operations <= {name for name in dir(Catalog) if not name.startswith("_")}


async def test_a_use_case_is_created_changed_and_read(world: World) -> None:
    bea = as_(world, "business_owner", "bea")
    created = await bea.create_use_case({"key": "retention", "name": "Retention"}, idempotency_key="once")
    assert (created.status, created.location) == (201, "/v1/use-cases/retention")
    again = await bea.create_use_case({"key": "retention", "name": "Retention"}, idempotency_key="once")
    assert again.body == created.body

    changed = await bea.patch_use_case("retention", {"description": "Who leaves?"}, if_match=created.etag)
    assert changed.body["description"] == "Who leaves?"
    assert changed.etag != created.etag
    with pytest.raises(Stale) as stale:
        await bea.patch_use_case("retention", {"description": "Who stays?"}, if_match=created.etag)
    assert stale.value.status == 412
    with pytest.raises(Conflict):
        await bea.create_use_case({"key": "retention", "name": "Retention"})

    read = await as_(world).get_use_case("retention")
    assert read.etag == changed.etag
    assert read.body["description"] == "Who leaves?"
    assert read.correlation_id


async def test_a_problem_says_what_is_at_fault(world: World) -> None:
    with pytest.raises(NotFound) as missing:
        await as_(world).get_use_case("nothing")
    assert missing.value.type == "not-found"
    with pytest.raises(Refused) as refused:
        await as_(world, "business_owner").create_use_case({"key": "NOT A KEY", "name": ""})
    assert refused.value.status == 422
    assert {error["pointer"] for error in refused.value.errors} == {"/key", "/name"}
    with pytest.raises(Refused, match="403"):
        await as_(world).create_use_case({"key": "retention", "name": "Retention"})


async def test_a_list_is_read_page_by_page(world: World) -> None:
    await world.hears(*(a_version(f"{URN[:-1]}{n}", version=n) for n in range(25)))
    urns = [version["urn"] async for version in as_(world).each_model_versions(limit=10, source=["prod-eu", "other"])]
    assert len(urns) == 25
    assert len(set(urns)) == 25
    assert [version async for version in as_(world).each_model_versions(source=["other"])] == []


async def test_an_urn_names_a_record_and_a_moment_a_state(world: World) -> None:
    await world.hears(a_model(), a_version())
    world.clock.advance(timedelta(days=1))
    await world.hears(a_version(accuracy=0.5))
    now = (await as_(world).get_model_version(URN)).body
    assert now["metrics"]["accuracy"]["value"] == 0.5
    then = (await as_(world).get_model_version(URN, as_of=world.clock.now() - timedelta(hours=1))).body
    assert then["metrics"]["accuracy"]["value"] == 0.91
    assert (await as_(world).get_model(MODEL)).body["id"] == str(ids.of_urn(MODEL))


async def test_a_file_goes_in_and_another_comes_out(world: World) -> None:
    rows = b"key,name\nretention,Retention\nscoring,Scoring\n"
    steward = as_(world, "data_steward")
    tried = await steward.import_use_cases(rows, dry_run=True)
    assert (tried.body["dry_run"], tried.body["counts"]["created"]) == (True, 2)
    assert [each async for each in steward.each_use_cases()] == []
    await steward.import_use_cases(rows)
    async with as_(world).export_use_cases(format="csv") as chunks:
        exported = b"".join([chunk async for chunk in chunks])
    assert [row["key"] for row in csv.DictReader(io.StringIO(exported.decode()))] == ["retention", "scoring"]


async def test_lineage_comes_as_a_graph_and_as_a_picture(world: World) -> None:
    await world.hears(a_version(), a_deployment())
    graph = (await as_(world).get_model_version_lineage(URN)).body
    assert len(graph["nodes"]) == 2
    assert b"<svg" in (await as_(world).get_model_version_lineage_as(URN, format="svg")).body


class Answering:
    """A server that says what it is told to say, one answer after the other, the last for ever."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = statuses
        #: The `Authorization` of each request.
        self.asked: list[str] = []

    @classmethod
    @asynccontextmanager
    async def opened(cls, *statuses: int) -> "AsyncIterator[tuple[Answering, Connection]]":
        """And a client's connection to it, by whose tokens its requests are told apart."""
        answering = cls(*statuses)

        async def fresh() -> str:
            return f"token-{len(answering.asked)}"

        async with await asyncio.start_server(answering._answer, "127.0.0.1", 0) as server, httpx.AsyncClient() as http:
            port = server.sockets[0].getsockname()[1]
            yield answering, Connection(http, f"http://127.0.0.1:{port}", token=fresh)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = h11.Connection(h11.SERVER)
        while not isinstance(event := request.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                request.receive_data(await reader.read(65_536))
            elif isinstance(event, h11.Request):
                self.asked.append(dict(event.headers)[b"authorization"].decode())
        status = self._statuses[min(len(self.asked), len(self._statuses)) - 1]
        members: dict[str, Any] = {"items": [], "next_cursor": None}
        if status != 200:
            members = {"type": "https://assent.dev/problems/unavailable", "detail": "later"}
        body = json.dumps(members).encode()
        headers = [("Content-Length", str(len(body))), ("Content-Type", "application/json"), ("Connection", "close")]
        for part in (
            h11.Response(status_code=status, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            writer.write(request.send(part) or b"")
        await writer.drain()
        writer.close()
        await writer.wait_closed()


async def test_what_may_be_repeated_is_when_the_service_says_later() -> None:
    async with Answering.opened(503, 429, 200) as (server, connection):
        answered = await Catalog(connection).list_models()
    assert answered.status == 200
    assert server.asked == ["Bearer token-0", "Bearer token-1", "Bearer token-2"]


async def test_a_creation_without_a_key_is_sent_once() -> None:
    async with Answering.opened(503) as (server, connection):
        client = Catalog(connection)
        with pytest.raises(Refused, match="unavailable"):
            await client.create_use_case({"key": "retention", "name": "Retention"})
        assert len(server.asked) == 1
        with pytest.raises(Refused, match="unavailable"):
            await client.create_use_case({"key": "retention", "name": "Retention"}, idempotency_key="k")
        assert len(server.asked) == 4


async def test_nobody_there_is_not_a_refusal() -> None:
    async with httpx.AsyncClient() as http:
        client = Catalog(Connection(http, "http://127.0.0.1:9", token="t", attempts=1))
        with pytest.raises(Unreachable):
            await client.list_models()
