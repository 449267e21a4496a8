"""`Search`: whole records by filter and order, from an index that may lag behind the registry."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from assent_common.clock import Clock

from assent_local.simulator import tags
from assent_local.simulator.caller import Caller, Place
from assent_local.simulator.dashboard import Dashboard
from assent_local.simulator.expressions import Fields, Predicate, Tags, predicate
from assent_local.simulator.faults import Dials
from assent_local.simulator.pages import Pages
from assent_local.simulator.shapes import Shapes
from assent_local.simulator.shares import Shares
from assent_local.simulator.store import Document, Kind, Record, Store


@dataclass(frozen=True, slots=True)
class Resource:
    name: str
    kind: Kind
    shape: str
    arn: str


_RESOURCES = {
    resource.name: resource
    for resource in (
        Resource("ModelPackage", Kind.PACKAGE, "ModelPackage", "ModelPackageArn"),
        Resource("ModelPackageGroup", Kind.GROUP, "ModelPackageGroup", "ModelPackageGroupArn"),
        Resource("Model", Kind.MODEL, "Model", "ModelArn"),
        Resource("Endpoint", Kind.ENDPOINT, "Endpoint", "EndpointArn"),
        Resource("TrainingJob", Kind.TRAINING_JOB, "TrainingJob", "TrainingJobArn"),
    )
}
_INDEXED = {resource.kind for resource in _RESOURCES.values()}


class SearchIndex:
    """The registry as Search sees it: each change arrives when the lag that is dialled in has passed."""

    def __init__(self, store: Store, dials: Dials, clock: Clock) -> None:
        self._dials = dials
        self._clock = clock
        self._seen: dict[tuple[Kind, Place], dict[str, Record]] = defaultdict(dict)
        self._pending: deque[tuple[datetime, Kind, Place, str, Record | None]] = deque()
        self.generation = 0
        store.listen(self._changed)
        while self._pending:  # what was there from the start was indexed long ago
            self._arrive(*self._pending.popleft())

    def records(self, kind: Kind, place: Place) -> Mapping[str, Record]:
        self.catch_up()
        return self._seen[kind, place]

    def catch_up(self) -> None:
        if self._dials.search_frozen:
            return
        visible = self._clock.now() - timedelta(seconds=self._dials.search_lag_s)
        while self._pending and self._pending[0][0] <= visible:
            self._arrive(*self._pending.popleft())

    def _changed(self, kind: Kind, place: Place, key: str, record: Record | None) -> None:
        if kind in _INDEXED or kind is Kind.TAGS:
            self._pending.append((self._clock.now(), kind, place, key, record))

    def _arrive(self, _: datetime, kind: Kind, place: Place, key: str, record: Record | None) -> None:
        self.generation += 1
        if record is None:
            self._seen[kind, place].pop(key, None)
        else:
            self._seen[kind, place][key] = record


class Search:
    def __init__(self, store: Store, shares: Shares, index: SearchIndex, pages: Pages, shapes: Shapes) -> None:
        self._store = store
        self._shares = shares
        self._index = index
        self._pages = pages
        self._shapes = shapes
        self._dashboard = Dashboard(store, shapes)
        self.operations = {"Search": self.search}

    def search(self, caller: Caller, request: Mapping[str, Any]) -> bytes:
        resource = _RESOURCES.get(request["Resource"])
        if resource is None:
            return _answer([], None, 0)
        is_shared = request.get("CrossAccountFilterOption") == "CrossAccount"
        fields = Fields(self._shapes.members(resource.shape))
        order = request.get("SortBy") or ("LastModifiedTime" if "LastModifiedTime" in fields else "CreationTime")
        key = fields.sort_key(order)

        def tags_of(document: Document) -> Tags:
            # What others share comes without its tags.
            if is_shared:
                return {}
            return {tag["Key"]: tag["Value"] for tag in self._tags(resource, caller.place, document)}

        matches = predicate(request.get("SearchExpression", {}), fields, tags_of)
        descending = request.get("SortOrder", "Descending") == "Descending"
        self._index.catch_up()

        def rows() -> Sequence[Record]:
            own = self._index.records(resource.kind, caller.place).values()
            found = _matching(self._shared(resource, caller.place) if is_shared else own, matches)
            with_key = [record for record in found if key(record.document) is not None]
            without = [record for record in found if key(record.document) is None]
            return sorted(with_key, key=lambda record: key(record.document), reverse=descending) + without

        generation = self._index.generation + (self._store.generation if is_shared else 0)
        page, token, total = self._pages.cut(caller.place, "Search", request, generation, rows)
        tied = {} if is_shared else {id(record): self._tags(resource, caller.place, record.document) for record in page}
        results = [self._render(resource, caller.place, record, tied.get(id(record), [])) for record in page]
        return _answer(results, token, total)

    def _shared(self, resource: Resource, place: Place) -> list[Record]:
        found: list[Record] = []
        for owner, group in self._shares.with_(place):
            records = self._index.records(resource.kind, owner)
            match resource.kind:
                case Kind.GROUP:
                    found += [records[group]] if group in records else []
                case Kind.PACKAGE:
                    found += [record for path, record in records.items() if path.startswith(f"{group}/")]
        return found

    def _render(self, resource: Resource, place: Place, record: Record, tied: list[Document]) -> bytes:
        rendered = record.rendered.get("Search")
        if rendered is None:
            members = self._shapes.members(resource.shape)
            document = {name: value for name, value in record.document.items() if name in members}
            self._shapes.named(resource.shape)(document, "")
            rendered = record.rendered["Search"] = orjson.dumps(document)
        if tied:
            rendered = rendered[:-1] + b',"Tags":' + orjson.dumps(tied) + b"}"
        if resource.kind is Kind.MODEL:
            rendered = self._dashboard.of(place, record.document, rendered)
        return b'{"%s":%s}' % (resource.name.encode(), rendered)

    def _tags(self, resource: Resource, place: Place, document: Document) -> list[Document]:
        if resource.kind is Kind.PACKAGE and "ModelPackageVersion" in document:
            # A version has none of its own: its group's apply.
            return tags.read(self._store, place, place.arn(Kind.GROUP, document["ModelPackageGroupName"]))
        return tags.read(self._store, place, document[resource.arn])


def _matching(records: Iterable[Record], matches: Predicate) -> list[Record]:
    return [record for record in records if matches(record.document)]


def _answer(results: Sequence[bytes], token: str | None, total: int) -> bytes:
    next_token = b',"NextToken":' + orjson.dumps(token) if token else b""
    return b'{"Results":[%s]%s,"TotalHits":{"Value":%d,"Relation":"EqualTo"}}' % (
        b",".join(results),
        next_token,
        total,
    )
