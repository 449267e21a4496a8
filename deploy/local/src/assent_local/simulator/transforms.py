"""Batch transform: a model that serves a file rather than callers. Created, and done at once."""

from collections.abc import Mapping
from typing import Any

from assent_common.clock import Clock

from assent_local.simulator import listing, tags
from assent_local.simulator.caller import Caller
from assent_local.simulator.errors import AwsError, invalid
from assent_local.simulator.pages import Pages
from assent_local.simulator.store import Document, Kind, Store

Request = Mapping[str, Any]

_NOT_KEPT = {"Tags"}
_SUMMARY = (
    "TransformJobName",
    "TransformJobArn",
    "CreationTime",
    "TransformEndTime",
    "LastModifiedTime",
    "TransformJobStatus",
)


class Transforms:
    def __init__(self, store: Store, pages: Pages, clock: Clock) -> None:
        self._store = store
        self._pages = pages
        self._clock = clock
        self.operations = {
            "CreateTransformJob": self.create,
            "DescribeTransformJob": self.describe,
            "ListTransformJobs": self.list,
        }

    def create(self, caller: Caller, request: Request) -> Document:
        name = request["TransformJobName"]
        arn = caller.place.arn(Kind.TRANSFORM_JOB, name)
        if self._store.get(Kind.TRANSFORM_JOB, caller.place, name.casefold()):
            raise AwsError("ResourceInUse", f"Transform job {arn} already exists.")
        if self._store.get(Kind.MODEL, caller.place, request["ModelName"].casefold()) is None:
            raise invalid(f'Could not find model "{request["ModelName"]}".')
        now = round(self._clock.now().timestamp(), 3)
        document = {
            **{member: value for member, value in request.items() if member not in _NOT_KEPT},
            "TransformJobArn": arn,
            "TransformJobStatus": "Completed",
            "CreationTime": now,
            "TransformStartTime": now,
            "TransformEndTime": now,
        }
        with self._store.together():
            tags.write(self._store, caller.place, arn, request.get("Tags", []))
            self._store.put(Kind.TRANSFORM_JOB, caller.place, name.casefold(), document)
        return {"TransformJobArn": arn}

    def describe(self, caller: Caller, request: Request) -> Document:
        record = self._store.get(Kind.TRANSFORM_JOB, caller.place, request["TransformJobName"].casefold())
        if record is None:
            raise AwsError("ResourceNotFound", "Requested resource not found.")
        return record.document

    def list(self, caller: Caller, request: Request) -> Document:
        def rows() -> list[Document]:
            # When it ended is when it last changed: its document does not say so.
            jobs = [
                {**each.document, "LastModifiedTime": each.document["TransformEndTime"]}
                for each in self._store.all(Kind.TRANSFORM_JOB, caller.place).values()
            ]
            if "StatusEquals" in request:
                jobs = [each for each in jobs if each["TransformJobStatus"] == request["StatusEquals"]]
            return listing.select(jobs, request, name="TransformJobName", default_order="Descending")

        page, token, _ = self._pages.cut(
            caller.place, "ListTransformJobs", request, self._store.generation, rows, size=10
        )
        return listing.answer(
            "TransformJobSummaries", [{name: each[name] for name in _SUMMARY} for each in page], token
        )
