"""What serves models, to deployments: an endpoint's variants, inference components, batch transforms; and which model
versions each of them serves."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, Self

from assent_common.events.model import Json
from assent_common.events.registry import DeploymentObserved, ModelVersionObserved, Monitor, MonitorAlert

from assent_sagemaker import arns
from assent_sagemaker.mapping.documents import Container, Unmappable
from assent_sagemaker.mapping.serving import (
    Endpoint,
    EndpointConfig,
    InferenceComponent,
    Model,
    MonitoringSchedule,
    TransformJob,
)

BATCH_TRANSFORM = "/batch-transform"
"""How the urn of a model's batch transforms ends."""


class Versions:
    """Model versions by urn and by the address of their artifacts."""

    def __init__(self, artifacts: Mapping[str, Iterable[str]]) -> None:
        """`artifacts`: for each urn the addresses of the version's model data."""
        self._urns = {arns.key(urn): urn for urn in artifacts}
        self._by_address: defaultdict[str, set[str]] = defaultdict(set)
        for urn, addresses in artifacts.items():
            for address in addresses:
                self._by_address[address].add(urn)

    @classmethod
    def of(cls, versions: Iterable[ModelVersionObserved]) -> Self:
        return cls({version.urn: [artifact.uri for artifact in version.artifacts] for version in versions})

    def known_as(self, arn: str) -> str:
        """The urn as the registry spells it; as it came where no such version is known (yet)."""
        return self._urns.get(arns.key(arn), arn)

    def with_artifact(self, address: str) -> str | None:
        """The version whose artifact lies there; none where several share it, for then nobody can tell."""
        urns = self._by_address.get(address, set())
        return next(iter(urns)) if len(urns) == 1 else None


class Models:
    """The models of one account and region, and the schedules that watch what serves them; by name, whatever its case.
    One that serves may be deleted since, and so not be among them."""

    def __init__(self, models: Iterable[Model], schedules: Mapping[str, Sequence[MonitoringSchedule]]) -> None:
        """`schedules`: by the name of the model that they are shown beside."""
        self._models = {model.model_name.casefold(): model for model in models}
        self._beside = {name.casefold(): every for name, every in schedules.items()}
        self._schedules = {each.monitoring_schedule_arn: each for every in schedules.values() for each in every}

    def named(self, names: Iterable[str]) -> list[Model]:
        found = (self._models.get(name.casefold()) for name in names)
        return [model for model in found if model]

    def monitors_of(self, endpoint: str) -> list[Monitor]:
        """Of an endpoint, by its name."""
        return _monitors(
            s for s in self._schedules.values() if (s.endpoint_name or "").casefold() == endpoint.casefold()
        )

    def monitors_of_transforms(self, model: str) -> list[Monitor]:
        return _monitors(each for each in self._beside.get(model.casefold(), ()) if not each.endpoint_name)


class Origin(NamedTuple):
    """From where a model comes: the package that it was made from, or where its data lies."""

    package: str | None
    address: str | None


class Deployed(NamedTuple):
    observed: DeploymentObserved
    #: Where the data lies that it serves, of which nobody could tell the version.
    unmatched: list[str]


def part_of(urn: str) -> tuple[str, str]:
    """To what a deployment belongs: `endpoint`, `inference-component` or `model`, and its name."""
    arn = arns.Arn.parse(urn)
    return arn.kind, arn.path.partition("/")[0]


class Serving(Protocol):
    """Something that serves models."""

    @property
    def models(self) -> list[str]:
        """Their names."""

    def origins(self, models: Models) -> list[Origin]:
        """Raises Unmappable."""

    def deployments(self, models: Models, versions: Versions, source: str) -> list[Deployed]:
        """Raises Unmappable."""


class ServingEndpoint(NamedTuple):
    """One deployment for each production variant that has a model of its own, and for each shadow variant: what they
    are sent, they compute. A variant without one is a place for inference components."""

    endpoint: Endpoint
    config: EndpointConfig
    #: What it is being changed to: its models serve, too.
    pending: EndpointConfig | None = None

    @property
    def models(self) -> list[str]:
        return _once(name for names in self._by_variant().values() for name in names)

    def origins(self, models: Models) -> list[Origin]:
        return _origins(models.named(self.models), self._place())

    def deployments(self, models: Models, versions: Versions, source: str) -> list[Deployed]:
        endpoint, place = self.endpoint, self._place()
        weights = {each.variant_name: each.current_weight or 0.0 for each in endpoint.production_variants}
        whole = sum(weights.values())
        shadows = {variant.variant_name for variant in self.config.shadow_production_variants}
        deployed = []
        for variant, names in self._by_variant().items():
            is_shadow = variant in shadows
            observed = DeploymentObserved(
                urn=f"{endpoint.endpoint_arn}/variant/{variant}",
                source=source,
                kind="endpoint",
                name=endpoint.endpoint_name,
                variant=variant,
                endpoint=endpoint.endpoint_arn,
                models=names,
                status=endpoint.endpoint_status,
                weight=round(weights.get(variant, 0.0) / whole, 6) if whole and not is_shadow else None,
                shadow=is_shadow,
                monitors=models.monitors_of(endpoint.endpoint_name),
                created_at=endpoint.creation_time,
                modified_at=endpoint.last_modified_time,
                raw={
                    "Endpoint": endpoint.raw,
                    "EndpointConfig": self.config.raw,
                    **({"PendingEndpointConfig": self.pending.raw} if self.pending else {}),
                    "Models": [model.raw for model in models.named(names)],
                },
            )
            deployed.append(_matched(observed, _origins(models.named(names), place), versions))
        return deployed

    def _place(self) -> arns.Arn:
        return _parse("Endpoint.EndpointArn", self.endpoint.endpoint_arn)

    def _by_variant(self) -> dict[str, list[str]]:
        now, coming = _models_by_variant(self.config), _models_by_variant(self.pending) if self.pending else {}
        return {variant: _once((*names, *coming.get(variant, ()))) for variant, names in now.items()}


class ServingComponent(NamedTuple):
    component: InferenceComponent

    @property
    def models(self) -> list[str]:
        return _once(each.model_name for each in self.component.all_specifications if each.model_name)

    def origins(self, models: Models) -> list[Origin]:
        place = _parse("InferenceComponent.InferenceComponentArn", self.component.inference_component_arn)
        containers = (each.container for each in self.component.all_specifications if each.container)
        alone = [Origin(None, container.artifact_url) for container in containers if container.artifact_url]
        return _origins(models.named(self.models), place) + alone

    def deployments(self, models: Models, versions: Versions, source: str) -> list[Deployed]:
        component = self.component
        observed = DeploymentObserved(
            urn=component.inference_component_arn,
            source=source,
            kind="inference_component",
            name=component.inference_component_name,
            variant=component.variant_name,
            endpoint=component.endpoint_arn,
            models=self.models,
            status=component.inference_component_status,
            monitors=models.monitors_of(component.endpoint_name),
            created_at=component.creation_time,
            modified_at=component.last_modified_time,
            raw={
                "InferenceComponent": component.raw,
                "Models": [model.raw for model in models.named(self.models)],
            },
        )
        return [_matched(observed, self.origins(models), versions)]


class ServingTransforms(NamedTuple):
    """The batch transforms of a model are one deployment, told by the last of them. None where the model is gone: a job
    outlives it."""

    last: TransformJob

    @property
    def models(self) -> list[str]:
        return [self.last.model_name]

    def origins(self, models: Models) -> list[Origin]:
        place = _parse("TransformJob.TransformJobArn", self.last.transform_job_arn)
        return _origins(models.named(self.models), place)

    def deployments(self, models: Models, versions: Versions, source: str) -> list[Deployed]:
        job, origins = self.last, self.origins(models)
        return [
            _matched(
                DeploymentObserved(
                    urn=f"{model.model_arn}{BATCH_TRANSFORM}",
                    source=source,
                    kind="batch_transform",
                    name=job.transform_job_name,
                    models=[model.model_name],
                    status=job.transform_job_status,
                    monitors=models.monitors_of_transforms(model.model_name),
                    created_at=model.creation_time or job.creation_time,
                    modified_at=job.transform_end_time or job.creation_time,
                    raw={"TransformJob": _same_by_search(job.raw), "Models": [model.raw]},
                ),
                origins,
                versions,
            )
            for model in models.named(self.models)
        ]


def _matched(observed: DeploymentObserved, origins: Sequence[Origin], versions: Versions) -> Deployed:
    """By the packages that the models were made from; else by their artifacts. Never by the image: many share one."""
    served, matched_by = (
        _once(versions.known_as(origin.package) for origin in origins if origin.package),
        "model_package",
    )
    if not served:
        found = (versions.with_artifact(origin.address) for origin in origins if origin.address)
        served, matched_by = _once(urn for urn in found if urn), "artifact"
    if not served:
        return Deployed(observed, _once(origin.address for origin in origins if origin.address))
    told = {"model_version": served[0], "model_versions": served, "matched_by": matched_by}
    return Deployed(observed.model_copy(update=told), [])


def _origins(models: Iterable[Model], place: arns.Arn) -> list[Origin]:
    containers = (container for model in models for container in model.all_containers)
    found = (Origin(_package(container, place), container.address) for container in containers)
    return [origin for origin in found if origin.package or origin.address]


def _package(container: Container, place: arns.Arn) -> str | None:
    """The package's ARN: `ModelPackageName` is one, or a name (`churn/3`) in the model's own account."""
    name = container.model_package_name
    if not name:
        return None
    return name if name.startswith("arn:") else str(place.beside("model-package", name))


def _parse(what: str, arn: str) -> arns.Arn:
    try:
        return arns.Arn.parse(arn)
    except arns.NotAnArn as error:
        raise Unmappable(f"{what}: {error}") from error


def _models_by_variant(config: EndpointConfig) -> dict[str, list[str]]:
    every = (*config.production_variants, *config.shadow_production_variants)
    return {variant.variant_name: [variant.model_name] for variant in every if variant.model_name}


def _monitors(schedules: Iterable[MonitoringSchedule]) -> list[Monitor]:
    monitors = []
    for schedule in schedules:
        last = schedule.last_monitoring_execution_summary
        monitors.append(
            Monitor(
                urn=schedule.monitoring_schedule_arn,
                name=schedule.monitoring_schedule_name,
                type=schedule.monitoring_type,
                status=schedule.monitoring_schedule_status,
                last_execution_status=last.monitoring_execution_status if last else None,
                last_execution_at=last.scheduled_time if last else None,
                failure_reason=last.failure_reason if last else None,
                alerts=[
                    MonitorAlert(name=a.monitoring_alert_name, status=a.alert_status, changed_at=a.last_modified_time)
                    for a in schedule.monitoring_alert_summaries
                ],
            )
        )
    return sorted(monitors, key=lambda monitor: monitor.urn)


#: What Search and DescribeTransformJob both tell of a job.
_OF_A_JOB = (
    *("TransformJobName", "TransformJobArn", "TransformJobStatus", "FailureReason", "ModelName", "DataCaptureConfig"),
    *("TransformInput", "TransformOutput", "CreationTime", "TransformStartTime", "TransformEndTime"),
)


def _same_by_search(job: Json) -> Json:
    return {name: job[name] for name in _OF_A_JOB if name in job} if isinstance(job, dict) else job


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
