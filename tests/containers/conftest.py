"""The container files, read once."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.containers import dockerfile

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def stages() -> dockerfile.Stages:
    return dockerfile.parse((REPOSITORY / "deploy/Dockerfile").read_text())


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    return made


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those that the script makes."""
    folder = tmp_path_factory.mktemp("compose") / "certificates"
    script = REPOSITORY / "deploy/compose/new-certificates.sh"
    subprocess.run(["sh", str(script), str(folder)], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True)
    return folder
