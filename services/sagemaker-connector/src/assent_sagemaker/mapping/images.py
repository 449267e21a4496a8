"""What a container image's address tells: `…/sagemaker-xgboost:1.7-1-cpu-py3` is XGBoost 1.7."""

from dataclasses import dataclass

from assent_sagemaker.mapping.rules import rules


@dataclass(frozen=True, slots=True)
class Told:
    framework: str | None = None
    framework_version: str | None = None
    algorithm: str | None = None
    type: str | None = None


def told_by(image: str) -> Told:
    """Nothing for an image of nobody's convention; a version only where the tag begins with one."""
    address, _, _digest = image.partition("@")
    last = address.rpartition("/")[2]
    repository, _, tag = last.partition(":")
    for rule in rules().images:
        if rule.repository.fullmatch(repository.lower()):
            version = rule.tag.match(tag)
            return Told(
                rule.framework,
                version["version"] if version and rule.framework else None,
                rule.algorithm,
                rule.type,
            )
    return Told()


def digest_of(image: str) -> str | None:
    """The digest in the address itself (`…@sha256:…`)."""
    _, _, digest = image.partition("@")
    return digest or None
