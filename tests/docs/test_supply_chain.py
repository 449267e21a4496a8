"""What Assent is made of is pinned by digest, and can be told."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.docs.snippets import REPOSITORY

UV = REPOSITORY / ".venv/bin/uv"
OURS = "assent"


@pytest.fixture(scope="module")
def sbom(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("sbom") / "sbom.json"
    _run("make", "--silent", "sbom", f"SBOM={file}")
    made: dict[str, Any] = json.loads(file.read_text())
    return made


def test_every_file_of_every_library_is_locked_by_its_digest() -> None:
    locked = tomllib.loads((REPOSITORY / "uv.lock").read_text())["package"]
    strange = [package for package in locked if "registry" in package["source"]]
    assert len(strange) > 100
    for package in strange:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files, package["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]
    # Nothing comes from a repository, a URL or a folder but our own parts.
    assert {package["name"].split("-")[0] for package in locked if "registry" not in package["source"]} == {OURS}


def test_the_sbom_has_every_library_that_is_shipped_and_no_other(sbom: dict[str, Any]) -> None:
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.5")
    told = {(each["name"], each["version"]) for each in sbom["components"] if not each["name"].startswith(OURS)}
    exported = _run(
        *(str(UV), "export", "--quiet", "--locked", "--no-dev", "--all-packages", "--no-hashes"),
        *("--format", "requirements.txt", "--no-emit-workspace"),
    )
    shipped = set(re.findall(r"^([\w.-]+)==([^\s;]+)", exported, re.MULTILINE))
    assert len(shipped) > 50
    assert told == shipped
    assert {"fastapi", "asyncpg", "joserfc"} <= {name for name, _ in told}
    assert "pytest" not in {name for name, _ in told}


def test_each_part_of_the_sbom_says_where_it_is_from_and_its_digest(sbom: dict[str, Any]) -> None:
    parts = [each for each in sbom["components"] if not each["name"].startswith(OURS)]
    assert parts
    for part in parts:
        assert part["purl"].startswith(f"pkg:pypi/{part['name']}@")
        digests = [digest["alg"] for file in part["externalReferences"] for digest in file.get("hashes", [])]
        assert digests, part["name"]
        assert set(digests) == {"SHA-256"}


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
