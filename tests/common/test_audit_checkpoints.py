"""What left the database, signed, finds what its administrator did to the log afterwards."""

import json
from collections.abc import Sequence
from io import StringIO

import pytest
from assent_common.audit.checkpoints import Checkpoints
from assent_common.database import Database
from assent_common.events import envelope
from assent_common.events.audit import AuditCheckpoint
from assent_common.kafka.topics import AUDIT
from assent_common.leases import Lease
from assent_common.settings import Settings
from assent_common.signing import Signer
from assent_local import verifying
from assent_local.exits import Exit
from rich.console import Console

from tests.common import world
from tests.common.test_audit import COUNT, record, seal, tamper
from tests.common.world import records_of
from tests.support.wait import until

SIGNER = Signer("11" * 32)
KEYS = [json.dumps(SIGNER.jwks())]


async def on_kafka(settings: Settings) -> list[AuditCheckpoint]:
    found = await records_of(settings, AUDIT.full_name(settings.kafka_topic_prefix))
    payloads = [envelope.from_bytes(each.value).payload for each in found]
    return [payload for payload in payloads if isinstance(payload, AuditCheckpoint)]


@pytest.fixture
async def witnessed(store: Database, settings: Settings) -> Database:
    """Records, sealed, and a checkpoint of their end on Kafka."""
    sealer = Lease("audit-sealer")
    await record(store)
    await seal(store, sealer)
    async with world.running(Checkpoints(settings, store, SIGNER, every_s=0.1).run):

        async def published(size: int) -> bool:
            return size in [checkpoint.size for checkpoint in await on_kafka(settings)]

        await until(lambda: published(COUNT), within_s=20)
        await record(store, 2)
        await seal(store, sealer)
        await until(lambda: published(COUNT + 2), within_s=20)
    await tamper(store, "update leases set expires_at = now() - interval '1 second'")
    return store


async def verified(
    store: Database, settings: Settings, keys: Sequence[str] = KEYS, service: str = "tests"
) -> tuple[Exit, str]:
    out = StringIO()
    url = settings.database_url.get_secret_value()
    code = await verifying.of_databases(
        Console(file=out, width=500),
        {service: url},
        settings.kafka_bootstrap_servers,
        keys,
        prefix=settings.kafka_topic_prefix,
        as_json=False,
    )
    return code, out.getvalue()


async def test_each_time_the_log_has_grown_its_end_is_signed(witnessed: Database, settings: Settings) -> None:
    assert [checkpoint.size for checkpoint in await on_kafka(settings)] == [COUNT, COUNT + 2]
    code, said = await verified(witnessed, settings)
    assert (code, said) == (Exit.OK, f"tests: all hold of {COUNT + 2} audit records; held against 2 checkpoints\n")


MADE_ANEW = """
update audit set actor = 'eve' where seq = 2;
update audit set seq = null, previous = null, hash = null
"""
TAMPERING = {
    "an edit": ("update audit set actor = 'eve' where seq = 2", "audit record 2 (id 2): was changed"),
    "a deletion": ("delete from audit where seq = 3", "audit record 3: missing"),
    "the tail cut off": ("delete from audit where seq > 5", "audit record 8: was cut off"),
    "all of it": ("delete from audit", "and so was every one from 1 on"),
    "the chain made anew": (MADE_ANEW, "audit record 6 (id 6): is not the one that stood here"),
    "the chain made anew, and longer": (
        MADE_ANEW
        + """;insert into audit (at, actor, action, subject, details, correlation_id)
             values (now(), 'eve', 'none', 'none', '{}', '')""",
        "audit record 8 (id 8): is not the one that stood here",
    ),
}


@pytest.mark.parametrize("how", TAMPERING)
async def test_the_administrators_hand_is_found_and_the_record_named(
    witnessed: Database, settings: Settings, how: str
) -> None:
    statement, expected = TAMPERING[how]
    await tamper(witnessed, statement)
    await seal(witnessed)
    code, said = await verified(witnessed, settings)
    assert code is Exit.FAILED
    assert expected in said


async def test_a_checkpoint_that_somebody_else_signed_is_named(witnessed: Database, settings: Settings) -> None:
    code, said = await verified(witnessed, settings, keys=[json.dumps(Signer("22" * 32).jwks())])
    assert code is Exit.FAILED
    assert said.count("not signed by a key that is trusted") == 2


async def test_rubbish_on_the_topic_of_witnesses_is_named(witnessed: Database, settings: Settings) -> None:
    await world.send(settings, AUDIT, [(b"tests", b"rubbish")])
    code, said = await verified(witnessed, settings)
    assert code is Exit.FAILED
    assert "is no checkpoint" in said


async def test_another_services_checkpoints_bear_no_witness_here(witnessed: Database, settings: Settings) -> None:
    code, said = await verified(witnessed, settings, service="other")
    assert code is Exit.OK
    assert "no checkpoint: an end that was cut off would not show" in said


async def test_what_does_not_follow_what_was_signed_is_not_signed(store: Database, settings: Settings) -> None:
    sealer = Lease("audit-sealer")
    await record(store)
    await seal(store, sealer)
    checkpoints = Checkpoints(settings, store, SIGNER)
    async with store.connection() as connection:
        first = await checkpoints._head(connection)
        assert first is not None
        checkpoints._signed = first
        await tamper(store, "delete from audit where seq = 6")
        assert await checkpoints._head(connection) is None
        await record(store, 3)
        await seal(store, sealer)
        assert await checkpoints._head(connection) is None, "a tail that grew again is another tail"


async def test_of_two_replicas_one_signs(store: Database, settings: Settings) -> None:
    await record(store)
    await seal(store)
    duties = [Checkpoints(settings, store, SIGNER, every_s=0.05).run for _ in range(2)]
    async with world.running(*duties):

        async def there() -> bool:
            return bool(await on_kafka(settings))

        await until(there, within_s=20)
    assert [checkpoint.size for checkpoint in await on_kafka(settings)] == [COUNT]
