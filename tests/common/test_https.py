"""A service that serves TLS itself, by a certificate of the company's own authority, and whoever asks it."""

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from assent_common import http_client, probe
from assent_common.certificate import Certificate
from assent_common.settings import Settings
from assent_local.ports import free_port
from pydantic import ValidationError

from tests.common import world
from tests.support import certificates
from tests.support.certificates import Files
from tests.support.wait import until


async def test_services_ask_each_other_by_a_certificate_of_the_companys_own_authority(
    settings: Settings, tmp_path: Path
) -> None:
    ours, another = certificates.authority(tmp_path), certificates.authority(_folder(tmp_path / "another"))
    files = certificates.of("localhost", ours, tmp_path)
    port = free_port()
    told = {
        "ASSENT_PORT": str(port),
        "ASSENT_TLS_CERTFILE": str(files.certificate),
        "ASSENT_TLS_KEYFILE": str(files.key),
    }
    process = await world.a_process("service_process", settings, log=None, **told)
    try:
        async with http_client.create(str(ours.file)) as trusting:
            await until(lambda: _ready(trusting, port), within_s=60)
            answer = await trusting.get(f"https://localhost:{port}/health/live")
            assert answer.headers["strict-transport-security"].startswith("max-age=")
            # Another name than the certificate's.
            assert "CERTIFICATE_VERIFY_FAILED" in await _refusal(trusting, f"https://127.0.0.1:{port}")
            with pytest.raises(httpx.TransportError):
                await trusting.get(f"http://localhost:{port}/health/live")
        for authority in (None, str(another.file)):
            async with http_client.create(authority) as stranger:
                assert "CERTIFICATE_VERIFY_FAILED" in await _refusal(stranger, f"https://localhost:{port}")
        async with http_client.among_ourselves(str(ours.file)) as trusting:
            assert await _ready(trusting, port)
        async with http_client.among_ourselves(str(another.file)) as stranger:
            assert "CERTIFICATE_VERIFY_FAILED" in await _refusal(stranger, f"https://localhost:{port}")
        assert await asyncio.to_thread(probe.healthy, port, "ready", tls=True)
        assert not await asyncio.to_thread(probe.healthy, port, "ready")
    finally:
        process.terminate()
        assert await process.wait() == 0


async def test_among_themselves_services_trust_the_authority_that_is_named_and_no_public_one(tmp_path: Path) -> None:
    """By a certificate that everybody else would take."""
    ours, public = certificates.authority(tmp_path), certificates.authority(_folder(tmp_path / "public"))
    files = certificates.of("localhost", public, tmp_path)
    anybodys = ssl.create_default_context(cafile=public.file)
    with pytest.MonkeyPatch.context() as patched:
        # In place of those that the system and httpx bring.
        patched.setenv("SSL_CERT_FILE", str(public.file))
        async with _server(Certificate(str(files.certificate), str(files.key))) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=anybodys, server_hostname="localhost")
            writer.close()
            async with http_client.among_ourselves(str(ours.file)) as strict, http_client.create() as lenient:
                assert "CERTIFICATE_VERIFY_FAILED" in await _refusal(strict, f"https://localhost:{port}")
                with pytest.raises(httpx.TransportError) as let_in:
                    await lenient.get(f"https://localhost:{port}/health/live")
                assert "CERTIFICATE" not in str(let_in.value), "nothing is answered, and that is all"


async def test_a_certificate_that_was_replaced_is_shown_to_who_comes_next(tmp_path: Path) -> None:
    before, after = (certificates.authority(_folder(tmp_path / name)) for name in ("before", "after"))
    shown = certificates.of("localhost", before, tmp_path)
    new = certificates.of("localhost", after, _folder(tmp_path / "new"))
    certificate = Certificate(str(shown.certificate), str(shown.key))
    async with _server(certificate) as port:
        assert await _is_trusted(port, before.file)
        certificate.look()
        assert await _is_trusted(port, before.file)
        # The one without the other, or neither, is not shown: the one before is.
        _replace(new.certificate, shown.certificate, at=1)
        certificate.look()
        assert await _is_trusted(port, before.file)
        shown.key.unlink()
        certificate.look()
        assert await _is_trusted(port, before.file)
        _replace(new.key, shown.key, at=2)
        certificate.look()
        assert await _is_trusted(port, after.file)
        assert not await _is_trusted(port, before.file)


async def test_no_tls_is_spoken_that_is_older_than_1_2(tmp_path: Path) -> None:
    authority = certificates.authority(tmp_path)
    files = certificates.of("localhost", authority, tmp_path)
    certificate = Certificate(str(files.certificate), str(files.key))
    assert certificate.context.minimum_version is ssl.TLSVersion.TLSv1_2
    async with _server(certificate) as port:
        for version, taken in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)):
            assert await _is_trusted(port, authority.file, version) is taken


def test_no_cipher_is_offered_that_is_weak_or_without_forward_secrecy(tmp_path: Path) -> None:
    files = certificates.of("localhost", certificates.authority(tmp_path), tmp_path)
    ciphers = Certificate(str(files.certificate), str(files.key)).context.get_ciphers()
    assert len(ciphers) >= 6
    # Of TLS 1.3 the key exchange is not the cipher's to say, and always has it.
    kept = {each["name"] for each in ciphers if each["protocol"] == "TLSv1.3" or each["kea"] == "kx-ecdhe"}
    assert kept == {each["name"] for each in ciphers if each["aead"] and each["strength_bits"] >= 128}
    assert len(kept) == len(ciphers)


def test_what_cannot_be_shown_ends_a_service_when_it_starts(tmp_path: Path) -> None:
    authority = certificates.authority(tmp_path)
    one, other = (certificates.of(host, authority, tmp_path) for host in ("one", "other"))
    wrong = [
        Files(tmp_path / "nothing", one.key),
        Files(one.certificate, tmp_path / "nothing"),
        Files(one.certificate, other.key),
        Files(one.key, one.key),
        Files(one.certificate, one.certificate),
    ]
    for files in wrong:
        with pytest.raises(ValidationError, match="tls_certfile"):
            _settings(tls_certfile=str(files.certificate), tls_keyfile=str(files.key))
    with pytest.raises(ValidationError, match="outgoing_cafile"):
        _settings(outgoing_cafile=str(one.key))
    whole = tmp_path / "whole.pem"
    whole.write_bytes(one.key.read_bytes() + one.certificate.read_bytes())
    assert _settings(tls_certfile=str(whole)).tls_keyfile is None


def _settings(**told: str) -> Settings:
    return Settings.model_validate({"database_url": "postgresql://host/db", **told})


@asynccontextmanager
async def _server(certificate: Certificate) -> AsyncIterator[int]:
    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0, ssl=certificate.context) as server:
        yield server.sockets[0].getsockname()[1]


async def _is_trusted(port: int, authority: Path, version: ssl.TLSVersion | None = None) -> bool:
    context = ssl.create_default_context(cafile=authority)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    except ssl.SSLCertVerificationError:
        return False
    writer.close()
    return True


async def _ready(client: httpx.AsyncClient, port: int) -> bool:
    try:
        return bool((await client.get(f"https://localhost:{port}/health/ready")).status_code == 200)
    except httpx.TransportError:
        return False


async def _refusal(client: httpx.AsyncClient, url: str) -> str:
    with pytest.raises(httpx.ConnectError) as refused:
        await client.get(f"{url}/health/live")
    return str(refused.value)


def _replace(new: Path, old: Path, *, at: int) -> None:
    """As of another moment, however coarse the clock of the file system is."""
    shutil.copy(new, old)
    os.utime(old, (at, at))


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
