"""Everything on one machine: Postgres, a broker, an issuer, a SageMaker and the three services, until told to stop."""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import uvicorn
from assent_common import http_client
from assent_common.identity.roles import Role
from assent_common.kafka import topics

from assent_local import broker, postgres
from assent_local.issuer import AUDIENCE, Issuer
from assent_local.processes import Child

SERVICES = {
    "catalog-api": "assent_catalog.main",
    "workflow": "assent_workflow.main",
    "sagemaker-connector": "assent_sagemaker.main",
}
_OFFSETS = {"catalog-api": 1, "workflow": 2, "sagemaker-connector": 3, "sagemaker": 4, "issuer": 5, "postgres": 6}
DEFAULT_PORT_BASE = 8080
READY_WITHIN_S = 90.0
PARTITIONS = 24

DEMO_SOURCE = """\
sources:
  - name: demo
    region: eu-central-1
    poll_interval: 2s
    reconcile_interval: 1m
    write_back: true
"""

_AWS_IS_CONFIGURED_BY = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SAGEMAKER",
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_ROLE_ARN",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


class NotReady(Exception):
    """Something did not come up; the message holds its last words."""


@dataclass
class Local:
    """What runs, and how to reach it."""

    state: Path
    urls: dict[str, str]
    kafka: str
    issuer: Issuer | None
    children: dict[str, Child] = field(default_factory=dict)
    simulated: bool = False
    #: Service → the URL of its database, with the password.
    databases: Mapping[str, str] = field(default_factory=dict)

    def token(self, role: str, subject: str | None = None) -> str:
        assert self.issuer is not None, "tokens come from your own issuer"
        return self.issuer.mint(subject or role, role)

    def line(self) -> str:
        """What `--json` prints."""
        tokens = {role.value: self.token(role.value) for role in Role} if self.issuer else {}
        return json.dumps(
            {
                "ready": True,
                "urls": self.urls,
                "kafka": self.kafka,
                "pids": {name: child.pid for name, child in self.children.items()},
                "tokens": tokens,
                "state": str(self.state),
            }
        )


@asynccontextmanager
async def up(
    *,
    state: Path | None = None,
    port_base: int | None = None,
    simulator: bool | None = None,
    stopping: asyncio.Event | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Local]:
    """Everything started and ready when the block begins, everything gone when it ends.

    What an environment variable names is used in place of the embedded part: `ASSENT_DATABASE_URL` (a server, on which
    each service gets a database), `ASSENT_KAFKA_BOOTSTRAP_SERVERS`, `ASSENT_OIDC_ISSUER`, and AWS's own. `simulator`
    asks for or forbids the simulated SageMaker; by default it is there unless AWS is configured.
    """
    stopping = stopping or asyncio.Event()
    async with AsyncExitStack() as stack:
        if state is None:
            state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assent-", ignore_cleanup_errors=True)))
        state.mkdir(parents=True, exist_ok=True)
        ports = _ports(stack, port_base)
        say("starting Postgres and the broker")
        database_url = await _databases(stack, state, ports["postgres"])
        kafka, kafka_environment = _kafka(stack)
        issuer, identity = await _identity(stack, state, ports["issuer"])
        local = Local(state, {}, kafka, issuer, databases={name: database_url(name) for name in SERVICES})
        stack.push_async_callback(_stop_all, local, stopping)
        if simulator if simulator is not None else not any(os.environ.get(name) for name in _AWS_IS_CONFIGURED_BY):
            say("starting a simulated SageMaker")
            aws = await _simulator(local, ports["sagemaker"])
        else:
            aws = _aws_defaults()
        for name in SERVICES:
            local.urls[name] = f"http://127.0.0.1:{ports[name]}"
        say("starting the services")
        for name, module in SERVICES.items():
            environment = {
                "ASSENT_DATABASE_URL": database_url(name),
                "ASSENT_PORT": str(ports[name]),
                "ASSENT_CONNECTOR_URL": local.urls["sagemaker-connector"],
                "ASSENT_SIGNING_KEY": os.environ.get("ASSENT_SIGNING_KEY") or signing_key_of(state),
                **kafka_environment,
                **identity,
                **(aws if name == "sagemaker-connector" else {}),
            }
            await _start(local, Child(name, module, environment=environment, log=state / "logs" / f"{name}.log"))
        await _until_ready(local)
        watchers = [asyncio.create_task(child.watch(stopping)) for child in local.children.values()]
        stack.callback(lambda: [watcher.cancel() for watcher in watchers])
        _remember(stack, local)
        yield local


def running() -> Path | None:
    """The state folder of the newest `assent up` of this user that still runs."""
    found = sorted(_registry().glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in found:
        if Path(f"/proc/{file.stem}").exists() or not Path("/proc").exists():
            return Path(json.loads(file.read_text())["state"])
        file.unlink(missing_ok=True)
    return None


def issuer_of(state: Path) -> Issuer:
    """The development issuer that runs on this state folder."""
    return Issuer((state / "issuer-url").read_text(), state)


def _ports(stack: AsyncExitStack, base: int | None) -> dict[str, int]:
    for candidate in [base] if base is not None else range(DEFAULT_PORT_BASE, DEFAULT_PORT_BASE + 1000, 10):
        ports = {name: candidate + offset for name, offset in _OFFSETS.items()}
        # With a base of one's own, Postgres' may be held by one that a killed runner left: it is stopped at the start.
        looked_at = [port for name, port in ports.items() if name != "postgres" or base is None]
        if _claimed(stack, candidate) and all(_free(port) for port in looked_at):
            return ports
        if base is not None:
            raise NotReady(f"a port from {base} to {max(ports.values())} is taken; choose another --port-base")
    raise NotReady("no free ports found; choose a --port-base")


def _claimed(stack: AsyncExitStack, base: int) -> bool:
    """Held until the block ends: of two that start at once and find the same ports free, one goes on to the next."""
    registry = _registry()
    registry.mkdir(mode=0o700, exist_ok=True)
    lock = stack.enter_context((registry / f"{base}.lock").open("wb"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


async def _databases(stack: AsyncExitStack, state: Path, port: int) -> Callable[[str], str]:
    names = {service: "assent_" + service.replace("-", "_") for service in SERVICES}
    given = os.environ.get("ASSENT_DATABASE_URL")
    if given is None:
        server = await stack.enter_async_context(postgres.embedded(state / "postgres", port))
        for name in names.values():
            await server.create_database(name)
        return lambda service: server.plain_url(names[service])
    parts = urlsplit(given.replace("postgresql+asyncpg://", "postgresql://"))
    connection = await asyncpg.connect(urlunsplit(parts))
    try:
        for name in names.values():
            with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                await connection.execute(f'create database "{name}"')
    finally:
        await connection.close()
    return lambda service: urlunsplit(parts._replace(path=f"/{names[service]}"))


def _kafka(stack: AsyncExitStack) -> tuple[str, dict[str, str]]:
    given = os.environ.get("ASSENT_KAFKA_BOOTSTRAP_SERVERS")
    if given:
        return given, {}
    embedded = stack.enter_context(broker.embedded())
    prefix = os.environ.get("ASSENT_KAFKA_TOPIC_PREFIX", "")
    for topic in topics.ALL:
        embedded.create_topic(topic.full_name(prefix), PARTITIONS)
    return embedded.bootstrap_servers, {
        "ASSENT_KAFKA_BOOTSTRAP_SERVERS": embedded.bootstrap_servers,
        "ASSENT_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
        # It keeps 5 MiB a partition: the relay must not run away from its readers.
        "ASSENT_OUTBOX_MAX_AHEAD_BYTES": str(2 * 1024 * 1024),
    }


async def _identity(stack: AsyncExitStack, state: Path, port: int) -> tuple[Issuer | None, dict[str, str]]:
    service_token = secrets.token_urlsafe(32)
    environment = {
        "ASSENT_SERVICE_TOKEN": service_token,
        "ASSENT_SERVICE_TOKENS": json.dumps({"assent": hashlib.sha256(service_token.encode()).hexdigest()}),
    }
    if os.environ.get("ASSENT_OIDC_ISSUER"):
        return None, environment
    url = f"http://127.0.0.1:{port}"
    issuer = Issuer(url, state)
    (state / "issuer-url").write_text(url)
    server = _Embedded(uvicorn.Config(issuer.app(), port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())

    async def stop() -> None:
        server.should_exit = True
        await serving

    stack.push_async_callback(stop)
    return issuer, {**environment, "ASSENT_OIDC_ISSUER": url, "ASSENT_OIDC_AUDIENCE": AUDIENCE}


def signing_key_of(state: Path) -> str:
    """Made once for a folder and kept there: what was signed before a restart can be checked after it."""
    kept = state / "signing-key"
    if not kept.exists():
        _write_for_me_alone(kept, secrets.token_hex(32))
    return kept.read_text()


def _write_for_me_alone(file: Path, text: str) -> None:
    """Whole, under another name first: a run cut short leaves no half of it."""
    unfinished = file.with_suffix(f".{os.getpid()}")
    with open(os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as target:
        target.write(text.encode())
    unfinished.rename(file)


class _Embedded(uvicorn.Server):
    """Leaves the signals to the runner."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _simulator(local: Local, port: int) -> Mapping[str, str]:
    url = f"http://127.0.0.1:{port}"
    arguments = ["--port", str(port), "--company", "--state", str(local.state / "sagemaker.db")]
    log = local.state / "logs" / "sagemaker.log"
    await _start(local, Child("sagemaker", "assent_local.simulator", *arguments, environment={}, log=log))
    local.urls["sagemaker"] = url
    local.simulated = True
    sources = local.state / "sources.yaml"
    if not sources.exists():
        sources.write_text(DEMO_SOURCE)
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "eu-central-1",
        "ASSENT_SOURCES": os.environ.get("ASSENT_SOURCES") or str(sources),
    }


def _aws_defaults() -> Mapping[str, str]:
    """An endpoint on this machine wants a signature, but knows no keys: any will do where none are configured."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_SAGEMAKER") or os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint or urlsplit(endpoint).hostname not in {"127.0.0.1", "localhost", "::1"}:
        return {}
    made_up = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": "eu-central-1"}
    has_keys = any(os.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN"))
    has_region = any(os.environ.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION"))
    return {name: value for name, value in made_up.items() if not (has_region if name == "AWS_REGION" else has_keys)}


async def _start(local: Local, child: Child) -> None:
    await child.start()
    local.children[child.name] = child


async def _until_ready(local: Local) -> None:
    """Until every service says that everything it depends on works."""
    async with http_client.create() as client:
        try:
            async with asyncio.timeout(READY_WITHIN_S), asyncio.TaskGroup() as tasks:
                for name in SERVICES:
                    tasks.create_task(_ready(client, local, name))
        except* TimeoutError:
            words = "\n".join(f"--- {name}\n{child.last_words()}" for name, child in local.children.items())
            raise NotReady(f"not everything came up within {READY_WITHIN_S:.0f} s\n{words}") from None
        except* NotReady as group:
            raise group.exceptions[0] from None


async def _ready(client: httpx.AsyncClient, local: Local, name: str) -> None:
    child = local.children[name]
    while True:
        with contextlib.suppress(httpx.HTTPError):
            answer = await client.get(f"{local.urls[name]}/health/ready")
            if answer.status_code == 200 and answer.json()["status"] == "ready":
                return
        if child.exited:
            raise NotReady(f"{name} ended as it started:\n{child.last_words()}")
        await asyncio.sleep(0.1)


async def _stop_all(local: Local, stopping: asyncio.Event) -> None:
    """Services first, then what they depend on."""
    stopping.set()
    await asyncio.gather(*(child.stop() for child in local.children.values()))


def _registry() -> Path:
    return Path(tempfile.gettempdir()) / f"assent-up-{os.getuid()}"


def _remember(stack: AsyncExitStack, local: Local) -> None:
    file = _registry() / f"{os.getpid()}.json"
    file.write_text(json.dumps({"state": str(local.state)}))
    (local.state / "up.json").write_text(json.dumps({"urls": local.urls, "kafka": local.kafka}))
    _write_for_me_alone(local.state / "databases.json", json.dumps(dict(local.databases)))
    stack.callback(lambda: file.unlink(missing_ok=True))
