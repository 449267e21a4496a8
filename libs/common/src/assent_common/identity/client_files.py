"""What a client of the issuer proves itself by, where that is in a file."""

from pathlib import Path

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey


def signing_key(file: str) -> ECKey | OKPKey:
    """Of P-256 or Ed25519, as PEM or as a JWK, whose `kid` is kept; else it is the thumbprint (RFC 7638).

    Raises OSError and ValueError, which show nothing of the key.
    """
    text = Path(file).read_bytes()
    try:
        key = JWKRegistry.import_key(orjson.loads(text)) if text.lstrip().startswith(b"{") else _of_pem(text)
    except (JoseError, UnsupportedAlgorithm, ValueError, TypeError, KeyError) as error:
        raise ValueError("holds no key that can be read") from error
    if not isinstance(key, ECKey | OKPKey) or not key.is_private or _curve(key) not in ("P-256", "Ed25519"):
        raise ValueError("must hold a private key of P-256 or Ed25519")
    key.ensure_kid()
    return key


def secret_in(file: str) -> str:
    """Raises OSError and ValueError, as above."""
    try:
        secret = Path(file).read_text().strip()
    except UnicodeDecodeError:
        raise ValueError("is no text") from None
    if not secret:
        raise ValueError("is empty")
    return secret


def _of_pem(text: bytes) -> ECKey | OKPKey | None:
    native = load_pem_private_key(text, password=None)
    if isinstance(native, ec.EllipticCurvePrivateKey):
        return ECKey.import_key(text)
    return OKPKey.import_key(text) if isinstance(native, ed25519.Ed25519PrivateKey) else None


def _curve(key: ECKey | OKPKey) -> object:
    return key.as_dict(private=False).get("crv")
