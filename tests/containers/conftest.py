"""The container files, read once."""

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
