"""Everything that the simulated account holds: documents by kind, place and key, and what listens to their changes."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from assent_local.simulator.caller import Place
from assent_local.simulator.journal import Journal

Document = Mapping[str, Any]


class Kind(StrEnum):
    GROUP = "model-package-group"
    PACKAGE = "model-package"
    LAST_VERSION = "last-version"
    MODEL = "model"
    ENDPOINT_CONFIG = "endpoint-config"
    ENDPOINT = "endpoint"
    ROLLOUT = "rollout"
    INFERENCE_COMPONENT = "inference-component"
    TRANSFORM_JOB = "transform-job"
    MONITORING_SCHEDULE = "monitoring-schedule"
    MONITORING_EXECUTION = "monitoring-execution"
    MONITORING_ALERTS = "monitoring-alerts"
    TRAINING_JOB = "training-job"
    ASSOCIATION = "association"
    TAGS = "tags"
    BUCKET = "bucket"
    OBJECT = "object"
    QUEUE = "queue"
    MESSAGE = "message"
    SEED = "seed"
    SHARE = "share"


@dataclass(slots=True, eq=False)
class Record:
    """A document as it is now. A change makes a new record, so that who holds the old one still has what it said."""

    document: Document
    body: bytes = b""
    #: The document as it was sent, by the operation that sent it.
    rendered: dict[str, bytes] = field(default_factory=dict)


Listener = Callable[[Kind, Place, str, Record | None], None]


class Store:
    """Reads are dictionary look-ups; a change is journalled, when there is a journal, before it is seen."""

    def __init__(self, state: Path | None = None) -> None:
        self._shelves: dict[tuple[Kind, Place], dict[str, Record]] = defaultdict(dict)
        self._listeners: list[Listener] = []
        self._journal = Journal(state) if state else None
        #: Grows with each change: what was computed from the whole is good for as long as this stands.
        self.generation = 0
        for kind, account, region, key, document, body in self._journal.read() if self._journal else ():
            self._shelves[Kind(kind), Place(account, region)][key] = Record(document, body)

    @property
    def empty(self) -> bool:
        return not any(self._shelves.values())

    def listen(self, listener: Listener) -> None:
        """Tell of every change from now on, after it was made; and of what is there already, at once."""
        for (kind, place), shelf in self._shelves.items():
            for key, record in shelf.items():
                listener(kind, place, key, record)
        self._listeners.append(listener)

    def get(self, kind: Kind, place: Place, key: str) -> Record | None:
        return self._shelves[kind, place].get(key)

    def all(self, kind: Kind, place: Place) -> dict[str, Record]:
        return self._shelves[kind, place]

    def places(self, kind: Kind) -> Iterator[Place]:
        return (place for (each, place), shelf in list(self._shelves.items()) if each is kind and shelf)

    def put(self, kind: Kind, place: Place, key: str, document: Document, body: bytes = b"") -> Record:
        record = Record(document, body)
        if self._journal:
            self._journal.put(kind, place, key, document, body)
        self._shelves[kind, place][key] = record
        self._changed(kind, place, key, record)
        return record

    def remove(self, kind: Kind, place: Place, key: str) -> None:
        if self._shelves[kind, place].pop(key, None) is not None:
            if self._journal:
                self._journal.remove(kind, place, key)
            self._changed(kind, place, key, None)

    def together(self) -> AbstractContextManager[None]:
        """Journal many changes in one transaction. Nothing may be awaited within."""
        return self._journal.transaction() if self._journal else nullcontext()

    def close(self) -> None:
        if self._journal:
            self._journal.close()

    def _changed(self, kind: Kind, place: Place, key: str, record: Record | None) -> None:
        self.generation += 1
        for listener in self._listeners:
            listener(kind, place, key, record)
