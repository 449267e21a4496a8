"""An OIDC issuer on no network, with every fault that one can have."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from assent_common.clock import FrozenClock
from assent_common.identity.keys import Keys
from assent_common.identity.tokens import Verifier
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

URL = "https://issuer.example"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


ES = ECKey.generate_key("P-256", {"kid": "es", "use": "sig"})
RS = RSAKey.generate_key(2048, {"kid": "rs", "use": "sig", "alg": "RS256"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
FOR_ENCRYPTION = ECKey.generate_key("P-256", {"kid": "enc", "use": "enc"})


class Issuer:
    es, rs, ed, for_encryption = ES, RS, ED, FOR_ENCRYPTION

    def __init__(self) -> None:
        self.clock = FrozenClock(NOON)
        self.document = public(self.es, self.rs, self.ed, self.for_encryption)
        self.asked: list[str] = []
        self.fault: Callable[[httpx.Request], httpx.Response] | None = None
        self.keys = Keys(
            URL, None, client=httpx.AsyncClient(transport=httpx.MockTransport(self._answer)), clock=self.clock
        )
        self.verifier = Verifier(
            issuer=URL,
            audience="assent",
            roles_claim="realm.roles",
            keys=self.keys,
            service_tokens={"ci": "b9f195c5cc7ef6afadbfbc42892ad47d3b24c6bc94bb510c4564a90a14e8b799"},
            clock=self.clock,
        )

    @property
    def key_fetches(self) -> int:
        return self.asked.count(f"{URL}/keys")

    def claims(self, **other: Any) -> dict[str, Any]:
        """Good ones, changed; what is set to `...` is left out."""
        claims = {
            "iss": URL,
            "aud": "assent",
            "sub": "ada",
            "name": "Ada",
            "iat": self.at(seconds=-10),
            "exp": self.at(minutes=5),
            "realm": {"roles": ["legal", "viewer", "someone-elses-role"]},
        } | other
        return {name: value for name, value in claims.items() if value is not ...}

    def at(self, **since: float) -> int:
        return int((NOON + timedelta(**since)).timestamp())

    def token(
        self,
        *,
        key: Key | None = None,
        header: dict[str, Any] | None = None,
        body: bytes | None = None,
        **claims: Any,
    ) -> str:
        """Signed with this key, whatever the header says and whether the key is for that or not."""
        signing = key or self.es
        algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}[signing.key_type]
        head = {"alg": algorithm, "kid": signing.kid, "typ": "at+jwt"} | (header or {})
        head = {name: value for name, value in head.items() if value is not ...}
        payload = body if body is not None else json.dumps(self.claims(**claims)).encode()
        signed = f"{b64(json.dumps(head).encode())}.{b64(payload)}"
        bare = signing.__class__.import_key(
            {
                name: value
                for name, value in signing.as_dict(private=True).items()
                if name not in ("use", "alg", "key_ops")
            }
        )
        return f"{signed}.{b64(JWSRegistry.algorithms[algorithm].sign(signed.encode(), bare))}"

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        answer = self.fault(request) if self.fault else self._right_answer(request)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))

    def _right_answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/.well-known/openid-configuration":
            return httpx.Response(200, json={"issuer": URL, "jwks_uri": f"{URL}/keys"})
        return httpx.Response(200, content=self.document)


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def public(*keys: Key) -> bytes:
    return json.dumps(KeySet(list(keys)).as_dict(private=False)).encode()
