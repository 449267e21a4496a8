"""What serves: models, endpoint configurations and endpoints.

An endpoint is in service at once, but where its update is to be rolled out step by step: then the old and the new
configuration serve side by side until its wait is over.
"""

from collections.abc import Mapping
from typing import Any

from assent_common.clock import Clock

from assent_local.simulator import listing, tags
from assent_local.simulator.caller import Caller, Place
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
#: Of the traffic, until the wait is over.
_CANARY_SHARE = 0.1
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
            "UpdateEndpointWeightsAndCapacities": self.update_weights,
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
            **self._configured(caller, request["EndpointConfigName"]),
            "EndpointStatus": "InService",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        return self._create(Kind.ENDPOINT, caller, "Endpoint", document, request)

    def describe_endpoint(self, caller: Caller, request: Request) -> Document:
        self._end_rollouts(caller.place)
        return self._find(Kind.ENDPOINT, caller, request["EndpointName"])

    def list_endpoints(self, caller: Caller, request: Request) -> Document:
        self._end_rollouts(caller.place)

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
        before = self._at_rest(caller, request["EndpointName"])
        now = self._now()
        after = {**before, **self._configured(caller, request["EndpointConfigName"]), "LastModifiedTime": now}
        key = request["EndpointName"].casefold()
        wait_s = _wait_s(request)
        if wait_s:
            pending = {
                "EndpointConfigName": request["EndpointConfigName"],
                "ProductionVariants": _weighing(after["ProductionVariants"], _CANARY_SHARE),
                "StartTime": now,
            }
            rolling_out = {
                **before,
                "EndpointStatus": "Updating",
                "ProductionVariants": _weighing(before["ProductionVariants"], 1 - _CANARY_SHARE),
                "PendingDeploymentSummary": pending,
                "LastModifiedTime": now,
            }
            with self._store.together():
                self._store.put(Kind.ENDPOINT, caller.place, key, rolling_out)
                self._store.put(Kind.ROLLOUT, caller.place, key, {"after": after, "ends": now + wait_s})
        else:
            self._store.put(Kind.ENDPOINT, caller.place, key, after)
        return {"EndpointArn": after["EndpointArn"]}

    def update_weights(self, caller: Caller, request: Request) -> Document:
        before = self._at_rest(caller, request["EndpointName"])
        desired = {each["VariantName"]: each for each in request["DesiredWeightsAndCapacities"]}
        if unknown := desired.keys() - {variant["VariantName"] for variant in before["ProductionVariants"]}:
            raise invalid(f'The variant name(s) "{", ".join(sorted(unknown))}" could not be found.')
        variants = [
            _adjusted(variant, desired.get(variant["VariantName"], {})) for variant in before["ProductionVariants"]
        ]
        document = {**before, "ProductionVariants": variants, "LastModifiedTime": self._now()}
        self._store.put(Kind.ENDPOINT, caller.place, request["EndpointName"].casefold(), document)
        return {"EndpointArn": document["EndpointArn"]}

    def delete_endpoint(self, caller: Caller, request: Request) -> Document:
        key = request["EndpointName"].casefold()
        with self._store.together():
            self._delete(Kind.ENDPOINT, caller, request["EndpointName"])
            self._store.remove(Kind.ROLLOUT, caller.place, key)
            for name, record in list(self._store.all(Kind.INFERENCE_COMPONENT, caller.place).items()):
                if record.document["EndpointName"].casefold() == key:
                    self._store.remove(Kind.INFERENCE_COMPONENT, caller.place, name)
        return {}

    def _at_rest(self, caller: Caller, name: str) -> Document:
        self._end_rollouts(caller.place)
        endpoint = self._find(Kind.ENDPOINT, caller, name)
        if endpoint["EndpointStatus"] == "Updating":
            raise invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
        return endpoint

    def _end_rollouts(self, place: Place) -> None:
        now = self._now()
        for key, record in list(self._store.all(Kind.ROLLOUT, place).items()):
            if record.document["ends"] <= now:
                with self._store.together():
                    done = {**record.document["after"], "LastModifiedTime": now}
                    self._store.put(Kind.ENDPOINT, place, key, done)
                    self._store.remove(Kind.ROLLOUT, place, key)

    def _configured(self, caller: Caller, config_name: str) -> dict[str, Any]:
        config = self._find(Kind.ENDPOINT_CONFIG, caller, config_name)
        shadows = [_variant(variant) for variant in config.get("ShadowProductionVariants", [])]
        return {
            "EndpointConfigName": config_name,
            "ProductionVariants": [_variant(variant) for variant in config["ProductionVariants"]],
            **({"ShadowProductionVariants": shadows} if shadows else {}),
        }

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


def _variant(configured: Document) -> dict[str, Any]:
    weight, count = configured.get("InitialVariantWeight", 1.0), configured.get("InitialInstanceCount", 1)
    return {
        "VariantName": configured["VariantName"],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
    }


def _weighing(variants: list[Document], share: float) -> list[Document]:
    return [{**variant, "CurrentWeight": round(variant["CurrentWeight"] * share, 6)} for variant in variants]


def _adjusted(variant: Document, desired: Document) -> Document:
    weight = desired.get("DesiredWeight", variant["DesiredWeight"])
    count = desired.get("DesiredInstanceCount", variant["DesiredInstanceCount"])
    return {
        **variant,
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
    }


def _wait_s(request: Request) -> int:
    """For how long a new configuration is to serve beside the old one."""
    policy = request.get("DeploymentConfig", {}).get("BlueGreenUpdatePolicy", {})
    routing = policy.get("TrafficRoutingConfiguration", {"Type": "ALL_AT_ONCE"})
    return 0 if routing["Type"] == "ALL_AT_ONCE" else int(routing["WaitIntervalInSeconds"])
