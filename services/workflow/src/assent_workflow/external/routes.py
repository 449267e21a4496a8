"""`/v1/external-checks`, and a review's: what is asked of other systems, again, and what a question is signed with."""

from typing import Annotated
from uuid import UUID

from assent_common.database import Database
from assent_common.events.governance import CheckResult
from assent_common.http.app import router
from assent_common.http.idempotency import IdempotencyKey, once
from assent_common.http.problems import Conflict, Forbidden, NotFound, documented
from assent_common.identity.roles import Principal, Role, Whose, allow
from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict

from assent_workflow.external.again import ask_again
from assent_workflow.external.secrets import Secrets
from assent_workflow.policies.model import Role as ApproverRole
from assent_workflow.policies.model import WebAddress
from assent_workflow.problems import spoken

routes = router(tags=["policies"])

Admin = Annotated[Principal, allow(Role.ADMIN)]
Participant = Annotated[Principal, allow(*(Role(role.value) for role in ApproverRole), whose=Whose.PARTICIPANTS)]


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


@routes.post(
    "/reviews/{id}/checks/{name}/ask",
    summary="Ask another system again",
    status_code=202,
    response_model=CheckResult,
    tags=["reviews"],
    responses=documented(Forbidden, NotFound, Conflict),
)
async def ask_check_again(
    id: UUID, name: str, request: Request, who: Participant, idempotency_key: IdempotencyKey = None
) -> Response:
    """By who takes part in the review, while it is open. What it answered before counts no more from now on; the record
    keeps it, and who asked again."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:

        async def act() -> Response:
            with spoken():
                check = await ask_again(uow, id, name, by=who)
            return Response(check.model_dump_json(), 202, media_type="application/json")

        return await once(uow, request, who, idempotency_key, act)
