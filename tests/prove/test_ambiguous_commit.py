"""T2: what was committed is answered by nobody. Who asks again with the same key has one effect and the same answer."""

from typing import Any

from assent_common import ids
from assent_local.postgres import Databases

from tests.prove import proxy, wire
from tests.prove.proxy import Act
from tests.workflow.world import URN, a_use_case, a_version, a_world

PROPOSAL = {"use_case": "retention", "model_version": URN}


async def test_the_reply_to_commit_is_lost_and_the_request_is_repeated(
    postgres_server: Databases, database: str, database_url: str
) -> None:
    async with proxy.between(("127.0.0.1", postgres_server.port), wire.Postgres) as between:
        url = database_url.replace(f":{postgres_server.port}/", f":{between.port}/")
        async with a_world(url) as world:
            await world.hears(a_use_case(), a_version())
            asked: dict[str, Any] = {"json": PROPOSAL, "headers": {"Idempotency-Key": str(ids.new())}}
            lost = between.rule(_kept_an_answer, Act.DROP)
            first = await world.ask("POST", "/v1/candidacies", by="ada", role="data_scientist", **asked)
            assert (first.status_code, lost.happened) == (503, 1)
            assert "retry-after" in first.headers
            again = await world.ask("POST", "/v1/candidacies", by="ada", role="data_scientist", **asked)
            assert again.status_code == 201, again.text
            assert again.headers["idempotency-replayed"] == "true"
            id_ = again.json()["id"]
            async with world.database.connection() as connection:
                counts = await connection.fetchrow(
                    "select (select count(*) from candidacies) as candidacies,"
                    " (select count(*) from audit where subject = $1) as records,"
                    " (select count(*) from outbox where key = $1) as events",
                    id_,
                )
            assert dict(counts) == {"candidacies": 1, "records": 1, "events": 1}


def _kept_an_answer(frame: proxy.Frame) -> bool:
    assert isinstance(frame.wire, wire.Postgres)
    return proxy.of("commit")(frame) and any("idempotency_keys" in said for said in frame.wire.transaction)
