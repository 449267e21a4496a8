"""Roles, and which of them a route takes."""

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


EVERYBODY = frozenset(Role)
"""Every role reads, and asks the gate."""

_bearer = HTTPBearer(auto_error=False, scheme_name="bearer", description="JWT of the company's OIDC issuer")


@dataclass(frozen=True)
class Principal:
    """Somebody whose token was verified. `issuer` and `subject` together say who; a name or an e-mail does not."""

    issuer: str
    subject: str
    roles: frozenset[Role]
    name: str | None = None
    #: Of the company, as the token tells them: who may decide what a policy asks of a group.
    groups: frozenset[str] = frozenset()


def allow(*roles: Role) -> Any:
    """The dependency of a route that these roles may call. Every route has one: `http.app.build` refuses others."""
    allowed = frozenset(roles)

    async def principal(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> Principal:
        if credentials is None:
            raise Unauthenticated("send `Authorization: Bearer …`")
        who: Principal = await request.app.state.authenticate(credentials.credentials)
        if not who.roles & allowed:
            raise Forbidden(f"this needs one of the roles {', '.join(sorted(allowed))}")
        request.state.standing = request.app.state.rates.take(who)
        return who

    principal.roles = allowed  # type: ignore[attr-defined]
    return Depends(principal)


Reader = Annotated[Principal, allow(*EVERYBODY)]
"""Anybody with a valid token and at least one role."""
