"""Inference components: models on an endpoint whose variants bring none of their own. In service at once."""

from collections.abc import Mapping
from typing import Any

from assent_common.clock import Clock

from assent_local.simulator import listing, tags
from assent_local.simulator.caller import Caller
from assent_local.simulator.errors import invalid
from assent_local.simulator.pages import Pages
from assent_local.simulator.store import Document, Kind, Store

Request = Mapping[str, Any]

_SUMMARY = (
    "InferenceComponentName",
    "InferenceComponentArn",
    "EndpointName",
    "EndpointArn",
    "VariantName",
    "InferenceComponentStatus",
    "CreationTime",
    "LastModifiedTime",
)


class Components:
    def __init__(self, store: Store, pages: Pages, clock: Clock) -> None:
        self._store = store
        self._pages = pages
        self._clock = clock
        self.operations = {
            "CreateInferenceComponent": self.create,
            "DescribeInferenceComponent": self.describe,
            "ListInferenceComponents": self.list,
            "UpdateInferenceComponent": self.update,
            "DeleteInferenceComponent": self.delete,
        }

    def create(self, caller: Caller, request: Request) -> Document:
        name = request["InferenceComponentName"]
        arn = caller.place.arn(Kind.INFERENCE_COMPONENT, name.casefold())
        if self._store.get(Kind.INFERENCE_COMPONENT, caller.place, name.casefold()):
            raise invalid(f'Cannot create already existing inference component "{arn}".')
        endpoint = self._store.get(Kind.ENDPOINT, caller.place, request["EndpointName"].casefold())
        if endpoint is None:
            raise invalid(f'Could not find endpoint "{request["EndpointName"]}".')
        variant = request.get("VariantName") or self._base(caller, request)["VariantName"]
        now = self._now()
        document = {
            "InferenceComponentName": name,
            "InferenceComponentArn": arn,
            "EndpointName": endpoint.document["EndpointName"],
            "EndpointArn": endpoint.document["EndpointArn"],
            "VariantName": variant,
            **self._specified(caller, request),
            "InferenceComponentStatus": "InService",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        with self._store.together():
            tags.write(self._store, caller.place, arn, request.get("Tags", []))
            self._store.put(Kind.INFERENCE_COMPONENT, caller.place, name.casefold(), document)
        return {"InferenceComponentArn": arn}

    def describe(self, caller: Caller, request: Request) -> Document:
        return self._find(caller, request["InferenceComponentName"])

    def list(self, caller: Caller, request: Request) -> Document:
        def rows() -> list[Document]:
            found = [each.document for each in self._store.all(Kind.INFERENCE_COMPONENT, caller.place).values()]
            for given, member in (
                ("EndpointNameEquals", "EndpointName"),
                ("VariantNameEquals", "VariantName"),
                ("StatusEquals", "InferenceComponentStatus"),
            ):
                if given in request:
                    found = [each for each in found if each[member].casefold() == request[given].casefold()]
            return listing.select(found, request, name="InferenceComponentName", default_order="Descending")

        page, token, _ = self._pages.cut(
            caller.place, "ListInferenceComponents", request, self._store.generation, rows, size=10
        )
        return listing.answer("InferenceComponents", [{name: each[name] for name in _SUMMARY} for each in page], token)

    def update(self, caller: Caller, request: Request) -> Document:
        before = self._find(caller, request["InferenceComponentName"])
        document = {**before, **self._specified(caller, request), "LastModifiedTime": self._now()}
        self._store.put(Kind.INFERENCE_COMPONENT, caller.place, request["InferenceComponentName"].casefold(), document)
        return {"InferenceComponentArn": document["InferenceComponentArn"]}

    def delete(self, caller: Caller, request: Request) -> Document:
        arn = self._find(caller, request["InferenceComponentName"])["InferenceComponentArn"]
        with self._store.together():
            tags.forget(self._store, caller.place, arn)
            self._store.remove(Kind.INFERENCE_COMPONENT, caller.place, request["InferenceComponentName"].casefold())
        return {}

    def _specified(self, caller: Caller, request: Request) -> dict[str, Any]:
        """What is described says of a container which image was deployed, rather than which one was given."""
        given = request.get("Specifications", [request.get("Specification", {})])
        for each in given:
            name = each.get("ModelName")
            if name and self._store.get(Kind.MODEL, caller.place, name.casefold()) is None:
                raise invalid(f'Could not find model "{name}".')
        told = [_told(each) for each in given]
        specification = {"Specifications": told} if "Specifications" in request else {"Specification": told[0]}
        copies = request.get("RuntimeConfig", {}).get("CopyCount")
        runtime = {"DesiredCopyCount": copies, "CurrentCopyCount": copies} if copies is not None else None
        return specification | ({"RuntimeConfig": runtime} if runtime else {})

    def _base(self, caller: Caller, request: Request) -> Document:
        """An adapter is hosted where the component is that it is for."""
        name = request.get("Specification", {}).get("BaseInferenceComponentName")
        if name is None:
            raise invalid("VariantName is required unless a base inference component is given.")
        return self._find(caller, name)

    def _find(self, caller: Caller, name: str) -> Document:
        record = self._store.get(Kind.INFERENCE_COMPONENT, caller.place, name.casefold())
        if record is None:
            arn = caller.place.arn(Kind.INFERENCE_COMPONENT, name.casefold())
            raise invalid(f'Could not find inference component "{arn}".')
        return record.document

    def _now(self) -> float:
        return round(self._clock.now().timestamp(), 3)


def _told(specification: Request) -> dict[str, Any]:
    told = dict(specification)
    container = dict(told.pop("Container", {}))
    image = container.pop("Image", None)
    if image:
        container["DeployedImage"] = {"SpecifiedImage": image}
    return told | ({"Container": container} if container else {})
