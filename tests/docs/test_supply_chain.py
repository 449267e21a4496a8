"""What Assent is made of is pinned by digest, and can be told."""

import json
import re
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from assent_local.ports import free_port

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


HOLE: dict[str, Any] = {
    "id": "GHSA-0000-0000-0000",
    "summary": "A hole of the tests",
    "modified": "2026-01-01T00:00:00Z",
    "affected": [{"package": {"name": "fastapi", "ecosystem": "PyPI"}, "versions": []}],
}


class _Knows(BaseHTTPRequestHandler):
    """The service that knows of holes, as far as it is asked: of one in the first library, or of none."""

    holes: ClassVar[bool] = False

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
        found = {"vulns": [{"id": HOLE["id"], "modified": HOLE["modified"]}]} if self.holes else {}
        self._say({"results": [found, *({} for _ in asked[1:])]})

    def do_GET(self) -> None:
        self._say(HOLE)

    def _say(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def knowing() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Knows)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_library_with_a_hole_fails_ci_and_no_way_to_ask_is_said(
    knowing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = _audited(knowing)
    assert (clean.returncode, "NOT AUDITED" in clean.stderr) == (0, False), clean
    monkeypatch.setattr(_Knows, "holes", True)
    found = _audited(knowing)
    assert found.returncode != 0
    assert str(HOLE["id"]) in found.stdout
    nowhere = _audited(f"http://127.0.0.1:{free_port()}")
    assert (nowhere.returncode, "NOT AUDITED" in nowhere.stderr) == (0, True), nowhere


def _audited(service: str) -> subprocess.CompletedProcess[str]:
    command = [str(REPOSITORY / ".ci/audit"), f"AUDIT=--service-url {service}"]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
