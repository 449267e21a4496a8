"""A service's life: settings, schema, server and duties up; SIGTERM; everything down within ten seconds."""

import asyncio
import gc
import signal
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
import uvloop
from fastapi import APIRouter, FastAPI

from assent_common import http_client, migrations, telemetry
from assent_common.audit.checkpoints import Checkpoints
from assent_common.certificate import Certificate
from assent_common.clock import Clock, SystemClock
from assent_common.database import Database
from assent_common.health import Health
from assent_common.http import app as http_app
from assent_common.http.door import Door
from assent_common.http.operations import Telling
from assent_common.identity import service_token
from assent_common.identity.keys import Keys
from assent_common.identity.service_token import Fetched, Fixed
from assent_common.identity.sign_in import Demands
from assent_common.identity.tokens import Verifier
from assent_common.kafka.topics import Topic
from assent_common.masking import secrets_of
from assent_common.outbox.relay import Relay
from assent_common.restored import Reconcile, Standing, nothing_to_reconcile
from assent_common.settings import Settings
from assent_common.signing import Signer
from assent_common.supervise import Duty, supervise

VERSION = "0.1.0"


@dataclass
class Runtime:
    """What a service is built from; made once per process."""

    name: str
    settings: Settings
    clock: Clock
    database: Database
    health: Health
    client: httpx.AsyncClient
    #: For services of ours alone; the one above where nothing says that they have an authority of their own.
    among_ourselves: httpx.AsyncClient
    #: None without a key: then nothing is signed.
    signer: Signer | None = None
    #: What it shows where it asks another service; None where nothing says how to come by it.
    service_token: Fixed | Fetched | None = None


@dataclass
class Parts:
    """What makes this service this one."""

    title: str
    description: str
    package: str
    routers: Sequence[APIRouter]
    publishes: Sequence[Topic]
    duties: Mapping[str, Duty]
    #: What it does about its rows where they are older than what it told.
    reconcile: Reconcile = nothing_to_reconcile
    #: What its routes find in `request.app.state`, besides what all services have there.
    state: Mapping[str, Any] = field(default_factory=dict)


COLLECT_EVERY = 10_000
"""New objects that may hold others, less those that went."""
COLLECT_OLDER_EVERY = (5, 10)
"""What survived once is looked at each fifth time, and all that is there each tenth time of those."""


def runtime(name: str, settings: Settings, clock: Clock | None = None) -> Runtime:
    telemetry.configure(name, settings.log_level, secrets=secrets_of(settings))
    clock = clock or SystemClock()
    database = Database(
        settings.database_url.get_secret_value(),
        service=name,
        clock=clock,
        pool_size=settings.database_pool_size,
        statement_timeout_s=settings.database_statement_timeout_s,
        idle_timeout_s=settings.database_idle_timeout_s,
    )
    key = settings.signing_key.get_secret_value() if settings.signing_key else None
    signer = Signer(key, besides=settings.published_keys) if key else None
    health, client = Health(clock), http_client.create(settings.outgoing_cafile)
    ours = http_client.among_ourselves(settings.services_cafile) if settings.services_cafile else client
    token = service_token.of(settings, client, health=health, clock=clock)
    return Runtime(name, settings, clock, database, health, client, ours, signer, token)


def start(serving: Coroutine[Any, Any, None]) -> None:
    """Run a service to its end, on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serving)


def collect_seldom() -> None:
    """What is there by now is no garbage: the collector is told to leave it alone, and to look less often than Python's
    default, made for scripts, has it. Reading thousands of documents, it took a quarter of the time.

    What is old it looks at again only once a quarter more is there than survived the last time. What it left alone
    counts among that until it has looked once more: garbage came to a quarter of a whole app before it went.
    """
    gc.collect()
    gc.freeze()
    gc.collect()
    gc.set_threshold(COLLECT_EVERY, *COLLECT_OLDER_EVERY)


async def run(made: Runtime, parts: Parts, *, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Waits for Postgres; needs no Kafka to answer requests.

    The order of stopping: streams and duties are told first, then the server stops taking requests, so that an open
    stream cannot hold the process (uvicorn#451).
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        if not await _unless(stopping, prepare(made, parts.package)):
            return
        standing = Standing(made.settings, made.database, made.health, parts.publishes, parts.reconcile)
        made.database.settled.clear()
        if not await _unless(stopping, standing.settle()):
            return
        certificate = _certificate(made.settings)
        serving = _server(made, parts, port, stopping, standing, certificate)
        relay = Relay(made.settings, made.database, made.health, topics=parts.publishes)
        collect_seldom()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_stop_server(serving, stopping))
            duties = {"restored": standing.run, "relay": relay.run, **_witness(made), **parts.duties}
            if certificate is not None:
                duties["certificate"] = certificate.run
            if isinstance(made.service_token, Fetched):
                duties["token-renewal"] = made.service_token.run
            for name, duty in duties.items():
                tasks.create_task(supervise(name, duty, stopping, made.health), name=name)
            await serving.serve()
            stopping.set()
    finally:
        await made.client.aclose()
        await made.among_ourselves.aclose()
        await made.database.close()


async def prepare(made: Runtime, package: str) -> None:
    """The schema as this release has it: by the service's own role, or by the one that owns it."""
    owner_url = made.settings.database_owner_url
    if owner_url is None:
        await migrations.upgrade(made.database, package)
        return
    owner = Database(owner_url.get_secret_value(), service=made.name, clock=made.clock)
    try:
        await migrations.upgrade(owner, package, works_as=made.database.engine.url.username)
    finally:
        await owner.close()


async def _unless(stopping: asyncio.Event, doing: Coroutine[Any, Any, None]) -> bool:
    """False if the service is to stop before this is done."""
    done = asyncio.create_task(doing)
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({done, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not done.done():
        done.cancel()
        await asyncio.wait({done})
        return False
    await done
    return True


def _witness(made: Runtime) -> Mapping[str, Duty]:
    if made.signer is None:
        telemetry.logger().warning("no_signing_key", missing="audit checkpoints")
        return {}
    return {"audit-checkpoints": Checkpoints(made.settings, made.database, made.signer).run}


def _certificate(settings: Settings) -> Certificate | None:
    return Certificate(settings.tls_certfile, settings.tls_keyfile) if settings.tls_certfile else None


def _server(
    made: Runtime,
    parts: Parts,
    port: int,
    stopping: asyncio.Event,
    standing: Standing,
    certificate: Certificate | None,
) -> uvicorn.Server:
    settings = made.settings
    keys = (
        Keys(
            settings.oidc_issuer,
            settings.oidc_jwks_url,
            client=made.client,
            clock=made.clock,
            least_rsa_bits=settings.oidc_least_rsa_bits,
        )
        if settings.oidc_issuer
        else None
    )
    verifier = Verifier(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        roles_claim=settings.oidc_roles_claim,
        groups_claim=settings.oidc_groups_claim,
        keys=keys,
        service_tokens=settings.service_tokens,
        clock=made.clock,
    )
    app = http_app.build(
        title=parts.title,
        version=VERSION,
        description=parts.description,
        routers=parts.routers,
        database=made.database,
        health=made.health,
        authenticate=verifier.authenticate,
        state={"signer": made.signer, "standing": standing, **parts.state},
        requests_a_minute=settings.requests_a_minute,
        requests_at_once=settings.requests_at_once,
        request_within_s=settings.request_within_s,
        telling=Telling.of(settings),
        demands=Demands.of(settings, made.clock),
    )
    app.state.stopping = stopping
    return server(app, host=settings.host, port=settings.port or port, certificate=certificate)


def server(app: FastAPI, *, host: str, port: int, certificate: Certificate | None = None) -> uvicorn.Server:
    """How an app is served: whoever measures or tries it over HTTP serves it as the service does."""
    # By its first request else, and the door looks for its admission before that.
    app.middleware_stack = app.build_middleware_stack()
    return _QuietServer(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
            server_header=False,
            ssl_context_factory=(lambda *_: certificate.context) if certificate is not None else None,
            lifespan="off",
            http=Door,
        )
    )


class _QuietServer(uvicorn.Server):
    """Leaves the signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _stop_server(serving: uvicorn.Server, stopping: asyncio.Event) -> None:
    await stopping.wait()
    serving.should_exit = True
