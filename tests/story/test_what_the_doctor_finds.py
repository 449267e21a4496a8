"""Each thing that `assent doctor` may say is wrong, brought about for real, and the line that names it."""

from collections.abc import AsyncIterator, Iterable, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import asyncpg
import httpx
import pytest
from assent_common import audit, migrations
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_common.health import Health
from assent_common.http import app as http_app
from assent_common.http.operations import Telling, To
from assent_common.http.problems import Unauthenticated
from assent_common.identity.roles import Principal, Role
from assent_common.kafka import topics
from assent_common.leases import Lease
from assent_common.settings import Settings
from assent_local.doctor import brokers, databases, services
from assent_local.doctor.finding import Finding, Is
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common.tests.identity.token_endpoint import TokenEndpoint
from tests.support.plugin import OwnPostgres, SecuredKafka

WORKFLOW = "workflow"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    """The workflow's, with a schema that is current and duties that are somebody's: nothing is wrong with it."""
    database = Database(database_url, service=WORKFLOW, clock=SystemClock())
    await migrations.upgrade(database, "assent_workflow")
    async with database.connection() as connection:
        for duty in ("outbox-relay", "audit-sealer", "audit-checkpoints"):
            assert await Lease(duty, ttl_s=3600).claim(connection)
    yield database
    await database.close()


async def wrong_in(url: str, service: str = WORKFLOW) -> dict[str, str]:
    """Check → what is wrong, as it is told."""
    return _wrong([finding async for finding in databases.look(service, url)])


async def test_nothing_is_wrong_with_one_that_is_well(store: Database, database_plain_url: str) -> None:
    assert await wrong_in(database_plain_url) == {}


async def test_events_that_nobody_publishes(store: Database, database_plain_url: str) -> None:
    await _execute(
        store,
        "insert into outbox (topic, key, range, sequence, body, created_at) "
        "values ('t', 'k', 0, 1, '', now() - interval '5 minutes')",
    )
    assert list(said := await wrong_in(database_plain_url)) == ["outbox"]
    assert said["outbox"].startswith("1 events wait to be published, the oldest for 30")


@pytest.mark.parametrize("duty", ["outbox-relay", "audit-sealer"])
async def test_a_duty_that_is_nobodys(store: Database, database_plain_url: str, duty: str) -> None:
    await _execute(store, f"update leases set expires_at = now() - interval '1 second' where duty = '{duty}'")
    assert await wrong_in(database_plain_url) == {"duties": f"{duty} is nobody's"}


async def test_a_witness_that_is_missing_is_noted(store: Database, database_plain_url: str) -> None:
    await _execute(store, "delete from leases where duty = 'audit-checkpoints'")
    found = [finding async for finding in databases.look(WORKFLOW, database_plain_url)]
    assert _wrong(found) == {}
    [noted] = [each for each in found if each.how is Is.NOTED and each.check == "duties"]
    assert (noted.says, "ASSENT_SIGNING_KEY" in noted.do) == ("nobody signs audit checkpoints", True)


async def test_records_that_nobody_chains(store: Database, database_plain_url: str) -> None:
    await _record(store, minutes_ago=5)
    assert list(said := await wrong_in(database_plain_url)) == ["audit"]
    assert said["audit"].startswith("1 audit records are not chained yet, the oldest for 30")


async def test_timers_that_should_have_fired(store: Database, database_plain_url: str) -> None:
    await _execute(
        store,
        "insert into timers (id, subject, kind, due_at, fire_at) "
        "select gen_random_uuid(), gen_random_uuid(), 'expiry', t, t from (select now() - interval '5 minutes' as t) l",
    )
    assert await wrong_in(database_plain_url) == {"timers": "1 of 1 timers should have fired by now"}


async def test_an_end_that_was_cut_off_and_a_witness_that_is_late(store: Database, database_plain_url: str) -> None:
    for _ in range(3):
        await _record(store, minutes_ago=30)
    async with store.connection() as connection:
        await _execute(store, "delete from leases where duty = 'audit-sealer'")
        fences = await (lease := Lease("audit-sealer", ttl_s=3600)).claim(connection)
        assert await audit.seal(connection, fences[0]) == 3
        assert lease.left_s > 0

    async def of(size: int | None, age_s: float = 0) -> Finding:
        return await databases.checkpoint(WORKFLOW, database_plain_url, size, age_s)

    assert (await of(3)).how is Is.FINE
    cut = await of(5)
    assert (cut.how, cut.runbook) == (Is.WRONG, "AssentAuditBroken")
    assert cut.says == "5 records were signed for, and there are 3: an end was cut off, or a backup put back"
    late = await of(1)
    assert (late.how, late.says.startswith("1 of 3 chained records are signed for, for 1")) == (Is.WRONG, True)
    assert (await of(3, age_s=2 * 3600)).how is Is.WRONG
    await _execute(store, "delete from leases where duty = 'audit-checkpoints'")
    assert (await of(None)).says == "there is none: nobody signs"


async def test_a_server_with_hardly_a_connection_left(own_postgres: OwnPostgres) -> None:
    server = await own_postgres()
    await server.create_database("crowded")
    url = server.plain_url("crowded")
    database = Database(server.url("crowded"), service=WORKFLOW, clock=SystemClock())
    await migrations.upgrade(database, "assent_workflow")
    await database.close()
    async with AsyncExitStack() as stack:
        for _ in range(185):
            connection = await asyncpg.connect(url)
            stack.push_async_callback(connection.close)
        said = await wrong_in(url)
    assert "connections are open" in said["postgres"]
    assert "of 200" in said["postgres"]


async def test_a_database_whose_clock_is_off(store: Database, database: str, database_plain_url: str) -> None:
    """As far as one server can have two clocks: for whoever connects to this database it is an hour later."""
    await _execute(
        store,
        "create function public.clock_timestamp() returns timestamptz language sql "
        "as $$ select pg_catalog.clock_timestamp() + interval '1 hour' $$;"
        f"alter database {database} set search_path = public, pg_catalog",
    )
    assert await wrong_in(database_plain_url) == {"clock": "the database's clock is 3600 s off this machine's"}


async def test_a_schema_that_is_not_there(database_plain_url: str) -> None:
    said = await wrong_in(database_plain_url)
    assert list(said) == ["migrations"]
    assert said["migrations"].startswith("the schema is at None, this release's is ")


async def test_a_source_that_is_not_read(database_url: str, database_plain_url: str) -> None:
    database = Database(database_url, service="sagemaker-connector", clock=SystemClock())
    await migrations.upgrade(database, "assent_sagemaker")
    await _execute(database, "insert into sources (name) values ('new')")
    await database.close()
    found = [finding async for finding in databases.look("sagemaker-connector", database_plain_url)]
    [said] = [each for each in found if each.check == "source"]
    assert (said.how, said.of, said.says) == (Is.WRONG, "new", "was never read to its end")
    assert said.do == "`assent sources test new` says what its role lacks."


@asynccontextmanager
async def served(
    store: Database, health: Health, *, off: timedelta | None = None, telling: Telling | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A service as it answers, with a clock in its answers."""

    async def authenticate(token: str) -> Principal:
        if telling is None:
            raise AssertionError("health asks nobody who he is")
        if token != "the-doctors":
            raise Unauthenticated("no")
        return Principal("tests", "doctor", frozenset({Role.SERVICE}))

    made = http_app.build(
        title="Workflow",
        version="1",
        description="",
        routers=[],
        database=store,
        health=health,
        authenticate=authenticate,
        telling=telling,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(_Dated(made, off or timedelta()))) as http:
        yield http


class _Dated:
    """What a server does, by a clock that may be off."""

    def __init__(self, app: ASGIApp, off: timedelta) -> None:
        self._app = app
        self._off = off

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(SystemClock().now() + self._off, usegmt=True)
                message["headers"] = [*message["headers"], (b"date", date.encode())]
            await send(message)

        await self._app(scope, receive, dated)


async def test_a_part_that_fails_and_one_that_was_stopped_on_purpose(store: Database) -> None:
    health = Health(SystemClock())
    health.failing("kafka", "b-1:9096 does not let us in (invalid credentials)")
    health.stopped("kafka:assent-workflow", "100 of 100 could not be applied")
    health.starting("timers")
    async with served(store, health) as http:
        found = [each async for each in services.look(http, WORKFLOW, "http://workflow")]
    bad = {each.says.split(" ")[0]: each for each in found if each.how is Is.WRONG}
    assert {name: each.runbook for name, each in bad.items()} == {
        "kafka": "AssentEventsNotPublished",
        "kafka:assent-workflow": "AssentConsumerBehind",
    }
    assert "does not let us in (invalid credentials)" in bad["kafka"].says
    assert " is stopped since " in bad["kafka:assent-workflow"].says
    assert [each.says for each in found if each.how is Is.NOTED] == ["timers has not worked yet"]


async def test_one_that_tells_a_stranger_nothing_tells_who_has_a_token(store: Database) -> None:
    health = Health(SystemClock())
    health.failing("kafka", "b-1:9096 does not let us in (invalid credentials)")
    async with served(store, health, telling=Telling(monitoring=To.SIGNED_IN)) as http:
        found = [each async for each in services.look(http, WORKFLOW, "http://workflow", "a-strangers")]
        told = [each async for each in services.look(http, WORKFLOW, "http://workflow", "the-doctors")]
    assert [(each.check, each.how) for each in found] == [("service", Is.WRONG), ("clock", Is.FINE)]
    assert found[0].says == "is degraded, and tells a stranger no more"
    assert "ASSENT_SERVICE_TOKEN" in found[0].do
    assert [each.runbook for each in told if each.how is Is.WRONG] == ["AssentEventsNotPublished"]


async def test_an_issuer_that_gives_this_client_no_token() -> None:
    async with TokenEndpoint("assent", "swordfish").listening() as issuer, httpx.AsyncClient() as http:
        told = {"database_url": "postgresql://unused", "oidc_issuer": issuer.url, "service_client_id": "assent"}
        settings = Settings.model_validate(told | {"service_client_secret": "swordfish"})
        token, found = await services.client(http, settings)
        assert (token is not None, found.how) == (True, Is.FINE)
        issuer.secret = "another"
        token, found = await services.client(http, settings)
    assert (token, found.how, found.of) == (None, Is.WRONG, "assent")
    assert found.says == "the issuer answered 401 (invalid_client)"
    assert "swordfish" not in f"{found}"


@pytest.mark.parametrize(("hours", "how"), [(0, Is.FINE), (1, Is.WRONG), (-1, Is.WRONG)])
async def test_a_clock_that_is_off(store: Database, hours: int, how: Is) -> None:
    async with served(store, Health(SystemClock()), off=timedelta(hours=hours)) as http:
        found = [each async for each in services.look(http, WORKFLOW, "http://workflow")]
    [clock] = [each for each in found if each.check == "clock"]
    assert clock.how is how
    assert hours == 0 or "off this machine's" in clock.says


async def test_something_else_that_listens_there() -> None:
    async def other(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"<html>It works!</html>"})

    async with httpx.AsyncClient(transport=httpx.ASGITransport(other)) as http:
        found = [each async for each in services.look(http, WORKFLOW, "http://workflow")]
    assert [(each.how, each.runbook) for each in found] == [(Is.WRONG, "AssentServiceDown")]
    assert "does not answer as one of ours" in found[0].says


def guarded(kafka: SecuredKafka, prefix: str, **other: Any) -> Settings:
    given: dict[str, Any] = {
        "kafka_bootstrap_servers": kafka.guarded,
        "kafka_security_protocol": "SASL_SSL",
        "kafka_ssl_cafile": kafka.authority,
        "kafka_sasl_mechanism": "SCRAM-SHA-512",
        "kafka_sasl_username": kafka.user,
        "kafka_sasl_password": kafka.password,
    }
    return Settings(database_url=SecretStr("postgresql://unused"), kafka_topic_prefix=prefix, **(given | other))


async def test_a_certificate_that_runs_out_and_topics_that_nobody_made(
    secured_kafka: SecuredKafka, topic_prefix: str
) -> None:
    found = [each async for each in brokers.look(guarded(secured_kafka, topic_prefix))]
    assert _wrong(found) == {}
    [encryption] = [each for each in found if each.check == "encryption"]
    # Those of the tests are good for an hour.
    assert (encryption.how, encryption.of) == (Is.NOTED, secured_kafka.guarded)
    assert encryption.says.startswith("SASL_SSL; its certificate is good until ")
    missing = {each.of for each in found if each.check == "topic" and each.how is Is.NOTED}
    assert missing == {topic.full_name(topic_prefix) for topic in topics.ALL}


async def test_a_broker_that_lets_nobody_in_and_one_that_is_reached_in_the_clear(
    secured_kafka: SecuredKafka, topic_prefix: str
) -> None:
    refused = guarded(secured_kafka, topic_prefix, kafka_sasl_password="swordfish")
    said = _wrong([each async for each in brokers.look(refused)])
    assert list(said) == ["kafka"]
    assert "does not let us in" in said["kafka"]
    assert "ASSENT_KAFKA_SASL_PASSWORD" in said["kafka"]
    assert "swordfish" not in said["kafka"]
    plain = guarded(
        secured_kafka,
        topic_prefix,
        kafka_bootstrap_servers="kafka.invalid:9092",
        kafka_security_protocol="PLAINTEXT",
    )
    found = [each async for each in brokers.look(plain)]
    [encryption] = [each for each in found if each.check == "encryption"]
    assert (encryption.how, "reads and changes what is told" in encryption.says) == (Is.NOTED, True)
    assert "kafka.invalid:9092 does not answer" in _wrong(found)["kafka"]


def _wrong(found: Iterable[Finding]) -> dict[str, str]:
    wrong = [each for each in found if each.how is Is.WRONG]
    assert all(each.do for each in wrong), "what is wrong says what to do"
    return {each.check: each.says for each in wrong}


async def _record(store: Database, *, minutes_ago: int) -> None:
    await _execute(
        store,
        "insert into audit (at, actor, action, subject, details, correlation_id) "
        f"values (now() - interval '{minutes_ago} minutes', 'ada', 'decided', 'task', '{{}}', 'c')",
    )


async def _execute(store: Database, statement: str) -> None:
    async with store.connection() as connection:
        await connection.execute(statement)
