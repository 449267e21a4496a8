"""By which names a caller may ask: pure. Digests are compared, not spelled: `sha256:AB…`, `"ab…"` and `ab…` are one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Question:
    """What is to be deployed, what for and where. At least one of the first three is given."""

    model_version: str | None = None
    artifact_digest: str | None = None
    image: str | None = None
    use_case: str | None = None
    environment: str | None = None

    def named(self) -> str:
        """What was asked about, in words."""
        names = {
            "model version": self.model_version,
            "artifact": self.artifact_digest,
            "image": self.image,
        }
        return ", ".join(f"{kind} {name}" for kind, name in names.items() if name is not None)


def plain(digest: str) -> str:
    """A digest without prefix and quotes."""
    return digest.strip().strip('"').lower().removeprefix("sha256:")


def spellings(digest: str) -> list[str]:
    """As what a registry may have written it down."""
    bare = plain(digest)
    return [bare, f"sha256:{bare}", f'"{bare}"']


def image_digest(image: str) -> str | None:
    """Of `repository@sha256:…` or `sha256:…`; None for a name with a tag."""
    _, separator, digest = image.rpartition("sha256:")
    return f"sha256:{digest.lower()}" if separator else None


def mismatches(question: Question, known: Mapping[str, Any]) -> Iterator[str]:
    """Where the caller would deploy something else than this version, or nobody can tell that he would not.

    Known is of the version: `artifacts`, `image`, `image_digest`, and the `images` of all its containers.
    """
    if question.artifact_digest is not None:
        judged = sorted({plain(artifact["digest"]) for artifact in known.get("artifacts") or [] if artifact["digest"]})
        if not judged:
            yield "no digest of its artifacts is known here: nobody can tell whether yours is the one that was judged"
        elif plain(question.artifact_digest) not in judged:
            yield f"the artifact {question.artifact_digest} is not the one that was judged ({', '.join(judged)})"
    if question.image is not None:
        images = set(_images(known))
        given = image_digest(question.image)
        if given is not None:
            images = {digest for image in images if (digest := image_digest(image)) is not None}
        if (given or question.image) not in images:
            said = ", ".join(sorted(images)) or "no digest of it is known here"
            yield f"the image {question.image} is not the one that was judged ({said})"


def _images(known: Mapping[str, Any]) -> Iterator[str]:
    containers = known.get("images")
    named = [known.get("image"), known.get("image_digest")]
    for container in containers.values() if isinstance(containers, Mapping) else ():
        if isinstance(container, Mapping):
            named += [container.get("Image"), container.get("ImageDigest")]
    yield from (name for name in named if isinstance(name, str))
