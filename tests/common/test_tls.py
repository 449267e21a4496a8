"""Postgres by TLS, with a real certificate of a real authority: whoever is not shown the right one is not spoken to."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import pytest
from assent_common.clock import SystemClock
from assent_common.database import Database
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.refused import refusal

ASKS_FOR_TLS = bytes.fromhex("0000000804d2162f")


class Authority(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    file: Path


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return _authority(tmp_path_factory.mktemp("ours") / "ca.pem")


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return _authority(tmp_path_factory.mktemp("another") / "ca.pem")


@pytest.fixture
async def front(database_url: str, authority: Authority, tmp_path: Path) -> AsyncIterator[str]:
    """The database's URL behind TLS for `localhost`: the embedded Postgres is built without it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(authority, "localhost", tmp_path / "server.pem"))
    async with _behind(database_url, context, []) as url:
        yield url


@pytest.fixture
async def demanding(database_url: str, authority: Authority, tmp_path: Path) -> AsyncIterator[tuple[str, list[str]]]:
    """The same, for whoever shows a certificate of that authority; and the names of who did."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(authority, "localhost", tmp_path / "server.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    came: list[str] = []
    async with _behind(database_url, context, came) as url:
        yield url, came


@asynccontextmanager
async def _behind(database_url: str, context: ssl.SSLContext, came: list[str]) -> AsyncIterator[str]:
    behind = urlsplit(database_url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            assert await reader.readexactly(8) == ASKS_FOR_TLS
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(context)
            if shown := writer.get_extra_info("peercert"):
                came.append(dict(part for parts in shown["subject"] for part in parts)["commonName"])
            upstream, downstream = await asyncio.open_connection(behind.hostname, behind.port)
            await asyncio.gather(_pipe(reader, downstream), _pipe(upstream, writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    credentials = behind.netloc.rpartition("@")[0]
    yield urlunsplit(behind._replace(netloc=f"{credentials}@localhost:{port}"))
    server.close()


async def test_it_is_spoken_to_once_it_has_shown_who_it_is(front: str, authority: Authority) -> None:
    assert await refusal(f"{front}?sslmode=verify-full&sslrootcert={authority.file}") is None
    assert await refusal(f"{front}?sslmode=require") is None


async def test_a_certificate_of_another_authority_is_none(front: str, another: Authority) -> None:
    refused = await refusal(f"{front}?sslmode=verify-full&sslrootcert={another.file}")
    assert "CERTIFICATE_VERIFY_FAILED" in repr(refused)


async def test_a_server_that_asks_for_a_certificate_is_shown_the_one_of_now(
    demanding: tuple[str, list[str]], authority: Authority, another: Authority, tmp_path: Path
) -> None:
    front, came = demanding
    own = tmp_path / "own.pem"
    _certificate(authority, "catalog-api", own)
    for mode in ("verify-full", "verify-ca", "require"):
        trusting = f"{front}?sslmode={mode}&sslrootcert={authority.file}"
        assert await refusal(trusting) is not None, "it shows nothing"
        assert await refusal(f"{trusting}&sslcert={own}&sslkey={own}") is None
    assert came == ["catalog-api"] * 3
    database = Database(
        f"{front}?sslmode=verify-full&sslrootcert={authority.file}&sslcert={own}", service="tests", clock=SystemClock()
    )
    await database.ping()
    _certificate(authority, "after", own)
    await database.engine.dispose()
    await database.ping()
    assert came[3:] == ["catalog-api", "after"]
    _certificate(another, "a-stranger", own)
    await database.engine.dispose()
    with pytest.raises(Exception, match=r"(?i)unknown.ca|closed|reset|lost"):
        await database.ping()
    await database.close()


async def test_a_certificate_for_another_name_is_none(front: str, authority: Authority) -> None:
    elsewhere = front.replace("localhost", "127.0.0.1")
    refused = await refusal(f"{elsewhere}?sslmode=verify-full&sslrootcert={authority.file}")
    assert "CERTIFICATE_VERIFY_FAILED" in repr(refused)
    assert await refusal(f"{elsewhere}?sslmode=verify-ca&sslrootcert={authority.file}") is None


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_a_server_that_offers_no_tls_is_not_spoken_to_in_the_clear(database_url: str, mode: str) -> None:
    refused = await refusal(f"{database_url}?sslmode={mode}")
    assert "rejected SSL upgrade" in repr(refused)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    writer.close()


def _authority(file: Path) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of the tests")])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    made = (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return Authority(made, key, file)


def _certificate(authority: Authority, host: str, file: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    made = (
        _builder(name, authority.certificate.subject, key)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.fromtimestamp(SystemClock().now().timestamp(), UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
    )
