"""Type, framework and algorithm of a model package: no field of SageMaker's says them, so several are asked in turn."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from assent_sagemaker.mapping import cards
from assent_sagemaker.mapping.documents import Container, ModelPackage
from assent_sagemaker.mapping.images import Told, told_by
from assent_sagemaker.mapping.rules import rules, snake, squash


@dataclass(frozen=True, slots=True)
class Traits:
    type: str | None
    framework: str | None
    framework_version: str | None
    algorithm: str | None


def traits(package: ModelPackage, problem_kind: str | None) -> Traits:
    """`problem_kind` is what the metrics reports tell by their sections."""
    card = cards.overview(package)
    images = [told_by(container.image) for container in package.containers if container.image]
    framework, version = _framework(package, images)
    return Traits(
        type=_type(package, card, images, problem_kind),
        framework=framework,
        framework_version=version,
        algorithm=_algorithm(package, card, images),
    )


def _type(package: ModelPackage, card: Mapping[str, str], images: list[Told], problem_kind: str | None) -> str | None:
    table = rules().types
    words = (
        *_properties(package, table.properties),
        card.get("problem_type"),
        package.task,
        problem_kind,
        *(image.type for image in images),
    )
    told = next((word for word in words if word and snake(word) not in table.silent and snake(word)), None)
    if told is None:
        return table.domains.get(squash(package.domain)) if package.domain else None
    kind = table.words.get(squash(told), snake(told))
    return problem_kind if problem_kind in table.refinements.get(kind, ()) else kind


def _framework(package: ModelPackage, images: list[Told]) -> tuple[str | None, str | None]:
    table = rules().frameworks
    said = next((container for container in package.containers if container.framework), None)
    shown = next((image for image in images if image.framework), Told())
    declared = next(_properties(package, table.properties), None)
    word = (said and said.framework) or shown.framework or declared
    if word is None:
        return None, None
    framework = table.words.get(squash(word), snake(word))
    version = said.framework_version if said else None
    if version is None and shown.framework == framework:
        version = shown.framework_version
    return framework, version or next(_properties(package, table.version_properties), None)


def _algorithm(package: ModelPackage, card: Mapping[str, str], images: list[Told]) -> str | None:
    source = package.source_algorithm_specification
    words = (
        *_properties(package, rules().algorithms.properties),
        card.get("algorithm_type"),
        *(image.algorithm for image in images),
        *(algorithm.algorithm_name.rpartition("/")[2] for algorithm in (source.source_algorithms if source else ())),
        *(name for container in package.containers if (name := _base(container))),
    )
    return next((word for word in words if word), None)


def _base(container: Container) -> str | None:
    hub = container.base_model.hub_content_name if container.base_model else None
    return container.nearest_model_name or hub


def _properties(package: ModelPackage, keys: Iterable[str]) -> Iterator[str]:
    by_key = {squash(key): value for key, value in sorted(package.customer_metadata_properties.items())}
    return (by_key[squash(key)] for key in keys if by_key.get(squash(key), "").strip())
