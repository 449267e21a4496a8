"""An endpoint's production variants to deployments, and which model version each of them serves."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Self

from assent_common.events.registry import DeploymentObserved, ModelVersionObserved

from assent_sagemaker import arns
from assent_sagemaker.mapping.documents import Container, Endpoint, EndpointConfig, Model, Unmappable


class Versions:
    """The model versions of a source by urn and by the address of their artifacts."""

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


def deployments(
    endpoint: Endpoint,
    config: EndpointConfig,
    models: Mapping[str, Model],
    versions: Versions,
    *,
    source: str,
) -> list[DeploymentObserved]:
    """One for each production variant, shadow variants included: what they are sent, they compute.

    A variant whose model is not among `models` (deleted since, or brought by inference components) serves no version
    that could be told. Raises Unmappable.
    """
    try:
        arn = arns.Arn.parse(endpoint.endpoint_arn)
    except arns.NotAnArn as error:
        raise Unmappable(f"Endpoint.EndpointArn: {error}") from error
    observed = []
    for variant in (*config.production_variants, *config.shadow_production_variants):
        model = models.get(variant.model_name) if variant.model_name else None
        observed.append(
            DeploymentObserved(
                urn=f"{endpoint.endpoint_arn}/variant/{variant.variant_name}",
                source=source,
                kind="endpoint",
                name=endpoint.endpoint_name,
                variant=variant.variant_name,
                model_version=_served(model, versions, arn) if model else None,
                status=endpoint.endpoint_status,
                created_at=endpoint.creation_time,
                modified_at=endpoint.last_modified_time,
                raw={
                    "Endpoint": endpoint.raw,
                    "EndpointConfig": config.raw,
                    "Model": model.raw if model else None,
                },
            )
        )
    return observed


def _served(model: Model, versions: Versions, endpoint: arns.Arn) -> str | None:
    """By the package that the model was made from; else by its artifact. Never by the image: many share one."""
    containers = model.all_containers
    named = (_package(container, endpoint) for container in containers)
    if package := next((arn for arn in named if arn), None):
        return versions.known_as(package)
    found = {urn for c in containers if c.address and (urn := versions.with_artifact(c.address))}
    return found.pop() if len(found) == 1 else None


def _package(container: Container, endpoint: arns.Arn) -> str | None:
    """The package's ARN: `ModelPackageName` is one, or a name (`churn/3`) in the endpoint's own account."""
    name = container.model_package_name
    if not name:
        return None
    return name if name.startswith("arn:") else str(endpoint.beside("model-package", name))
