"""Roles, and which of them a route takes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from assent_common.http.problems import Forbidden, Unauthenticated


class Role(StrEnum):
    VIEWER = "viewer"
    DATA_SCIENTIST = "data_scientist"
    DATA_STEWARD = "data_steward"
    LEGAL = "legal"
    RISK = "risk"
    SECURITY = "security"
    BUSINESS_OWNER = "business_owner"
    ADMIN = "admin"
    SERVICE = "service"


class Whose(StrEnum):
    """Who the caller must be to the thing itself, beside his role. A test tries each such route, in each part."""

    #: Nobody's in particular: the role is enough.
    ANYBODYS = "anybody's"
    #: The caller's own: there is no way to name another's.
    HIS_OWN = "his own"
    #: Of who gave it; an administrator takes it back, too.
    GIVERS = "of who gave it"
    #: Of who may decide the task: of its role, in its group, named where it asks for the one who is accountable, or
    #: standing in for such a one; never of who put the version forward.
    DECIDERS = "of who may decide"
    #: Of who has the task, or leads.
    HOLDERS = "of who has it"
    #: Of who takes part in the review: who put it forward, whom it asks, whom the use case names, who stands in.
    PARTICIPANTS = "of who takes part"
    #: Of whom the policy names, and never of who put the version forward.
    NAMED_BY_POLICY = "of whom the policy names"
    #: Of anybody but who put the version forward.
    NOT_THE_PROPOSERS = "of all but who put it forward"


Admit = Callable[[Request, "str | None"], Awaitable["Principal"]]
"""Who asks by this token, where a route takes him. Raises Unauthenticated, Forbidden, TooManyRequests, Unavailable."""

EVERYBODY = frozenset(Role)
"""Every role reads, and asks the gate."""

_bearer = HTTPBearer(auto_error=False, scheme_name="bearer", description="JWT of the company's OIDC issuer")


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whose token was verified. `issuer` and `subject` together say who; a name or an e-mail does not."""

    issuer: str
    subject: str
    roles: frozenset[Role]
    name: str | None = None
    #: Of the company, as the token tells them: who may decide what a policy asks of a group.
    groups: frozenset[str] = frozenset()
    #: How and when he signed in, in seconds since 1970, as far as the token tells.
    acr: str | None = None
    signed_in_at: float | None = None


COSTLY = 300
"""As many plain reads a request that goes through whole tables, or makes a service work for minutes, counts as."""


def allow(*roles: Role, whose: Whose = Whose.ANYBODYS, costs: int = 1) -> Any:
    """The dependency of a route that these roles may call. Every route has one: `http.app.build` refuses others.

    `whose` only tells what the route sees to by itself, where it has the thing before it; `costs` is what a request
    takes of its caller's quota.
    """
    allowed = frozenset(roles)
    admit = admitting(allowed, costs)

    async def principal(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> Principal:
        return await admit(request, credentials.credentials if credentials is not None else None)

    principal.roles = allowed  # type: ignore[attr-defined]
    principal.whose = whose  # type: ignore[attr-defined]
    principal.costs = costs  # type: ignore[attr-defined]
    principal.admit = admit  # type: ignore[attr-defined]
    return Depends(principal)


def admitting(allowed: frozenset[Role], costs: int = 1) -> Admit:
    """Lets in who has one of these roles."""

    async def admit(request: Request, token: str | None) -> Principal:
        if token is None:
            raise Unauthenticated("send `Authorization: Bearer …`")
        who: Principal = await request.app.state.authenticate(token)
        request.state.who = who
        if not who.roles & allowed:
            raise Forbidden(f"this needs one of the roles {', '.join(sorted(allowed))}")
        if (demands := request.app.state.demands) is not None:
            # What everybody may do is to read and to ask, by whichever method.
            demands.check(who, changes=request.method not in ("GET", "HEAD") and allowed != EVERYBODY)
        request.state.standing = request.app.state.rates.take(who, costs)
        return who

    return admit


def bearer(authorization: str | None) -> str | None:
    """The token, as FastAPI's HTTPBearer takes it out of the header."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


Reader = Annotated[Principal, allow(*EVERYBODY)]
"""Anybody with a valid token and at least one role."""

CostlyReader = Annotated[Principal, allow(*EVERYBODY, costs=COSTLY)]
"""The same, of what costs much."""
