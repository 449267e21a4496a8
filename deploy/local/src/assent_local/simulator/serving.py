"""What serves: models, endpoint configurations and endpoints. An endpoint is in service at once."""

from collections.abc import Mapping
from typing import Any

from assent_common.clock import Clock

from assent_local.simulator import listing, tags
from assent_local.simulator.caller import Caller
from assent_local.simulator.errors import invalid
from assent_local.simulator.pages import Pages
from assent_local.simulator.store import Document, Kind, Store

Request = Mapping[str, Any]

_MODEL_GIVEN = (
    "PrimaryContainer",
    "Containers",
    "InferenceExecutionConfig",
    "ExecutionRoleArn",
    "VpcConfig",
    "EnableNetworkIsolation",
)
_CONFIG_NOT_KEPT = {"Tags"}
_ENDPOINT_SUMMARY = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")


class Serving:
    def __init__(self, store: Store, pages: Pages, clock: Clock) -> None:
        self._store = store
        self._pages = pages
        self._clock = clock
        self.operations = {
            "CreateModel": self.create_model,
            "DescribeModel": self.describe_model,
            "ListModels": self.list_models,
            "DeleteModel": self.delete_model,
            "CreateEndpointConfig": self.create_config,
            "DescribeEndpointConfig": self.describe_config,
            "CreateEndpoint": self.create_endpoint,
            "DescribeEndpoint": self.describe_endpoint,
            "ListEndpoints": self.list_endpoints,
            "UpdateEndpoint": self.update_endpoint,
            "DeleteEndpoint": self.delete_endpoint,
        }

    def create_model(self, caller: Caller, request: Request) -> Document:
        containers = [*request.get("Containers", []), *filter(None, [request.get("PrimaryContainer")])]
        for container in containers:
            package = container.get("ModelPackageName")
            path = package.rpartition("model-package/")[2].casefold() if package else None
            if path and self._store.get(Kind.PACKAGE, caller.place, path) is None:
                raise invalid(f"Model Package {package} does not exist.")
        document = {
            "ModelName": request["ModelName"],
            **{name: request[name] for name in _MODEL_GIVEN if name in request},
            "CreationTime": self._now(),
        }
        return self._create(Kind.MODEL, caller, "Model", document, request)

    def describe_model(self, caller: Caller, request: Request) -> Document:
        return self._find(Kind.MODEL, caller, request["ModelName"])

    def list_models(self, caller: Caller, request: Request) -> Document:
        def rows() -> list[Document]:
            models = (record.document for record in self._store.all(Kind.MODEL, caller.place).values())
            return listing.select(models, request, name="ModelName", default_order="Descending")

        page, token, _ = self._pages.cut(caller.place, "ListModels", request, self._store.generation, rows, size=10)
        names = ("ModelName", "ModelArn", "CreationTime")
        return listing.answer("Models", [{name: model[name] for name in names} for model in page], token)

    def delete_model(self, caller: Caller, request: Request) -> Document:
        return self._delete(Kind.MODEL, caller, request["ModelName"])

    def create_config(self, caller: Caller, request: Request) -> Document:
        for variant in [*request["ProductionVariants"], *request.get("ShadowProductionVariants", [])]:
            if "ModelName" in variant:
                self._find(Kind.MODEL, caller, variant["ModelName"])
        document = {name: value for name, value in request.items() if name not in _CONFIG_NOT_KEPT}
        return self._create(
            Kind.ENDPOINT_CONFIG, caller, "EndpointConfig", {**document, "CreationTime": self._now()}, request
        )

    def describe_config(self, caller: Caller, request: Request) -> Document:
        return self._find(Kind.ENDPOINT_CONFIG, caller, request["EndpointConfigName"])

    def create_endpoint(self, caller: Caller, request: Request) -> Document:
        now = self._now()
        document = {
            "EndpointName": request["EndpointName"],
            "EndpointConfigName": request["EndpointConfigName"],
            "ProductionVariants": self._variants(caller, request["EndpointConfigName"]),
            "EndpointStatus": "InService",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        return self._create(Kind.ENDPOINT, caller, "Endpoint", document, request)

    def describe_endpoint(self, caller: Caller, request: Request) -> Document:
        return self._find(Kind.ENDPOINT, caller, request["EndpointName"])

    def list_endpoints(self, caller: Caller, request: Request) -> Document:
        def rows() -> list[Document]:
            endpoints = [record.document for record in self._store.all(Kind.ENDPOINT, caller.place).values()]
            if "StatusEquals" in request:
                endpoints = [each for each in endpoints if each["EndpointStatus"] == request["StatusEquals"]]
            return listing.select(endpoints, request, name="EndpointName", default_order="Descending")

        page, token, _ = self._pages.cut(caller.place, "ListEndpoints", request, self._store.generation, rows, size=10)
        return listing.answer(
            "Endpoints", [{name: endpoint[name] for name in _ENDPOINT_SUMMARY} for endpoint in page], token
        )

    def update_endpoint(self, caller: Caller, request: Request) -> Document:
        before = self._find(Kind.ENDPOINT, caller, request["EndpointName"])
        document = {
            **before,
            "EndpointConfigName": request["EndpointConfigName"],
            "ProductionVariants": self._variants(caller, request["EndpointConfigName"]),
            "LastModifiedTime": self._now(),
        }
        self._store.put(Kind.ENDPOINT, caller.place, request["EndpointName"].casefold(), document)
        return {"EndpointArn": document["EndpointArn"]}

    def delete_endpoint(self, caller: Caller, request: Request) -> Document:
        return self._delete(Kind.ENDPOINT, caller, request["EndpointName"])

    def _variants(self, caller: Caller, config_name: str) -> list[Document]:
        config = self._find(Kind.ENDPOINT_CONFIG, caller, config_name)
        return [
            {
                "VariantName": variant["VariantName"],
                "CurrentWeight": variant.get("InitialVariantWeight", 1.0),
                "DesiredWeight": variant.get("InitialVariantWeight", 1.0),
                "CurrentInstanceCount": variant.get("InitialInstanceCount", 1),
                "DesiredInstanceCount": variant.get("InitialInstanceCount", 1),
            }
            for variant in config["ProductionVariants"]
        ]

    def _create(self, kind: Kind, caller: Caller, word: str, document: dict[str, Any], request: Request) -> Document:
        name = document[f"{word}Name"]
        arn = caller.place.arn(kind, name.casefold())
        if self._store.get(kind, caller.place, name.casefold()):
            raise invalid(f'Cannot create already existing {kind} "{arn}".')
        with self._store.together():
            tags.write(self._store, caller.place, arn, request.get("Tags", []))
            self._store.put(kind, caller.place, name.casefold(), {**document, f"{word}Arn": arn})
        return {f"{word}Arn": arn}

    def _find(self, kind: Kind, caller: Caller, name: str) -> Document:
        record = self._store.get(kind, caller.place, name.casefold())
        if record is None:
            raise invalid(f'Could not find {kind} "{caller.place.arn(kind, name.casefold())}".')
        return record.document

    def _delete(self, kind: Kind, caller: Caller, name: str) -> Document:
        self._find(kind, caller, name)
        with self._store.together():
            tags.forget(self._store, caller.place, caller.place.arn(kind, name.casefold()))
            self._store.remove(kind, caller.place, name.casefold())
        return {}

    def _now(self) -> float:
        return round(self._clock.now().timestamp(), 3)
