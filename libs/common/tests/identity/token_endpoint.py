"""An OIDC issuer that really listens, and gives a client tokens for a while."""

import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote_plus

from assent_common import ids
from assent_common.clock import Clock, SystemClock
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet

from tests.support.served import served

ROLES = ["service"]


class Asked(NamedTuple):
    headers: Mapping[str, str]
    form: Mapping[str, str]

    @property
    def pair(self) -> list[str]:
        """Name and secret of HTTP Basic, as RFC 6749 §2.3.1 writes them."""
        kind, _, encoded = self.headers["authorization"].partition(" ")
        assert kind == "Basic"
        return [unquote_plus(each) for each in base64.b64decode(encoded).decode().split(":")]


@dataclass
class TokenEndpoint:
    client: str
    secret: str
    lasts_s: float = 300
    clock: Clock = field(default_factory=SystemClock)
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    #: In place of its answer.
    fault: Callable[[], Response] | None = None
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "es", "use": "sig"}))
    #: By which the client signs instead.
    client_key: Key | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["TokenEndpoint"]:
        app = FastAPI()
        app.add_api_route("/.well-known/openid-configuration", self._discovery)
        app.add_api_route("/keys", lambda: KeySet([self.key]).as_dict(private=False))
        app.add_api_route("/token", self._token, methods=["POST"])
        async with served(app) as url:
            self.url = url
            yield self

    async def _discovery(self) -> dict[str, str]:
        return {"issuer": self.url, "jwks_uri": f"{self.url}/keys", "token_endpoint": f"{self.url}/token"}

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), strict_parsing=True))
        asked = Asked(dict(request.headers), form)
        self.asked.append(asked)
        if self.fault is not None:
            return self.fault()
        if form["grant_type"] != "client_credentials" or not self._is_proved(asked):
            return JSONResponse({"error": "invalid_client", "error_description": f"not {form}"}, 401)
        return JSONResponse({"access_token": self._made(), "token_type": "Bearer", "expires_in": self.lasts_s})

    def _is_proved(self, asked: Asked) -> bool:
        if self.client_key is None:
            return asked.pair == [self.client, self.secret]
        claims = jwt.decode(asked.form["client_assertion"], self.client_key, algorithms=["ES256", "EdDSA"]).claims
        return bool(claims["sub"] == self.client)

    def _made(self) -> str:
        now = self.clock.now().timestamp()
        claims: dict[str, Any] = {
            "iss": self.url,
            "aud": "assent",
            "sub": f"service-account-{self.client}",
            "jti": str(ids.new()),
            "roles": ROLES,
            "iat": int(now),
            "exp": int(now + self.lasts_s) + 1,
        }
        return jwt.encode({"alg": "ES256", "kid": "es", "typ": "at+jwt"}, claims, self.key, algorithms=["ES256"])


def claims_of(token: str) -> dict[str, Any]:
    return _part(token, 1)


def header_of(token: str) -> dict[str, Any]:
    return _part(token, 0)


def _part(token: str, number: int) -> dict[str, Any]:
    part = token.split(".")[number]
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return read
