"""SageMaker's API: each request and each answer held against the service's own shapes."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from assent_common.clock import Clock

from assent_local.simulator import iam
from assent_local.simulator.caller import Caller
from assent_local.simulator.components import Components
from assent_local.simulator.errors import AwsError, invalid
from assent_local.simulator.faults import Dials
from assent_local.simulator.lineage import Lineage
from assent_local.simulator.monitoring import Monitoring
from assent_local.simulator.pages import Pages
from assent_local.simulator.registry import PackageListener, Registry
from assent_local.simulator.search import Search, SearchIndex
from assent_local.simulator.serving import Serving
from assent_local.simulator.shapes import Mismatch, shapes_of
from assent_local.simulator.shares import Shares
from assent_local.simulator.store import Document, Record, Store
from assent_local.simulator.tags import Tagging
from assent_local.simulator.training import Training
from assent_local.simulator.transforms import Transforms

Operation = Callable[[Caller, Mapping[str, Any]], Document | Record | bytes]


class SageMaker:
    def __init__(self, store: Store, shares: Shares, dials: Dials, clock: Clock, changed: PackageListener) -> None:
        self._shapes = shapes_of("sagemaker")
        self._dials = dials
        self._dials = dials
        pages = Pages(dials)
        index = SearchIndex(store, dials, clock)
        self._operations: dict[str, Operation] = {
            **Registry(store, shares, pages, clock, changed).operations,
            **Search(store, shares, index, pages, self._shapes).operations,
            **Tagging(store).operations,
            **Serving(store, pages, clock).operations,
            **Components(store, pages, clock).operations,
            **Transforms(store, pages, clock).operations,
            **Monitoring(store, pages, clock).operations,
            **Training(store, clock).operations,
            **Lineage(store, pages).operations,
        }

    @property
    def operations(self) -> frozenset[str]:
        return frozenset(self._operations)

    def call(self, operation: str, caller: Caller, request: Mapping[str, Any]) -> bytes:
        """The answer in JSON. Raises AwsError for a refusal, Mismatch for an answer that SageMaker could not give."""
        if operation not in self._operations:
            raise AwsError("UnknownOperationException", f"{operation} is not simulated.")
        try:
            self._shapes.input(operation)(request, "")
        except Mismatch as mismatch:
            raise invalid(str(mismatch)) from mismatch
        if name := self._dials.unknown_value(request):
            raise invalid(f"Value at '{name}' failed to satisfy constraint: Member must satisfy enum value set")
        answer = self._operations[operation](caller, request)
        if isinstance(answer, Record):
            key = answer.document.get("SecurityConfig", {}).get("KmsKeyId")
            if key and request.get("IncludedData") != "MetadataOnly":
                iam.forbid(self._dials.faults.deny, "kms:Decrypt", caller, key)
            return self._rendered(operation, answer)
        if isinstance(answer, bytes):
            return answer
        self._shapes.output(operation)(answer, "")
        return orjson.dumps(answer)

    def _rendered(self, operation: str, record: Record) -> bytes:
        """Once a record: until it changes, the same bytes answer."""
        body = record.rendered.get(operation)
        if body is None:
            self._shapes.output(operation)(record.document, "")
            body = record.rendered[operation] = orjson.dumps(record.document)
        return body
