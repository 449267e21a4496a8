"""A bearer token in, a verified principal out; whatever is wrong with it is said in one word in a metric."""

import hashlib
import hmac
import math
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry, extract_compact
from joserfc.jwt import JWTClaimsRegistry

from assent_common import metrics
from assent_common.clock import Clock
from assent_common.http.problems import Unauthenticated, Unavailable
from assent_common.identity.keys import Keys, KeysUnavailable
from assent_common.identity.roles import Principal, Role

ALGORITHMS = ("RS256", "ES256", "EdDSA", "Ed25519")
LEEWAY_S = 30
MAX_BYTES = 8 * 1024
MOST_REMEMBERED = 10_000
"""Tokens; the one that was not seen for longest is verified again."""
_ROLES = frozenset(role.value for role in Role)
SERVICE_ISSUER = "assent:service-token"


class _Headers(JWSRegistry):
    """Headers that we do not know are ignored, as RFC 7515 wants it, unless `crit` names them."""

    max_header_length = MAX_BYTES


_HEADERS = _Headers(algorithms=ALGORITHMS, strict_check_header=False)


class Refused(Exception):
    """Not a token for us; `reason` is one word for the metric."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class _Verified(NamedTuple):
    """What a token was found to be, and what that rests on."""

    who: Principal
    kid: str | None
    keys: KeySet
    verified_at: float
    expires_at: float


class Verifier:
    """Verifies JWTs (RFC 7519, 9068) of one issuer, and service tokens.

    A token is verified once for the issuer's keys as they are read: a signature costs more than most answers. It ends
    when it expires, and with the keys: once they were read again it is verified anew.
    """

    def __init__(
        self,
        *,
        issuer: str | None,
        audience: str,
        roles_claim: str,
        groups_claim: str = "groups",
        keys: Keys | None,
        service_tokens: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._roles_claim = roles_claim.split(".")
        self._groups_claim = groups_claim.split(".")
        self._keys = keys
        self._service_tokens = dict(service_tokens)
        self._clock = clock
        #: By the token's digest, the one that was seen last at the end.
        self._verified: OrderedDict[str, _Verified] = OrderedDict()

    async def authenticate(self, token: str) -> Principal:
        """Raises Unauthenticated (401), or Unavailable (503) when the issuer's keys cannot be had."""
        try:
            if len(token) > MAX_BYTES:
                raise Refused("size", "the token is too long")
            digest = hashlib.sha256(token.encode(errors="replace")).hexdigest()
            return self._service(digest) or await self._known(digest) or await self._person(token, digest)
        except Refused as refused:
            metrics.TOKENS_REFUSED.labels(refused.reason).inc()
            claimed = _claimed(token) if len(token) <= MAX_BYTES else {}
            raise Unauthenticated(str(refused), reason=refused.reason, claimed=claimed) from refused
        except KeysUnavailable as error:
            raise Unavailable(str(error)) from error

    def _service(self, digest: str) -> Principal | None:
        for name, expected in self._service_tokens.items():
            if hmac.compare_digest(digest, expected.lower()):
                return Principal(SERVICE_ISSUER, name, frozenset({Role.SERVICE}), name)
        return None

    async def _known(self, digest: str) -> Principal | None:
        known = self._verified.get(digest)
        if known is None or self._keys is None:
            return None
        if (
            known.verified_at <= self._clock.now().timestamp() < known.expires_at
            and await self._keys.find(known.kid) is known.keys
        ):
            self._verified.move_to_end(digest)
            return known.who
        self._verified.pop(digest, None)
        return None

    async def _person(self, token: str, digest: str) -> Principal:
        if self._keys is None or self._issuer is None:
            raise Refused("no_issuer", "no OIDC issuer is configured")
        header = _header(token)
        try:
            keys = await self._keys.find(header.get("kid"))
            claims = jwt.decode(token, keys, registry=_HEADERS).claims
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise Refused("signature", "the token's signature cannot be verified") from error
        now = self._clock.now().timestamp()
        self._check(header, claims, int(now))
        roles, groups = _roles(claims, self._roles_claim), _groups(claims, self._groups_claim)
        name, acr = _text(claims.get("name")), _text(claims.get("acr"))
        who = Principal(self._issuer, claims["sub"], roles, name, groups, acr, _seconds(claims.get("auth_time")))
        self._verified[digest] = _Verified(who, header.get("kid"), keys, now, claims["exp"] + LEEWAY_S)
        if len(self._verified) > MOST_REMEMBERED:
            self._verified.popitem(last=False)
        return who

    def _check(self, header: Mapping[str, Any], claims: dict[str, Any], now: int) -> None:
        registry = JWTClaimsRegistry(
            now=now,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._issuer or ""},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            registry.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise Refused("claims", f"the token is not valid here: {error}") from error
        if _text(claims["sub"]) is None:
            raise Refused("claims", "the token's subject is no plain text")
        if str(header.get("typ", "JWT")).lower().removeprefix("application/") not in {"jwt", "at+jwt"}:
            raise Refused("type", "this kind of token is no access token")
        # `typ` within the claims is Keycloak's way to tell its tokens apart.
        if "nonce" in claims or "at_hash" in claims or claims.get("typ") in ("ID", "Refresh", "Offline"):
            raise Refused("type", "an ID token is no access token")


def _header(token: str) -> dict[str, Any]:
    try:
        return dict(extract_compact(token.encode(), registry=_HEADERS).protected)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise Refused("form", "this is no token") from error


def _claimed(token: str) -> dict[str, str]:
    """Who a refused token said that it is of, for the log: nobody vouches for it unless its signature was verified."""
    try:
        claims = orjson.loads(extract_compact(token.encode(), registry=_HEADERS).payload)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        return {}
    told = claims if isinstance(claims, dict) else {}
    names = {"claimed_issuer": _text(told.get("iss")), "claimed_subject": _text(told.get("sub"))}
    return {name: text for name, text in names.items() if text is not None}


def _roles(claims: Mapping[str, Any], path: list[str]) -> frozenset[Role]:
    value = _listed(claims, path)
    # `service` is for machines with a service token or a client of the issuer; other words are other systems' roles.
    return _kept_once(frozenset(Role(role) for role in value if isinstance(role, str) and role in _ROLES))


def _groups(claims: Mapping[str, Any], path: list[str]) -> frozenset[str]:
    return _kept_once(frozenset(group for group in _listed(claims, path) if _text(group) is not None))


@lru_cache(1_000)
def _kept_once(words: frozenset[Any]) -> frozenset[Any]:
    """Many have the same: of what is remembered of a token it was the half."""
    return words


def _listed(claims: Mapping[str, Any], path: list[str]) -> list[Any]:
    """Of any other shape, nothing."""
    value: Any = claims
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value if isinstance(value, list) else []


def _seconds(value: object) -> float | None:
    return float(value) if type(value) in (int, float) and math.isfinite(value) else None  # type: ignore[arg-type]


def _text(value: object) -> str | None:
    """What can be kept and shown: OIDC grants a subject 255 characters."""
    return value if isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable() else None
