"""The issuer's public keys: fetched, kept, fetched again when they rotate, and never an amplifier.

An unknown `kid` leads to one fetch in 30 s at the most; keys stay good for a day when the issuer cannot be reached.
"""

import asyncio
from typing import Any

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet, RSAKey

from assent_common import telemetry
from assent_common.clock import Clock
from assent_common.identity import documents

FIRST_FETCH_S = 1
REFETCH_S = 30
REFRESH_S = 600
STALE_S = 24 * 3600
LEAST_RSA_BITS = 2048
"""joserfc takes shorter ones, too, with a warning. A company that wants 128 bits of strength asks for 3072."""


class KeysUnavailable(Exception):
    """The issuer's keys could not be read, and none are kept that are young enough."""


class Keys:
    """A cache of one issuer's JWKS (RFC 7517)."""

    def __init__(
        self,
        issuer: str,
        jwks_url: str | None,
        *,
        client: httpx.AsyncClient,
        clock: Clock,
        least_rsa_bits: int = LEAST_RSA_BITS,
    ) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._client = client
        self._clock = clock
        self._least_rsa_bits = least_rsa_bits
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
                url = self._jwks_url or str((await documents.discovered(self._client, self._issuer))["jwks_uri"])
                self._keys, self._fetched_at = self._usable(await documents.get(self._client, url)), now
            except (httpx.HTTPError, TimeoutError, ValueError, KeyError, TypeError, AttributeError) as error:
                telemetry.logger().warning("issuer_keys_not_read", issuer=self._issuer, reason=repr(error))

    def _usable(self, document: Any) -> KeySet:
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
                if isinstance(key, RSAKey) and key.raw_value.key_size < self._least_rsa_bits:
                    telemetry.logger().warning("issuer_key_not_usable", reason=f"RSA of {key.raw_value.key_size} bits")
                else:
                    keys.append(key)
        if not keys:
            raise ValueError("no key for signatures among the issuer's")
        return KeySet(keys)
