"""Signatures (Ed25519, as JWS) by which others can check, later and elsewhere, what was said here."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NewType

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

#: RFC 9864's name: "EdDSA" did not say which curve.
ALGORITHM = "Ed25519"

Signed = NewType("Signed", str)
"""A compact JWS that we made."""


class BadSignature(Exception):
    """It was not signed by a key that is trusted, or not as what it is taken for."""


class Signer:
    """One private key. What it signs says as what it was signed: nothing passes for something else."""

    def __init__(self, seed: str, *, besides: str | bytes | None = None) -> None:
        """The seed is 32 bytes in hex; `besides`, a JWKS, has keys that were in use, or will be. Else ValueError."""
        secret = bytes.fromhex(seed)
        public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        key = {"kty": "OKP", "crv": "Ed25519", "x": _base64url(public)}
        self.kid = OKPKey.import_key(dict(key)).thumbprint()
        self.public: Mapping[str, str] = {**key, "kid": self.kid, "use": "sig", "alg": ALGORITHM}
        self._key = OKPKey.import_key({**self.public, "d": _base64url(secret)})
        self._besides = public_keys(besides) if besides is not None else []

    def sign(self, kind: str, claims: Mapping[str, Any]) -> Signed:
        """A compact JWS over the claims, its `typ` the kind."""
        header = {"alg": ALGORITHM, "kid": self.kid, "typ": kind}
        return Signed(jwt.encode(header, dict(claims), self._key, algorithms=[ALGORITHM]))

    def jwks(self) -> dict[str, Any]:
        """The public keys, as everybody may have them: that which signs now is the first."""
        return {"keys": [dict(self.public), *(key for key in self._besides if key["kid"] != self.kid)]}


def public_keys(document: str | bytes) -> list[dict[str, str]]:
    """Those of a JWKS, each named by its thumbprint. ValueError for what is none, and for one that holds a secret."""
    keys = list(trusted([document]).keys)
    if any(key.is_private for key in keys):
        raise ValueError("holds a private key: only public ones are published")
    public = [key.as_dict(private=False) for key in keys]
    return [
        {"kty": "OKP", "crv": "Ed25519", "x": str(key["x"]), "kid": of.thumbprint(), "use": "sig", "alg": ALGORITHM}
        for of, key in zip(keys, public, strict=True)
    ]


def trusted(documents: Sequence[str | bytes]) -> KeySet:
    """The keys of JWKS documents. ValueError for what is none."""
    try:
        keys = [OKPKey.import_key(key) for document in documents for key in orjson.loads(document)["keys"]]
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"not a JWKS of Ed25519 keys: {error!r}") from error
    return KeySet(list(keys))


def opened(signed: str, kind: str, keys: KeySet) -> dict[str, Any]:
    """What was signed, by one of the keys and as this kind. Raises BadSignature. Whether it is still fresh is not
    looked at."""
    try:
        token = jwt.decode(signed, keys, algorithms=[ALGORITHM])
    except (JoseError, ValueError) as error:
        raise BadSignature(f"not signed by a key that is trusted ({error})") from error
    if token.header.get("typ") != kind:
        raise BadSignature(f"signed as {token.header.get('typ')!r}, not as {kind!r}")
    return dict(token.claims)


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
