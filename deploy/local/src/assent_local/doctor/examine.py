"""Everything in its order, and what came of it."""

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError
from assent_common import http_client
from assent_common.clock import SystemClock
from assent_common.events import envelope
from assent_common.events.audit import AuditCheckpoint
from assent_common.events.envelope import UnreadableEvent
from assent_common.settings import Settings
from pydantic import SecretStr, ValidationError
from rich.console import Console

from assent_local import verifying
from assent_local.doctor import brokers, databases, services
from assent_local.doctor.finding import Finding, Is, fine, unknown, wrong
from assent_local.exits import Exit

SIGNS = {Is.FINE: "[green]✓[/]", Is.NOTED: "[yellow]![/]", Is.WRONG: "[red]✗[/]", Is.UNKNOWN: "[yellow]?[/]"}


@dataclass(frozen=True)
class Patient:
    """What is to be looked at; what is not named is not looked at."""

    urls: Mapping[str, str] = field(default_factory=dict)
    #: Service → the URL of its database.
    databases: Mapping[str, str] = field(default_factory=dict)
    kafka: str | None = None
    prefix: str = ""
    issuer: str | None = None

    @classmethod
    def named(
        cls, urls: Sequence[str], bases: Sequence[str], kafka: str | None, prefix: str, issuer: str | None
    ) -> "Patient":
        """Raises ValueError for what is no SERVICE=URL."""
        return cls(_pairs(urls), _pairs(bases), kafka, prefix, issuer)

    def at_home(self, state: Path) -> "Patient":
        """What the `assent up` of this folder runs, where nothing else is named."""
        up = json.loads((state / "up.json").read_text())
        return replace(
            self,
            urls={service: url for service, url in up["urls"].items() if service in databases.PACKAGES},
            databases=json.loads((state / "databases.json").read_text()),
            kafka=self.kafka or up["kafka"],
            issuer=self.issuer or (state / "issuer-url").read_text(),
        )


async def examine(out: Console, patient: Patient, *, as_json: bool, all_: bool) -> Exit:
    """A line for each thing that is not fine, or with `all_` for each; FAILED if one is wrong."""
    counts = dict.fromkeys(Is, 0)
    async for finding in _findings(patient):
        counts[finding.how] += 1
        if as_json:
            print(json.dumps(asdict(finding)))  # noqa: T201 - for programs
        elif all_ or finding.how is not Is.FINE:
            _tell(out, finding)
    if not as_json:
        out.print(", ".join(f"{counts[how]} {how}" for how in (Is.WRONG, Is.NOTED, Is.UNKNOWN, Is.FINE)))
    return Exit.FAILED if counts[Is.WRONG] else Exit.OK


async def _findings(patient: Patient) -> AsyncIterator[Finding]:
    settings, finding = _settings(patient)
    yield finding
    async with http_client.create(settings.outgoing_cafile if settings else None) as http:
        token = None
        if settings and settings.service_client_id:
            token, finding = await services.client(http, settings)
            yield finding
        elif settings and settings.service_token:
            token = settings.service_token.get_secret_value()
        for service, url in patient.urls.items():
            async for each in services.look(http, service, url, token):
                yield each
        if patient.issuer:
            yield await services.issuer(http, patient.issuer, settings.oidc_jwks_url if settings else None)
    for service, url in patient.databases.items():
        async for each in databases.look(service, url):
            yield each
    if patient.kafka and settings:
        lost = False
        async for each in brokers.look(settings):
            lost = lost or (each.check == "kafka" and each.how is Is.WRONG)
            yield each
        if not lost:
            async for each in _checkpoints(patient):
                yield each


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = dict(each.split("=", 1) for each in given if "=" in each)
    if len(pairs) != len(given) or not pairs.keys() <= databases.PACKAGES.keys():
        raise ValueError(f"name each as SERVICE=URL; services are {', '.join(databases.PACKAGES)}")
    return pairs


def _settings(patient: Patient) -> tuple[Settings | None, Finding]:
    """Those of the environment, as a service started from here would read them."""
    given: dict[str, Any] = {
        "database_url": SecretStr(os.environ.get("ASSENT_DATABASE_URL") or "postgresql://unused"),
        **({"kafka_bootstrap_servers": patient.kafka} if patient.kafka else {}),
        **({"kafka_topic_prefix": patient.prefix} if patient.prefix else {}),
    }
    try:
        settings = Settings(**given)
    except ValidationError as error:
        says = "; ".join(f"ASSENT_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        do = "docs/reference/settings.md has them all; a service with these would not start."
        return None, wrong("settings", "environment", says, do, "AssentServiceDown")
    return settings, fine("settings", "environment", "can be read")


async def _checkpoints(patient: Patient) -> AsyncIterator[Finding]:
    """The last one that the topic has of each service."""
    last: dict[str, AuditCheckpoint] = {}
    try:
        async for _, body in verifying.bodies(patient.kafka or "", patient.prefix):
            try:
                payload = envelope.from_bytes(body).payload
            except UnreadableEvent:
                continue  # `assent audit verify` says so
            if isinstance(payload, AuditCheckpoint):
                last[payload.service] = payload
    except (KafkaError, OSError, TimeoutError) as error:
        yield unknown("checkpoint", "all", repr(error))
        return
    now = SystemClock().now()
    for service, url in patient.databases.items():
        signed = last.get(service)
        age_s = (now - signed.at).total_seconds() if signed else 0.0
        try:
            yield await databases.checkpoint(service, url, signed.size if signed else None, age_s)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            yield unknown("checkpoint", service, repr(error))


def _tell(out: Console, finding: Finding) -> None:
    out.print(SIGNS[finding.how], end=" ")
    out.print(f"{finding.check}, {finding.of}: {finding.says}", markup=False, soft_wrap=True)
    if finding.do:
        out.print(f"    {finding.do}", markup=False, soft_wrap=True)
    if finding.runbook:
        out.print(f"    docs/runbooks/{finding.runbook}.md", markup=False, style="dim", soft_wrap=True)
