"""The issuer's public keys: fetched, kept, fetched again when they rotate, and never an amplifier.

An unknown `kid` leads to one fetch in 30 s at the most; keys stay good for a day when the issuer cannot be reached.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet, RSAKey

from assent_common import telemetry
from assent_common.clock import Clock

FIRST_FETCH_S = 1
REFETCH_S = 30
REFRESH_S = 600
STALE_S = 24 * 3600
MAX_BYTES = 64 * 1024
LEAST_RSA_BITS = 2048
"""joserfc takes shorter ones, too, with a warning."""
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class KeysUnavailable(Exception):
    """The issuer's keys could not be read, and none are kept that are young enough."""


class Keys:
    """A cache of one issuer's JWKS (RFC 7517)."""

    def __init__(self, issuer: str, jwks_url: str | None, *, client: httpx.AsyncClient, clock: Clock) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._client = client
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched_at = 0.0
        self._tried_at = float("-inf")
        self._lock = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None

    async def find(self, kid: str | None) -> KeySet:
        """The keys, with `kid` among them if the issuer has it. Raises KeysUnavailable.

        Keys that are due to be read again are used while that happens: an issuer that hangs delays nobody.
        """
        if self._keys is None or not self._has(kid) or self._age() > STALE_S:
            await self._fetch(kid)
        elif self._age() > REFRESH_S and (self._refreshing is None or self._refreshing.done()):
            self._refreshing = asyncio.create_task(self._fetch(kid))
        if self._keys is None or self._age() > STALE_S:
            raise KeysUnavailable("the issuer's keys cannot be read")
        return self._keys

    def _has(self, kid: str | None) -> bool:
        return self._keys is not None and (kid is None or any(key.kid == kid for key in self._keys.keys))

    def _age(self) -> float:
        return self._clock.now().timestamp() - self._fetched_at

    async def _fetch(self, kid: str | None) -> None:
        async with self._lock:
            if self._keys is not None and self._has(kid) and self._age() <= REFRESH_S:
                return
            now = self._clock.now().timestamp()
            if now - self._tried_at < (REFETCH_S if self._keys is not None else FIRST_FETCH_S):
                return
            self._tried_at = now
            try:
                document = await self._get(self._jwks_url or await self._discover())
                self._keys, self._fetched_at = _usable(document), now
            except (httpx.HTTPError, TimeoutError, ValueError, KeyError, TypeError, AttributeError) as error:
                telemetry.logger().warning("issuer_keys_not_read", issuer=self._issuer, reason=repr(error))

    async def _discover(self) -> str:
        document = await self._get(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        if document["issuer"] != self._issuer:
            raise ValueError("the discovery document names another issuer")
        return str(document["jwks_uri"])

    async def _get(self, url: str) -> Any:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ValueError(f"{url} is not https")
        # As it is: what is compressed could be far larger than it looks.
        plain = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with asyncio.timeout(5), self._client.stream("GET", url, headers=plain, follow_redirects=False) as answer:
            answer.raise_for_status()
            body = b""
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ValueError(f"{url} answers more than {MAX_BYTES} bytes")
        document = orjson.loads(body)
        if not isinstance(document, dict):
            raise TypeError(f"{url} is no JSON object")
        return document


def _usable(document: Any) -> KeySet:
    """The public keys that are for signatures. One of a kind that we do not know takes none of the others away."""
    keys: list[Key] = []
    for each in document["keys"]:
        if each.get("kty") not in ("RSA", "EC", "OKP") or each.get("use", "sig") != "sig":
            continue
        try:
            key = JWKRegistry.import_key(each)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            telemetry.logger().info("issuer_key_not_usable", reason=repr(error))
        else:
            if isinstance(key, RSAKey) and key.raw_value.key_size < LEAST_RSA_BITS:
                telemetry.logger().warning("issuer_key_not_usable", reason=f"RSA of {key.raw_value.key_size} bits")
            else:
                keys.append(key)
    if not keys:
        raise ValueError("no key for signatures among the issuer's")
    return KeySet(keys)
