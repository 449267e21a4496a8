"""EventBridge's side of the registry: a state change of a model package, put on a queue as the rule's target does."""

from datetime import UTC, datetime
from typing import Any

import orjson
from assent_common import ids
from assent_common.clock import Clock

from assent_local.simulator.caller import Place
from assent_local.simulator.sqs import Queues
from assent_local.simulator.store import Document

#: Spelled otherwise in events than in the API.
_FIELD_NAMES = {"SourceUri": "sourceUri"}
#: A change of nothing else but these tells nobody.
_SILENT = {"ModelCard", "ModelPackageRegistrationType", "AdditionalInferenceSpecifications"}
_DETAIL = (
    "ModelPackageGroupName",
    "ModelPackageName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "InferenceSpecification",
    "ModelPackageStatus",
    "ModelPackageStatusDetails",
    "CertifyForMarketplace",
    "ModelApprovalStatus",
    "MetadataProperties",
    "ModelMetrics",
    "ModelLifeCycle",
    "CustomerMetadataProperties",
)


class Rule:
    """Sends what happens to packages to a queue of this name, in the place where it happened, if it has one."""

    def __init__(self, queues: Queues, clock: Clock, queue: str | None) -> None:
        self._queues = queues
        self._clock = clock
        self._queue = queue

    def package_changed(self, place: Place, package: Document, fields: list[str]) -> None:
        told = [_FIELD_NAMES.get(field, field) for field in fields if field not in _SILENT]
        if self._queue is None or (fields and not told):
            return
        event = _event(place, package, told, self._clock.now())
        self._queues.send(place, self._queue, orjson.dumps(event).decode())


def _event(place: Place, package: Document, told: list[str], now: datetime) -> dict[str, Any]:
    detail = {name: package[name] for name in _DETAIL if name in package}
    detail |= {name: _iso(package[name]) for name in ("CreationTime", "LastModifiedTime")}
    if told:
        detail["UpdatedModelPackageFields"] = told
    return {
        "version": "0",
        "id": str(ids.new()),
        "detail-type": "SageMaker Model Package State Change",
        "source": "aws.sagemaker",
        "account": place.account,
        "time": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "region": place.region,
        "resources": [package["ModelPackageArn"]],
        "detail": detail,
    }


def _iso(epoch_s: float) -> str:
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
