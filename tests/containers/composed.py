"""Reads of the Compose file what an engine would do with it: what variables stand for, and what is where inside."""

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

VARIABLE = re.compile(r"\$\{(\w+)(?::([-+?])([^}]*))?\}")
CERTIFICATES = "./deploy/compose/certificates"
Compose = dict[str, Any]
METRICS_TOKEN = "to-read-metrics"
#: What somebody filled in.
TOLD = {
    **{f"{name}_DATABASE_PASSWORD": f"{name}-works" for name in ("CATALOG_API", "WORKFLOW", "SAGEMAKER_CONNECTOR")},
    **{f"{name}_OWNER_PASSWORD": f"{name}-owns" for name in ("CATALOG_API", "WORKFLOW", "SAGEMAKER_CONNECTOR")},
    "POSTGRES_PASSWORD": "of-the-superuser",
    "ASSENT_OIDC_ISSUER": "https://issuer.invalid",
    "ASSENT_SIGNING_KEY": "5e" * 32,
    "ASSENT_METRICS_TOKEN_SHA256": sha256(METRICS_TOKEN.encode()).hexdigest(),
    "AWS_REGION": "eu-central-1",
}


def filled_in(text: str, told: Mapping[str, str]) -> str:
    """With what `.env` says in place of the variables."""

    def of(found: re.Match[str]) -> str:
        name, sign, other = found.groups()
        said = told.get(name, "")
        assert said or sign != "?", f"{name} is asked for: {other}"
        return {"-": said or other, "+": other if said else ""}.get(sign, said)

    return VARIABLE.sub(of, text).replace("$$", "$")


def environment(compose: Compose, container: str, told: Mapping[str, str]) -> dict[str, str]:
    """Without what has no value of its own: an engine hands on what its own environment has."""
    given: dict[str, Any] = compose["services"][container]["environment"]
    return {name: filled_in(str(value), told) for name, value in given.items() if value is not None}


def mounts(compose: Compose, container: str) -> dict[str, str]:
    """What is mounted from this machine, by where it is inside."""
    found: dict[str, str] = {}
    for mount in compose["services"][container]["volumes"]:
        if isinstance(mount, dict):
            found[mount["target"]] = mount["source"]
        elif not mount.startswith("${"):
            source, target = mount.split(":")[:2]
            found |= {target: source} if source.startswith("./") else {}
    return found


class Here:
    """The files of a container where they are on this machine, with certificates that were made elsewhere."""

    def __init__(self, repository: Path, certificates: Path, told: Mapping[str, str]) -> None:
        self._repository = repository
        self._certificates = certificates
        self._told = told

    def put(self, text: str, compose: Compose, container: str) -> str:
        """A path of the container, or what names some, as it is to be said here."""
        for target, source in mounts(compose, container).items():
            text = text.replace(target, str(self._path(filled_in(source, self._told))))
        return text

    def _path(self, source: str) -> Path:
        if source.startswith(CERTIFICATES):
            return self._certificates / Path(source).name
        return self._repository / source
