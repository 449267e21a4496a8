"""A development issuer: mints tokens for anybody who asks on this machine. Never for anything but trying Assent out."""

import json
import os
from datetime import timedelta
from pathlib import Path

from assent_common.clock import Clock, SystemClock
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

AUDIENCE = "assent"
TOKEN_LIFE = timedelta(hours=12)
_KEY_FILE = "issuer-key.json"


class Issuer:
    """One key, kept in the state folder, so that tokens outlive a restart of what it runs beside."""

    def __init__(self, url: str, state: Path, clock: Clock | None = None) -> None:
        self.url = url
        self._key = _key(state / _KEY_FILE)
        self._clock = clock or SystemClock()

    def mint(self, subject: str, *roles: str) -> str:
        """A token for 12 hours."""
        now = self._clock.now()
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": subject,
            "name": subject,
            "roles": list(roles),
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_LIFE).timestamp()),
        }
        header = {"alg": "ES256", "kid": self._key.kid, "typ": "at+jwt"}
        return jwt.encode(header, claims, self._key, algorithms=["ES256"])

    def app(self) -> Starlette:
        """Discovery and keys, as any OIDC issuer serves them."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/keys", self._keys),
            ]
        )

    async def _discovery(self, _: Request) -> JSONResponse:
        return JSONResponse({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})

    async def _keys(self, _: Request) -> JSONResponse:
        return JSONResponse(KeySet([self._key]).as_dict(private=False))


def _key(file: Path) -> ECKey:
    if not file.exists():
        key = ECKey.generate_key("P-256", parameters={"use": "sig", "alg": "ES256"}, auto_kid=True)
        # Made whole under another name first: a run cut short leaves no half a key.
        unfinished = file.with_suffix(f".{os.getpid()}")
        with open(os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as target:
            target.write(json.dumps(key.as_dict(private=True)).encode())
        unfinished.rename(file)
    return ECKey.import_key(json.loads(file.read_text()))
