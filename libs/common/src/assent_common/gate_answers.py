"""The gate's answer as something that can be handed on and checked without asking anybody: a JWS for five minutes."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from joserfc.jwk import KeySet

from assent_common.signing import Signed, Signer, opened

KIND = "assent-gate-answer+jwt"
HOLDS_FOR = timedelta(minutes=5)
"""How stale an answer that is handed on can be. Who asks the gate itself never gets a stale one."""
LEEWAY = timedelta(seconds=30)


class NoPermission(Exception):
    """It is none, or not for this."""


def sign(signer: Signer, claims: Mapping[str, Any], at: datetime) -> Signed:
    times = {"iat": int(at.timestamp()), "exp": int((at + HOLDS_FOR).timestamp())}
    return signer.sign(KIND, {"iss": "assent:gate", **claims, **times})


def check(token: str, keys: KeySet, expected: Mapping[str, str], at: datetime) -> dict[str, Any]:
    """The claims of an answer that allows, now, and what is expected of it. Raises NoPermission or BadSignature."""
    claims = opened(token, KIND, keys)
    if claims.get("allow") is not True:
        raise NoPermission("the gate said no: " + "; ".join(map(str, claims.get("reasons") or [])))
    now = at.timestamp()
    exp, iat = claims.get("exp"), claims.get("iat")
    if not isinstance(exp, int) or now >= exp + LEEWAY.total_seconds():
        raise NoPermission("the answer is too old: ask again")
    if not isinstance(iat, int) or iat > now + LEEWAY.total_seconds():
        raise NoPermission("the answer is from the future: look at the clocks")
    for name, value in expected.items():
        if claims.get(name) != value:
            raise NoPermission(f"the answer is for the {name.replace('_', ' ')} {claims.get(name)}, not for {value}")
    return claims
