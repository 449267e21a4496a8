"""`assent audit`: hold the logs against themselves and against what was signed, and write them out for an auditor."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg
import orjson
from assent_common import audit, http_client
from assent_common.audit import Fault, Head, Walk, checkpoints
from assent_common.events import envelope
from assent_common.events.audit import AuditCheckpoint
from assent_common.events.envelope import UnreadableEvent
from assent_common.kafka.topics import AUDIT
from assent_common.settings import Settings
from assent_common.signing import BadSignature, trusted
from joserfc.jwk import KeySet
from pydantic import SecretStr
from rich.console import Console

from assent_local import records
from assent_local.exits import Exit

UNSEALED = "select count(*) from audit where seq is null"


class Witnesses(NamedTuple):
    """What was signed of each service's log, and what only looks so."""

    heads: Mapping[str, Sequence[Head]]
    false: Sequence[str]


async def of_databases(
    out: Console,
    databases: Mapping[str, str],
    kafka: str | None,
    keys: Sequence[str],
    *,
    prefix: str,
    as_json: bool,
) -> Exit:
    """Of each service's database: the whole chain, its guards, and every checkpoint that Kafka has of it."""
    witnesses = await _witnesses(kafka, prefix, trusted(keys)) if kafka else Witnesses({}, [])
    broken = bool(witnesses.false)
    for said in witnesses.false:
        _say(out, as_json, service=None, fault=said)
    for service, url in databases.items():
        connection = await asyncpg.connect(url.replace("postgresql+asyncpg://", "postgresql://"), timeout=10)
        try:
            kept = witnesses.heads.get(service, [])
            walk = Walk(kept)
            faults = [fault async for fault in audit.faults(connection, walk)]
            words = [str(fault) for fault in faults]
            if not await audit.is_guarded(connection):
                words.append("the database no longer refuses to change audit records: its triggers are gone or off")
            unsealed = await connection.fetchval(UNSEALED)
        finally:
            await connection.close()
        broken = broken or bool(words)
        for fault in words:
            _say(out, as_json, service=service, fault=fault)
        _sum_up(out, as_json, service, walk.seq, len(words), len(kept), unsealed)
    return Exit.FAILED if broken else Exit.OK


def of_export(out: Console, file: Path, checkpoint: Path | None, keys: Sequence[str], *, as_json: bool) -> Exit:
    """Of a file: each line is a record, and its SHA-256 the `previous` of the next."""
    heads: list[Head] = []
    words: list[str] = []
    if checkpoint is not None:
        signed = AuditCheckpoint.model_validate_json(checkpoint.read_bytes())
        try:
            heads = checkpoints.heads([signed.signed], signed.service, trusted(keys))
        except BadSignature as error:
            words.append(f"the checkpoint is {error}")
    walk = Walk(heads)
    words += [str(fault) for fault in _of_lines(file.read_bytes().splitlines(), walk)]
    for fault in words:
        _say(out, as_json, service=file.name, fault=fault)
    _sum_up(out, as_json, file.name, walk.seq, len(words), len(heads), 0)
    return Exit.FAILED if words else Exit.OK


async def export(out: Console, url: str, token: str, to: Path) -> Exit:
    """The log up to a checkpoint that is signed now; the checkpoint and the keys beside it."""
    headers = {"Authorization": f"Bearer {token}"}
    async with http_client.create() as client:
        base = f"{url.rstrip('/')}/v1/audit"
        signed = (await client.get(f"{base}/checkpoint", headers=headers)).raise_for_status()
        keys = (await client.get(f"{base}/keys", headers=headers)).raise_for_status()
        size = signed.json()["size"]
        async with client.stream("GET", f"{base}/export", params={"up_to": size}, headers=headers) as body:
            body.raise_for_status()
            with to.open("wb") as target:
                async for chunk in body.aiter_bytes():
                    target.write(chunk)
    _beside(to, "checkpoint.json").write_bytes(signed.content)
    _beside(to, "keys.json").write_bytes(keys.content)
    out.print(f"{size} records in {to}, up to {signed.json()['head']}", markup=False, soft_wrap=True)
    return Exit.OK


def _of_lines(lines: Sequence[bytes], walk: Walk) -> list[Fault]:
    found: list[Fault] = []
    for number, line in enumerate(lines, 1):
        digest = "sha256:" + hashlib.sha256(line).hexdigest()
        try:
            record = orjson.loads(line)
            found += walk.step(int(record["seq"]), str(record["previous"]), digest, digest, int(record["id"]))
        except (ValueError, TypeError, KeyError):
            found.append(Fault(number, None, "is no record that can be read"))
    return found + walk.end()


async def _witnesses(kafka: str, prefix: str, keys: KeySet) -> Witnesses:
    heads: dict[str, list[Head]] = {}
    false: list[str] = []
    async for where, body in bodies(kafka, prefix):
        try:
            payload = envelope.from_bytes(body).payload
            if not isinstance(payload, AuditCheckpoint):
                raise UnreadableEvent(f"a {payload.__class__.__name__}")
            heads.setdefault(payload.service, []).extend(checkpoints.heads([payload.signed], payload.service, keys))
        except UnreadableEvent as error:
            false.append(f"{where} is no checkpoint: {error}")
        except BadSignature as error:
            false.append(f"the checkpoint at {where} is {error}")
    return Witnesses(heads, false)


async def bodies(kafka: str, prefix: str) -> AsyncIterator[tuple[str, bytes | None]]:
    """All that the topic has now, and where."""
    settings = Settings(
        database_url=SecretStr("postgresql://unused"), kafka_bootstrap_servers=kafka, kafka_topic_prefix=prefix
    )
    topic = AUDIT.full_name(prefix)
    async for record in records.of_topic(settings, topic):
        yield f"{topic} {record.partition}/{record.offset}", record.value


def _say(out: Console, as_json: bool, *, service: str | None, fault: str) -> None:
    if as_json:
        print(json.dumps({"service": service, "fault": fault}))  # noqa: T201 - for programs
    else:
        out.print(f"{service or 'kafka'}: {fault}", markup=False, style="red", soft_wrap=True)


def _sum_up(out: Console, as_json: bool, service: str, records: int, faults: int, compared: int, unsealed: int) -> None:
    if as_json:
        line = {"service": service, "records": records, "faults": faults, "checkpoints": compared, "unsealed": unsealed}
        print(json.dumps(line))  # noqa: T201 - for programs
        return
    name = f"{service}: " if service else ""
    waiting = f", {unsealed} more not chained yet" if unsealed else ""
    against = f"{compared} checkpoints" if compared else "no checkpoint: an end that was cut off would not show"
    said = f"{faults} faults in" if faults else "all hold of"
    out.print(f"{name}{said} {records} audit records{waiting}; held against {against}", markup=False, soft_wrap=True)


def _beside(file: Path, what: str) -> Path:
    return file.with_name(f"{file.name}.{what}")
