"""All of Assent as real processes, each of its ways to Postgres, Kafka and AWS through a proxy of its own."""

import asyncio
import contextlib
import hashlib
import itertools
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import uvicorn
from assent_local.issuer import AUDIENCE, Issuer
from assent_local.ports import free_port
from assent_local.postgres import Postgres, of_the_wheel
from assent_local.processes import Child
from assent_local.simulator.server import running as a_sagemaker

from tests.prove import wire
from tests.prove.proxy import Proxy
from tests.support.assent import REGION, Assent
from tests.support.kafka.server import Kafka
from tests.support.wait import until

MODULES = {
    "catalog-api": "assent_catalog.main",
    "workflow": "assent_workflow.main",
    "sagemaker-connector": "assent_sagemaker.main",
}
SOURCES = f"""\
sources:
  - {{name: demo, region: {REGION}, poll_interval: 1s, reconcile_interval: 30s, write_back: true}}
"""
UNPUBLISHED = "select count(*) from outbox where published_at is null"
UNSEALED = "select count(*) from audit where seq is null"


class House(Assent):
    """One company's Assent. Its parts may be killed, frozen, cut off and wiped; it says when it is well again."""

    def __init__(self, folder: Path, *, of_each: int = 1, code: Path | None = None) -> None:
        super().__init__(folder, {})
        self.folder = folder
        self.of_each = of_each
        #: Another checkout whose services are started; None for this one.
        self.code = code
        # It is killed: what it has acknowledged has to be there again, so it waits for its log as everywhere else.
        self.postgres = Postgres(folder / "postgres", free_port(), durable=True)
        kafka_port = free_port()
        self.broker = Kafka(folder / "kafka", kafka_port)
        self.to_kafka = Proxy(("127.0.0.1", self.broker.proxied_port), wire.Kafka, kafka_port)
        self.to_postgres = {name: Proxy(("127.0.0.1", self.postgres.port), wire.Postgres) for name in MODULES}
        self.to_aws: Proxy
        self.children: dict[str, list[Child]] = {}
        self.ports: dict[str, list[int]] = {}
        self._turn = itertools.count()
        self._watchers: dict[Child, tuple[asyncio.Task[None], asyncio.Event]] = {}
        self._environment = {}
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        await self.postgres.start()
        self._stack.push_async_callback(self.postgres.kill)
        await self.broker.start()
        self._stack.push_async_callback(self.broker.kill)
        for name in MODULES:
            await self.postgres.create_database(_database(name))
        sagemaker = await self._stack.enter_async_context(a_sagemaker())
        self.to_aws = Proxy(("127.0.0.1", int(sagemaker.url.rpartition(":")[2])), wire.Http)
        self.simulator = sagemaker
        for between in self.proxies():
            await between.start()
            self._stack.push_async_callback(between.stop)
        await self._issuer()
        self.line = {"urls": {"sagemaker": sagemaker.url}, "kafka": self.broker.bootstrap_servers}
        self._environment = self._shared_environment()
        self._stack.push_async_callback(self._stop_services)
        for name in MODULES:
            self.ports[name] = [free_port() for _ in range(self.of_each)]
            self.children[name] = []
            for number, _ in enumerate(self.ports[name]):
                await self.add(name, number)
        await self.well(within_s=120)

    async def close(self) -> None:
        await self._http.aclose()
        await self._stack.aclose()

    @property
    def urls(self) -> dict[str, str]:
        """Of each service one of its processes, in turn."""
        turn = next(self._turn)
        return {
            **self.line["urls"],
            **{name: f"http://127.0.0.1:{ports[turn % len(ports)]}" for name, ports in self.ports.items()},
        }

    def proxies(self) -> Iterator[Proxy]:
        yield self.to_kafka
        yield self.to_aws
        yield from self.to_postgres.values()

    async def add(self, name: str, number: int, *, module: str | None = None, **more: str) -> Child:
        """Start a process of a service, and start it again whenever it dies."""
        environment = {
            **self._environment,
            "ASSENT_DATABASE_URL": self.database_url(name, through_proxy=True),
            "ASSENT_PORT": str(self.ports[name][number]),
            "ASSENT_CONNECTOR_URL": f"http://127.0.0.1:{self.ports.get('sagemaker-connector', [1])[0]}",
            **({"PYTHONPATH": _path_of(self.code)} if self.code is not None else {}),
            **more,
        }
        log = self.folder / "logs" / f"{name}-{number}.log"
        child = Child(name, module or MODULES[name], environment=environment, log=log)
        await child.start()
        if number < len(self.children[name]):
            self.children[name][number] = child
        else:
            self.children[name].append(child)
        stopping = asyncio.Event()
        self._watchers[child] = asyncio.create_task(child.watch(stopping)), stopping
        return child

    async def remove(self, name: str, number: int) -> None:
        """SIGTERM, and nobody starts it again."""
        child = self.children[name][number]
        watching, stopping = self._watchers.pop(child)
        stopping.set()
        await child.stop()
        await watching

    def kill(self, service: str, number: int = 0) -> None:
        """kill -9; it is started again."""
        self.signal(service, signal.SIGKILL, number)

    def signal(self, service: str, how: signal.Signals, number: int = 0) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.children[service][number].pid, how)

    def database_url(self, name: str, *, through_proxy: bool = False) -> str:
        url = self.postgres.plain_url(_database(name))
        port = self.to_postgres[name].port if through_proxy else self.postgres.port
        return url.replace(f":{self.postgres.port}/", f":{port}/")

    async def dump(self, name: str, to: Path) -> Path:
        """As an administrator backs it up, while everything runs."""
        await self._postgres_tool("pg_dump", "--format=custom", f"--file={to}", self.database_url(name))
        return to

    async def restore(self, name: str, dump: Path) -> None:
        """As an administrator brings it back: the database is another one then. Its service does not run."""
        await self.postgres.drop_database(_database(name))
        await self.postgres.create_database(_database(name))
        await self._postgres_tool("pg_restore", f"--dbname={self.database_url(name)}", "--exit-on-error", str(dump))

    async def _postgres_tool(self, tool: str, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            str(of_the_wheel() / tool), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()

    @asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[asyncpg.Connection]:
        """Past every proxy."""
        connection = await asyncpg.connect(self.database_url(name))
        try:
            yield connection
        finally:
            await connection.close()

    async def heal(self) -> None:
        for between in self.proxies():
            await between.heal()

    async def well(self, within_s: float = 120) -> float:
        """Until every process says ready, and nothing waits to be told. How many seconds it took."""
        began = time.monotonic()
        await until(self._is_well, within_s=within_s)
        return time.monotonic() - began

    async def _is_well(self) -> bool:
        for name, ports in self.ports.items():
            for port in ports:
                if await self.status(name, port) != "ready":
                    return False
            async with self.database(name) as connection:
                if await connection.fetchval(UNPUBLISHED) or await connection.fetchval(UNSEALED):
                    return False
        return True

    async def status(self, name: str, port: int | None = None) -> str:
        """As `/health/ready` says it; `gone` where nobody answers."""
        try:
            answer = await self._http.get(f"http://127.0.0.1:{port or self.ports[name][0]}/health/ready", timeout=5)
        except httpx.HTTPError:
            return "gone"
        return str(answer.json().get("status", "gone"))

    async def metric(self, service: str, name: str) -> float:
        answer = await self._http.get(f"http://127.0.0.1:{self.ports[service][0]}/metrics")
        return sum(float(line.rpartition(" ")[2]) for line in answer.text.splitlines() if line.startswith(name))

    def last_words(self) -> str:
        words = (f"--- {name}\n{child.last_words()}" for name, group in self.children.items() for child in group)
        return "\n".join(words)

    async def _issuer(self) -> None:
        port = free_port()
        issuer = Issuer(f"http://127.0.0.1:{port}", self.state)
        (self.state / "issuer-url").write_text(issuer.url)
        server = uvicorn.Server(uvicorn.Config(issuer.app(), port=port, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server._serve())

        async def stop() -> None:
            server.should_exit = True
            await serving

        self._stack.push_async_callback(stop)

    def _shared_environment(self) -> dict[str, str]:
        sources = self.folder / "sources.yaml"
        sources.write_text(SOURCES)
        token = secrets.token_urlsafe(32)
        return {
            "ASSENT_KAFKA_BOOTSTRAP_SERVERS": self.to_kafka.address,
            "ASSENT_KAFKA_PARTITIONS": "6",
            "ASSENT_SERVICE_TOKEN": token,
            "ASSENT_SERVICE_TOKENS": json.dumps({"assent": hashlib.sha256(token.encode()).hexdigest()}),
            "ASSENT_OIDC_ISSUER": (self.state / "issuer-url").read_text(),
            "ASSENT_OIDC_AUDIENCE": AUDIENCE,
            "ASSENT_SIGNING_KEY": "11" * 32,
            "ASSENT_LOG_LEVEL": "WARNING",
            "AWS_ENDPOINT_URL": f"http://{self.to_aws.address}",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": REGION,
            "ASSENT_SOURCES": str(sources),
        }

    async def _stop_services(self) -> None:
        for child, (watching, stopping) in self._watchers.items():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGCONT)
            stopping.set()
            watching.cancel()
        await asyncio.gather(*(child.stop() for child in self._watchers))


@asynccontextmanager
async def a_house(folder: Path, *, of_each: int = 1, code: Path | None = None) -> AsyncIterator[House]:
    """Started and well when the block begins, gone when it ends."""
    house = House(folder, of_each=of_each, code=code)
    try:
        await house.start()
        yield house
    except BaseException:
        print(house.last_words(), file=sys.stderr)  # noqa: T201 - all that is left of it
        raise
    finally:
        await house.close()


def _path_of(code: Path) -> str:
    """Before what is installed: its own sources of everything of ours."""
    return os.pathsep.join(str(src) for src in sorted(code.glob("*/*/src")))


def _database(service: str) -> str:
    return "assent_" + service.replace("-", "_")
