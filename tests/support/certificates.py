"""An authority of our own, and certificates by it, for an hour."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    file: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name


@dataclass(frozen=True)
class Files:
    certificate: Path
    key: Path


def authority(folder: Path) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("Assent's tests")
    file = folder / "authority.pem"
    file.write_bytes(_certificate(name, key, name, key, x509.BasicConstraints(ca=True, path_length=0)))
    return Authority(file, key, name)


def of(host: str, by: Authority, folder: Path) -> Files:
    """For this host, and for no other name or address."""
    key = ec.generate_private_key(ec.SECP256R1())
    files = Files(folder / f"{host}.pem", folder / f"{host}.key")
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    files.certificate.write_bytes(_certificate(_named(host), key, by.name, by.key, names))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    by: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> bytes:
    now = datetime.now(UTC)  # noqa: TID251
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if isinstance(extension, x509.BasicConstraints):
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
