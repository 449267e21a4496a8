"""What was read, compared with what was told before: only what differs is told, with the next sequence."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import asyncpg
import orjson
from assent_common.events import envelope
from assent_common.events.model import Json
from assent_common.events.registry import DeploymentObserved, Kind, ModelObserved, ModelVersionObserved
from assent_common.kafka.topics import REGISTRY
from assent_common.outbox import told
from assent_common.uow import UnitOfWork

from assent_sagemaker import approvals, arns, metrics, state
from assent_sagemaker.mapping.documents import Unmappable
from assent_sagemaker.reports import Reports

Payload = ModelObserved | ModelVersionObserved | DeploymentObserved

_KINDS: Mapping[type[Payload], Kind] = {
    ModelObserved: Kind.MODEL,
    ModelVersionObserved: Kind.MODEL_VERSION,
    DeploymentObserved: Kind.DEPLOYMENT,
}
#: Told by Describe alone: the same package must not look different by Search.
_ONE_WAY_ONLY = frozenset({"ManagedStorageType"})
_LARGEST = envelope.MAX_BYTES - 8 * 1024


class Observation(NamedTuple):
    """One object as it was read just now."""

    payload: Payload
    document: Json
    document_hash: str
    #: Its own ones, which its versions may inherit.
    tags: Mapping[str, str] = {}
    reports: Reports = Reports()
    summary_hash: str | None = None
    #: Where the data lies that a deployment serves, of which nobody could tell the version.
    unmatched: Sequence[str] = ()
    #: The key of the job that made a version.
    training_job: str | None = None

    @property
    def key(self) -> str:
        return arns.key(self.payload.urn)


async def apply(
    uow: UnitOfWork,
    source: str,
    observations: Sequence[Observation],
    known: Mapping[str, state.Known],
    skip: Callable[[Unmappable], None],
) -> set[str]:
    """Keep and tell what differs from what is kept. The keys of what was told; what no event holds is skipped."""
    connection = await uow.sql()
    rows = {}
    payloads = {}
    for observation in await _with_drift(connection, source, observations):
        try:
            rows[observation.key], payloads[observation.key] = _fitted(observation)
        except Unmappable as error:
            skip(error)
    changed = await state.upsert(connection, source, list(rows.values()), uow.clock.now())
    before = await told.last(connection, REGISTRY, [payloads[key].urn for key in changed if changed[key] > 1])
    for key in sorted(changed):
        kind, payload = rows[key].kind, payloads[key]
        if payload.urn in before:
            payload = payload.model_copy(update={"changed_fields": _differing(before[payload.urn].payload, payload)})
        uow.emit(
            *(REGISTRY, f"assent.registry.{kind.value}.observed.v1", payload.urn, changed[key], payload),
            scope=source,
        )
        metrics.CHANGES.labels(kind.value).inc()
    unchanged = [row for key, row in rows.items() if key not in changed and _books_differ(row, known.get(key))]
    await state.book(connection, source, unchanged)
    return set(changed)


def _differing(before: object, now: Payload) -> list[str]:
    """The names of the fields; none where the source had lost it in between, and this is the first state again."""
    if not isinstance(before, type(now)):
        return []
    names = type(now).model_fields.keys() - {"changed_fields"}
    return sorted(name for name in names if getattr(before, name) != getattr(now, name))


def digest(value: Json) -> str:
    """Of JSON, whatever the order of its keys."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def document_digest(document: Mapping[str, Json]) -> str:
    return digest({name: value for name, value in document.items() if name not in _ONE_WAY_ONLY})


async def _with_drift(
    connection: asyncpg.Connection, source: str, observations: Sequence[Observation]
) -> Sequence[Observation]:
    """With what SageMaker says of each version's approval that Assent has not decided; judged in the transaction that
    tells of it."""
    versions = [seen.payload for seen in observations if isinstance(seen.payload, ModelVersionObserved)]
    drifts = await approvals.told(connection, source, versions) if versions else {}
    return [
        seen._replace(payload=seen.payload.model_copy(update={"approval_drift": drifts[seen.payload.urn]}))
        if seen.payload.urn in drifts
        else seen
        for seen in observations
    ]


def _fitted(observation: Observation) -> tuple[state.Row, Payload]:
    """What is kept and what is told: without its document where the broker does not take it with that. Raises
    Unmappable."""
    payload = observation.payload
    written = payload.model_dump_json(exclude={"raw", "changed_fields"}).encode()
    if len(written) > _LARGEST:
        raise Unmappable(f"{payload.urn}: larger than what an event may hold")
    if len(written) + len(orjson.dumps(payload.raw)) > _LARGEST:
        payload = payload.model_copy(update={"raw": None})
    said = orjson.loads(written)
    row = state.Row(
        key=observation.key,
        urn=payload.urn,
        kind=_KINDS[type(payload)],
        model=arns.key(payload.model) if isinstance(payload, ModelVersionObserved) and payload.model else None,
        hash=digest([said, observation.document_hash]),
        document=observation.document,
        document_hash=observation.document_hash,
        summary_hash=observation.summary_hash,
        content_hash=payload.content_hash if isinstance(payload, ModelVersionObserved) else None,
        tags=observation.tags,
        artifacts=[a.uri for a in payload.artifacts]
        if isinstance(payload, ModelVersionObserved)
        else observation.unmatched,
        reports=observation.reports,
        created_at=payload.created_at,
        modified_at=None if isinstance(payload, ModelObserved) else payload.modified_at,
        training_job=observation.training_job,
    )
    return row, payload


def _books_differ(row: state.Row, known: state.Known | None) -> bool:
    return known is None or (
        (row.document_hash, row.summary_hash or known.summary_hash, row.reports, row.training_job)
        != (known.document_hash, known.summary_hash, known.reports, known.training_job)
    )
