"""One node of Apache Kafka (KRaft, broker and controller in one) that a test may stop, kill, freeze and wipe."""

import asyncio
import base64
import os
import shutil
import signal
import ssl
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from assent_local.ports import free_port

from tests.support.certificates import Files
from tests.support.kafka import jars

READY_WITHIN_S = 150.0
STOPPED_WITHIN_S = 15.0
PARTITIONS = 6

# One small JVM: no time for the second compiler to pay off, no cores for a parallel collector.
JAVA = ("java", "-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")

# A killed broker may register again only when its session is over: a short one, so that tests need not wait for it.
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=BROKER://127.0.0.1:{port},PROXIED://127.0.0.1:{proxied_port},CONTROLLER://127.0.0.1:{controller_port}{more}
advertised.listeners=BROKER://127.0.0.1:{port},PROXIED://127.0.0.1:{advertised_port}{more}
listener.security.protocol.map=BROKER:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT,ENCRYPTED:SSL,GUARDED:SASL_SSL,MUTUAL:SSL
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs={logs}
num.partitions={partitions}
auto.create.topics.enable=true
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
broker.heartbeat.interval.ms=250
broker.session.timeout.ms=1500
log.cleaner.dedupe.buffer.size=4194304
"""
MECHANISM = "SCRAM-SHA-512"
SECURED = """
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
sasl.enabled.mechanisms={mechanism}
listener.name.mutual.ssl.client.auth=required
listener.name.mutual.ssl.truststore.type=PEM
listener.name.mutual.ssl.truststore.location={authority}
listener.name.guarded.scram-sha-512.sasl.jaas.config=\
    org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


class KafkaFailed(Exception):
    """The node did not start; the end of its log says why."""


@dataclass(frozen=True)
class Secured:
    """A certificate for `localhost`, whose authority vouches for clients, too, and the one who is let in."""

    certificate: Files
    authority: Path
    user: str
    password: str


class Kafka:
    """Its address stays the same from one start to the next, and so does what it holds, until it is wiped.

    Who comes by `proxied_port` is told to go on by `advertised_port`: there a proxy of the test's own listens. One that
    is `secured` listens at `encrypted` with TLS, at `guarded` with TLS to whoever logs in, and at `mutual` to whoever
    shows a certificate. What it is `told` in place of all that, by properties that may name `{port}` and
    `{controller_port}`, may let it listen with TLS alone: to who trusts the `authority`.
    """

    def __init__(
        self,
        folder: Path,
        advertised_port: int | None = None,
        secured: Secured | None = None,
        told: Mapping[str, str] | None = None,
        authority: Path | None = None,
    ) -> None:
        self._folder = folder
        self._port = free_port()
        self._controller_port = free_port()
        self.proxied_port = free_port()
        self._advertised_port = advertised_port or self.proxied_port
        self._secured = secured
        self._told = told or {}
        self._authority = authority
        self._process: Process | None = None
        self.bootstrap_servers = f"127.0.0.1:{self._port}"
        self.encrypted, self.guarded, self.mutual = (f"localhost:{free_port()}" for _ in range(3))

    async def start(self) -> None:
        """Returns once it serves metadata."""
        classes = f"{await asyncio.to_thread(jars.fetched)}/*"
        if not self._logs.exists():
            await self._format(classes)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(*JAVA, f"-Dlog4j2.configurationFile={jars.HERE / 'log4j2.yaml'}", "-cp", classes),
                *("kafka.Kafka", str(self._properties)),
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                start_new_session=True,
            )
        try:
            await self._until_ready(self._process)
        except BaseException:
            await self.kill()
            raise

    async def stop(self) -> None:
        """Orderly: everything is on the disk and clients are told."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay open and nobody answers."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running.send_signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Forget everything, while it is down: it comes back as another, empty cluster at the same address."""
        assert self._process is None
        shutil.rmtree(self._logs)

    @property
    def _logs(self) -> Path:
        return self._folder / "logs"

    @property
    def _log(self) -> Path:
        return self._folder / "kafka.log"

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    @property
    def _running(self) -> Process:
        assert self._process is not None
        return self._process

    async def _format(self, classes: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(
            PROPERTIES.format(
                port=self._port,
                proxied_port=self.proxied_port,
                advertised_port=self._advertised_port,
                controller_port=self._controller_port,
                logs=self._logs,
                partitions=PARTITIONS,
                more=f",ENCRYPTED://{self.encrypted},GUARDED://{self.guarded},MUTUAL://{self.mutual}"
                if self._secured
                else "",
            )
        )
        # Of a name that is there twice the last one holds.
        with self._properties.open("a") as properties:
            for name, value in self._told.items():
                properties.write(f"{name}={value.format(port=self._port, controller_port=self._controller_port)}\n")
        let_in = self._let_in(self._secured) if self._secured else ()
        cluster_id = base64.urlsafe_b64encode(b"\0" + os.urandom(15)).decode().rstrip("=")
        process = await asyncio.create_subprocess_exec(
            *(*JAVA, f"-Dlog4j2.configurationFile={jars.HERE / 'log4j2.yaml'}", "-cp", classes),
            *("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(self._properties), *let_in),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise KafkaFailed(output.decode(errors="replace"))

    def _let_in(self, secured: Secured) -> tuple[str, str]:
        keystore = self._folder / "keystore.pem"
        keystore.write_text(secured.certificate.key.read_text() + secured.certificate.certificate.read_text())
        with self._properties.open("a") as properties:
            properties.write(SECURED.format(keystore=keystore, mechanism=MECHANISM, authority=secured.authority))
        return "--add-scram", f"{MECHANISM}=[name={secured.user},password={secured.password}]"

    async def _until_ready(self, process: Process) -> None:
        async with asyncio.timeout(READY_WITHIN_S):
            while not await self._answers():
                if process.returncode is not None:
                    raise KafkaFailed(self._log.read_text(errors="replace")[-4000:])
                await asyncio.sleep(0.05)

    async def _answers(self) -> bool:
        # aiokafka logs an error for each refusal; here they are expected.
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        writer.close()
        client = AIOKafkaClient(
            bootstrap_servers=self.bootstrap_servers,
            security_protocol="SSL" if self._authority else "PLAINTEXT",
            ssl_context=ssl.create_default_context(cafile=self._authority) if self._authority else None,
        )
        try:
            await client.bootstrap()
            return bool(client.cluster.brokers())
        except KafkaError:
            return False
        finally:
            await client.close()

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        try:
            async with asyncio.timeout(STOPPED_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
