"""The records made anew from the topics are those that there were."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE

from aiokafka import AIOKafkaProducer
from assent_catalog.rebuild import rebuild
from assent_common.events import envelope
from assent_common.events.governance import CandidacyStatus
from assent_common.events.registry import Kind
from assent_common.settings import Settings
from pydantic import SecretStr

from tests.catalog.test_projection import OTHER, rows
from tests.catalog.world import MODEL, World, a_candidacy, a_deployment, a_model, a_monitor, a_version, gone


async def test_what_was_damaged_is_as_it_was(world: World, database_url: str, kafka: str, topic_prefix: str) -> None:
    await world.create_use_case("retention")
    events = await world.hears(
        *(a_model(), a_version(accuracy=0.5), a_version(), a_version(OTHER, version=8)),
        *(a_deployment(monitors=[a_monitor()]), a_candidacy(CandidacyStatus.ACCEPTED)),
        *(gone(OTHER), gone(MODEL, Kind.MODEL)),
    )
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for event in events:
        topic = "assent.governance.v1" if "candidacy" in event.type else "assent.registry.v1"
        await producer.send_and_wait(topic_prefix + topic, envelope.to_bytes(event), key=event.subject.encode())
    await producer.stop()
    before, version = await rows(world), await world.version()
    assert len(before["model_versions"]) == 2
    async with world.database.connection() as connection:
        await connection.execute("update model_versions set name = 'wrong', status = 'rejected', record = '{}'")
        await connection.execute("delete from metrics")
        await connection.execute("delete from lineage_edges where relation <> 'described'")
        await connection.execute("delete from deployments")
        await connection.execute("update models set live = true")
    assert await rows(world) != before

    settings = Settings(
        database_url=SecretStr("postgresql://unused"), kafka_bootstrap_servers=kafka, kafka_topic_prefix=topic_prefix
    )
    rebuilt = await rebuild(settings, world.database)

    after = await rows(world)
    damaged = [row for row in after["model_versions"] if OTHER in row]
    assert rebuilt == (5, 2)
    assert {name: of for name, of in after.items() if name not in ("model_versions", "metrics")} == {
        name: of for name, of in before.items() if name not in ("model_versions", "metrics")
    }
    assert [row for row in after["model_versions"] if OTHER not in row] == [
        row for row in before["model_versions"] if OTHER not in row
    ]
    # Of what is gone the topic's last word is that it is gone: its record is nobody's to tell.
    assert len(damaged) == 1
    assert await world.version() == version

    command = [*("-m", "assent_local", "catalog", "rebuild", "--kafka", kafka), *("--prefix", topic_prefix)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env={**os.environ, "ASSENT_DATABASE_URL": database_url}, stdout=PIPE
    )
    said, _ = await process.communicate()
    assert (process.returncode, said.decode().split()[0]) == (0, "5")
    assert await rows(world) == after
