"""The certificates of the Compose file, as its script makes them."""

import ipaddress
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

CONTAINERS = ["catalog-api", "grafana", "kafka", "postgres", "prometheus", "sagemaker-connector", "workflow"]


def test_every_container_has_one_and_the_authority_has_no_key(compose: dict[str, Any], certificates: Path) -> None:
    assert sorted(compose["services"]) == CONTAINERS
    assert sorted(file.name for file in certificates.iterdir()) == sorted(
        ["ca.pem", *(f"{name}.pem" for name in CONTAINERS)]
    )
    assert b"PRIVATE" not in (certificates / "ca.pem").read_bytes()
    keys = {_key(certificates / f"{name}.pem").private_numbers().private_value for name in CONTAINERS}
    assert len(keys) == len(CONTAINERS)


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_certificate_is_good_for_its_container_and_this_machine_and_for_no_other(
    certificates: Path, container: str
) -> None:
    shown = _certificate(certificates / f"{container}.pem")
    for good in (container, "localhost", "127.0.0.1"):
        assert _trusts(certificates, good, shown)
    for bad in {*CONTAINERS, "example.com", "192.0.2.1"} - {container}:
        assert not _trusts(certificates, bad, shown)
    key = _key(certificates / f"{container}.pem")
    assert key.public_key() == shown.public_key()
    assert isinstance(key.curve, ec.SECP256R1)


@pytest.mark.parametrize("container", CONTAINERS)
def test_who_has_a_certificate_is_no_client_and_vouches_for_nobody(certificates: Path, container: str) -> None:
    extensions = _certificate(certificates / f"{container}.pem").extensions
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    authority = _certificate(certificates / "ca.pem").extensions.get_extension_for_class(x509.BasicConstraints)
    assert authority.critical
    assert (authority.value.ca, authority.value.path_length) == (True, 0)


def test_nobody_else_gets_into_the_folder_and_every_container_reads_what_it_is_given(certificates: Path) -> None:
    assert certificates.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in certificates.iterdir()} == {0o644}


def test_it_says_until_when_they_are_good(repository: Path, tmp_path: Path) -> None:
    made = _made(repository, tmp_path / "certificates")
    assert made.returncode == 0, made.stderr
    authority = _certificate(tmp_path / "certificates/ca.pem")
    assert f"good until {authority.not_valid_after_utc:%b %e %H:%M:%S %Y}" in made.stdout
    assert authority.not_valid_after_utc - authority.not_valid_before_utc == timedelta(days=825)


def test_none_is_overwritten(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    _made(repository, folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    again = _made(repository, folder)
    assert (again.returncode, again.stdout) == (1, "")
    assert "is there already" in again.stderr
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize("command", ["genpkey", "req", "x509"])
def test_what_fails_half_way_leaves_nothing_and_says_why(repository: Path, tmp_path: Path, command: str) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    openssl = programs / "openssl"
    openssl.write_text(
        f'#!/bin/sh\n[ "$1" = {command} ] && {{ echo "no luck" >&2; exit 1; }}\nexec {shutil.which("openssl")} "$@"\n'
    )
    openssl.chmod(0o755)
    made = _made(repository, tmp_path / "certificates", path=f"{programs}:/usr/bin:/bin")
    assert (made.returncode, made.stdout) == (1, "")
    assert "no luck" in made.stderr
    assert list(tmp_path.iterdir()) == [programs]


def test_they_get_into_no_commit_and_no_image(repository: Path) -> None:
    assert "deploy/compose/certificates*/" in (repository / ".gitignore").read_text().splitlines()
    ignored = [line for line in (repository / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignored[0] == "*"
    assert [line for line in ignored if line.startswith("!deploy")] == ["!deploy/local"]


def _made(repository: Path, folder: Path, path: str = "/usr/bin:/bin") -> subprocess.CompletedProcess[str]:
    script = repository / "deploy/compose/new-certificates.sh"
    return subprocess.run(
        ["sh", str(script), str(folder)], env={"PATH": path}, capture_output=True, text=True, check=False
    )


def _certificate(file: Path) -> x509.Certificate:
    (made,) = x509.load_pem_x509_certificates(file.read_bytes())
    return made


def _key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(file.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _trusts(certificates: Path, host: str, shown: x509.Certificate) -> bool:
    name = x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    store = verification.Store([_certificate(certificates / "ca.pem")])
    try:
        verification.PolicyBuilder().store(store).build_server_verifier(name).verify(shown, [])
    except verification.VerificationError:
        return False
    return True
