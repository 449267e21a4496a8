"""This service as a client of the company's issuer: it proves which one it is, and is given a token for a while.

OAuth 2.0 client credentials (RFC 6749 §4.4), proved by a secret (§2.3.1) or by a signature (RFC 7523 §2.2).
"""

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from joserfc.jws import JWSRegistry

from assent_common import ids
from assent_common.clock import Clock
from assent_common.identity import documents
from assent_common.identity.client_files import secret_in, signing_key
from assent_common.settings import Settings

UNSAID_S = 300.0
"""How long a token is taken to last whose issuer does not say it."""
ASSERTION_S = 60
BY_JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")
_ERROR = re.compile(r"[a-z_]{1,40}")


class NotGiven(Exception):
    """The issuer gave no token; the reason has neither the secret nor words of its in it."""


@dataclass(frozen=True)
class Given:
    token: str = field(repr=False)
    for_s: float


class Client:
    """Secrets and keys in files are read whenever a token is fetched, so that others can take their place."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient, clock: Clock) -> None:
        assert settings.service_client_id is not None
        self._id = settings.service_client_id
        self._settings = settings
        self._http = http
        self._clock = clock

    async def fetch(self) -> Given:
        """A new token, within ten seconds. Raises NotGiven."""
        try:
            url = self._settings.service_token_url or await self._discover()
            headers, proof = self._proof(url)
            form = {"grant_type": "client_credentials", **self._wanted(), **proof}
            answer, said = await documents.ask(self._http, "POST", url, headers=headers, form=form)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            raise NotGiven(f"the issuer cannot be asked: {type(error).__name__}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise NotGiven(f"that is no issuer's answer: {error!r}") from error
        if answer.status_code != 200:
            raise NotGiven(f"the issuer answered {answer.status_code}{_code(said.get('error'))}")
        return _given(said)

    async def _discover(self) -> str:
        assert self._settings.oidc_issuer is not None
        return str((await documents.discovered(self._http, self._settings.oidc_issuer))["token_endpoint"])

    def _wanted(self) -> dict[str, str]:
        wanted = {"scope": self._settings.service_token_scope, "audience": self._settings.service_token_audience}
        return {name: value for name, value in wanted.items() if value}

    def _proof(self, url: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Headers and fields of the form. Raises NotGiven."""
        keyfile = self._settings.service_client_keyfile
        try:
            if keyfile is not None:
                signed = self._assertion(signing_key(keyfile), url)
                return {}, {"client_id": self._id, "client_assertion_type": BY_JWT, "client_assertion": signed}
            # Encoded first, as RFC 6749 has it: a colon in the name would end it.
            pair = f"{quote_plus(self._id)}:{quote_plus(self._secret())}"
        except (JoseError, OSError, ValueError) as error:
            raise NotGiven(f"the secret or key of ASSENT_SERVICE_CLIENT_ID cannot be read: {error!r}") from error
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}, {}

    def _secret(self) -> str:
        if self._settings.service_client_secret_file is not None:
            return secret_in(self._settings.service_client_secret_file)
        assert self._settings.service_client_secret is not None
        return self._settings.service_client_secret.get_secret_value()

    def _assertion(self, key: ECKey | OKPKey, url: str) -> str:
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._id,
            "sub": self._id,
            "aud": url,
            "jti": str(ids.new()),
            "iat": now,
            "exp": now + ASSERTION_S,
        }
        algorithm = "ES256" if isinstance(key, ECKey) else "EdDSA"
        return jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key, registry=_SIGNS)


class _AsIssuersKnowIt(JWSRegistry):
    """RFC 9864 calls it Ed25519, and joserfc warns of the name that issuers have known it by since RFC 8037."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


_SIGNS = _AsIssuersKnowIt()


def _given(said: Mapping[str, Any]) -> Given:
    token, kind = said.get("access_token"), said.get("token_type")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise NotGiven("the issuer's answer has no token in it")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise NotGiven("the issuer's token is of a kind that is not borne")
    return Given(token, _seconds(said.get("expires_in")))


def _seconds(said: object) -> float:
    """Some issuers write the number as text."""
    try:
        seconds = float(said)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return UNSAID_S
    return seconds if math.isfinite(seconds) and seconds > 0 else UNSAID_S


def _code(said: object) -> str:
    """RFC 6749 §5.2; the words beside it are not repeated."""
    return f" ({said})" if isinstance(said, str) and _ERROR.fullmatch(said) else ""
