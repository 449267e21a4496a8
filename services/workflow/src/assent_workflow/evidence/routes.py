"""`/v1/reviews/{id}/evidence`."""

from typing import Annotated
from uuid import UUID

from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.idempotency import IdempotencyKey, once
from assent_common.http.pages import Page
from assent_common.http.problems import Conflict, Forbidden, Invalid, NotFound, documented
from assent_common.identity.roles import Principal, Reader, Role, Whose, allow
from fastapi import Request, Response

from assent_workflow.evidence import store
from assent_workflow.evidence.schemas import EvidenceIn, EvidenceOut
from assent_workflow.policies.model import Role as ApproverRole
from assent_workflow.problems import spoken
from assent_workflow.reviews.joined import join

routes = router(tags=["reviews"])

Participant = Annotated[Principal, allow(*(Role(role.value) for role in ApproverRole), whose=Whose.PARTICIPANTS)]
EXISTS = "select from reviews where id = $1"


@routes.get("/reviews/{id}/evidence", summary="List what a review rests on", responses=documented(NotFound))
async def list_evidence(id: UUID, request: Request, _: Reader) -> Page[EvidenceOut]:
    """All of it, the oldest first: what was attached to the review, and what was given with its decisions."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        if await connection.fetchrow(EXISTS, id) is None:
            raise NotFound(f"there is no review {id}")
        rows = await store.of_review(connection, id)
    return Page(items=[EvidenceOut.model_validate(dict(row)) for row in rows])


@routes.post(
    "/reviews/{id}/evidence",
    summary="Attach evidence to a review",
    status_code=201,
    response_model=EvidenceOut,
    responses=documented(Forbidden, NotFound, Conflict, Invalid),
)
async def attach_evidence(
    id: UUID, given: EvidenceIn, request: Request, who: Participant, idempotency_key: IdempotencyKey = None
) -> Response:
    """By reference and digest, for good. Assent does not read it: whoever relies on it compares the digest."""
    database: Database = request.app.state.database
    async with database.transaction() as uow:

        async def act() -> Response:
            with spoken():
                joined = await join(uow, id, by=who)
            [row] = await store.attach(uow, joined.candidacy, id, [given], by=joined.by)
            made = EvidenceOut.model_validate(row)
            headers = {"Location": f"/v1/reviews/{id}/evidence"}
            return Response(made.model_dump_json(), 201, headers, "application/json")

        return await once(uow, request, who, idempotency_key, act)
