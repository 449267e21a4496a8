"""`/v1/external-checks`: what is asked of other systems, and what a question is signed with."""

from typing import Annotated

from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.problems import Conflict, documented
from assent_common.identity.roles import Principal, Role, allow
from fastapi import Request
from pydantic import BaseModel, ConfigDict

from assent_workflow.external.secrets import Secrets
from assent_workflow.policies.model import WebAddress

routes = router(tags=["policies"])

Admin = Annotated[Principal, allow(Role.ADMIN)]


class Addressed(BaseModel):
    """The address of a check, exactly as the policy has it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"url": "https://checks.example.com/fairness"}}
    )

    url: WebAddress


class SecretOut(BaseModel):
    """What questions to this address are signed with, for the system that answers there."""

    url: str
    secret: str


@routes.post("/external-checks/secret", summary="Read a check's secret", responses=documented(Conflict))
async def read_external_check_secret(given: Addressed, request: Request, who: Admin) -> SecretOut:
    """Made of the operator's key and the address: the same whenever it is read. On record is who read it."""
    secrets: Secrets | None = getattr(request.app.state, "external_secrets", None)
    if secrets is None:
        raise Conflict("this service has no key to sign with (ASSENT_WEBHOOK_KEY)")
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        uow.audit(who.subject, "external_check.secret_read", given.url)
    return SecretOut(url=given.url, secret=secrets.of(given.url))
