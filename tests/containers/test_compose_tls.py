"""What the Compose file says of TLS: who shows which certificate, and whom each trusts."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from assent_local import up as runner

from tests.containers import composed
from tests.containers.composed import CERTIFICATES, TOLD, Compose

OURS = sorted(runner.SERVICES)
WATCHING = ["grafana", "prometheus"]
ALL = [*OURS, "postgres", "kafka", *WATCHING]


@pytest.mark.parametrize("container", ALL)
def test_a_container_has_its_own_key_and_no_other(compose: Compose, container: str) -> None:
    mounts = composed.mounts(compose, container)
    held = {target: source for target, source in mounts.items() if source.startswith(CERTIFICATES)}
    assert held.pop("/etc/assent/tls.pem") == f"{CERTIFICATES}/{container}.pem"
    assert set(held.values()) <= {f"{CERTIFICATES}/ca.pem"}
    assert not [source for source in mounts.values() if source.rstrip("/") in (CERTIFICATES, "./deploy/compose", ".")]


@pytest.mark.parametrize("container", ALL)
def test_without_certificates_nothing_starts_and_no_folder_is_made_of_their_name(
    compose: Compose, container: str
) -> None:
    mounts = [mount for mount in compose["services"][container]["volumes"] if CERTIFICATES in str(mount)]
    assert mounts
    for mount in mounts:
        assert (mount["type"], mount["read_only"]) == ("bind", True)
        assert mount["bind"] == {"create_host_path": False}


def test_no_address_is_plain(repository: Path) -> None:
    files = ["docker-compose.yml", "deploy/prometheus/prometheus.yaml", "deploy/prometheus/promtool.yaml"]
    sources = sorted((repository / "deploy/grafana/provisioning").rglob("*.yaml"))
    assert len(sources) == 2
    for file in (*(repository / each for each in files), *sources):
        assert "http://" not in file.read_text(), file


@pytest.mark.parametrize("setting", ["ASSENT_DATABASE_URL", "ASSENT_DATABASE_OWNER_URL"])
@pytest.mark.parametrize("service", OURS)
def test_postgres_must_show_who_it_is(compose: Compose, service: str, setting: str) -> None:
    said = parse_qs(urlsplit(composed.environment(compose, service, TOLD)[setting]).query)
    assert said == {"sslmode": ["verify-full"], "sslrootcert": ["/etc/assent/ca.pem"]}


@pytest.mark.parametrize("service", OURS)
def test_services_and_kafka_must_show_who_they_are(compose: Compose, service: str) -> None:
    told = composed.environment(compose, service, TOLD)
    assert told["ASSENT_KAFKA_SECURITY_PROTOCOL"] == "SSL"
    assert told["ASSENT_CONNECTOR_URL"].startswith("https://")
    mounts = composed.mounts(compose, service)
    for trusted in ("ASSENT_KAFKA_SSL_CAFILE", "ASSENT_SERVICES_CAFILE"):
        assert composed.filled_in(mounts[told[trusted]], TOLD) == f"{CERTIFICATES}/ca.pem"
    assert mounts[told["ASSENT_TLS_CERTFILE"]] == f"{CERTIFICATES}/{service}.pem"


def test_another_kafka_is_reached_as_it_wants_it(compose: Compose) -> None:
    another = {
        **TOLD,
        "ASSENT_KAFKA_BOOTSTRAP_SERVERS": "b-1.example.com:9096",
        "ASSENT_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "ASSENT_KAFKA_CA_FILE": "./kafka-ca.pem",
        "ASSENT_KAFKA_SASL_USERNAME": "assent",
    }
    for service in OURS:
        told = composed.environment(compose, service, another)
        assert told["ASSENT_KAFKA_BOOTSTRAP_SERVERS"] == "b-1.example.com:9096"
        assert told["ASSENT_KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
        assert told["ASSENT_KAFKA_SASL_USERNAME"] == "assent"
        trusted = composed.mounts(compose, service)[told["ASSENT_KAFKA_SSL_CAFILE"]]
        assert composed.filled_in(trusted, another) == "./kafka-ca.pem"


def test_what_is_plain_never_leaves_its_container(compose: Compose) -> None:
    """Kafka's controller: asked by the broker in the same process."""
    told = composed.environment(compose, "kafka", TOLD)
    speaks = dict(pair.split(":") for pair in told["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert speaks == {"BROKER": "SSL", "CONTROLLER": "PLAINTEXT"}
    listens = dict(each.split("://") for each in told["KAFKA_LISTENERS"].split(","))
    assert listens == {"BROKER": ":9092", "CONTROLLER": "localhost:9093"}
    # The image wants a keystore of another kind where it finds this.
    assert "SSL://" not in told["KAFKA_ADVERTISED_LISTENERS"]


def test_what_watches_asks_and_is_asked_by_tls(repository: Path, compose: Compose) -> None:
    folder = repository / "deploy/prometheus"
    trusted, own = "/etc/assent/ca.pem", "/etc/assent/tls.pem"
    scrapes = yaml.safe_load((folder / "prometheus.yaml").read_text())["scrape_configs"]
    assert len(scrapes) == len(OURS)
    for scrape in scrapes:
        assert (scrape["scheme"], scrape["tls_config"]) == ("https", {"ca_file": trusted})
        # By a name that is in the certificate.
        assert [target.split(":")[0] for each in scrape["static_configs"] for target in each["targets"]] == [
            scrape["job_name"]
        ]
    prometheus, grafana = (compose["services"][name] for name in reversed(WATCHING))
    assert "--web.config.file=/etc/prometheus/web.yaml" in prometheus["command"]
    shown = yaml.safe_load((folder / "web.yaml").read_text())["tls_server_config"]
    assert shown == {"cert_file": own, "key_file": own}
    assert "--http.config.file=/etc/prometheus/promtool.yaml" in prometheus["healthcheck"]["test"]
    assert yaml.safe_load((folder / "promtool.yaml").read_text()) == {"tls_config": {"ca_file": trusted}}
    (source,) = yaml.safe_load((repository / "deploy/grafana/provisioning/datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    assert source["url"] == "https://prometheus:9090"
    assert source["jsonData"] == {"tlsAuthWithCACert": True}
    assert source["secureJsonData"] == {"tlsCACert": f"$__file{{{trusted}}}"}
    told = grafana["environment"]
    assert told["GF_SERVER_PROTOCOL"] == "https"
    assert told["GF_SERVER_CERT_FILE"] == told["GF_SERVER_CERT_KEY"] == own
