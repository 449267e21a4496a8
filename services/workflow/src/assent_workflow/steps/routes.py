"""`/v1/use-case-steps`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from assent_common.database import Database
from assent_common.events.catalog import Stage
from assent_common.events.governance import CandidacyStatus, StepStatus
from assent_common.http.app import router
from assent_common.http.etags import etag
from assent_common.http.pages import CursorText, Limit, Page, paged, read_cursor
from assent_common.http.problems import NotFound, documented
from assent_common.identity.roles import Reader
from fastapi import Query, Request, Response
from pydantic import BaseModel

from assent_workflow.candidacies.tell import status_in_words

routes = router(tags=["use cases"])

_SELECT = """
select c.*, r.checks from candidacies c left join reviews r on r.id = c.review
"""
ONE = _SELECT + " where c.id = $1 and c.step_to is not null"
# Ids are UUIDv7: the newest first. Index: candidacies_steps_listed, candidacies_use_case.
LIST = (
    _SELECT
    + """
 where c.step_to is not null
   and ($1::text is null or c.use_case = $1)
   and ($2::text is null or c.step_to = $2)
   and ($3::text is null
        or $3 = case when c.status = 'candidate' then 'changes_requested'
                     when c.status = 'retired' and c.policy is null then 'not_asked' else c.status end)
   and ($4::uuid is null or c.id < $4)
 order by c.id desc
 limit $5
"""
)


class StepOut(BaseModel):
    """A use case on its way to a stage, or accepted there and looked at again in time."""

    id: UUID
    use_case: str
    use_case_id: UUID
    to: Stage
    status: StepStatus
    #: Why it stands there, in words.
    reason: str | None
    #: The checks that do not pass, while it is under review.
    blocked_by: list[str]
    content_hash: str | None
    review: UUID | None
    policy: str | None
    proposed_by: str
    created_at: datetime
    changed_by: str
    changed_at: datetime
    #: Until when an acceptance holds: it is looked at again then.
    expires_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "StepOut":
        status = CandidacyStatus(row["status"])
        checks = row["checks"] if status is CandidacyStatus.UNDER_REVIEW else []
        return cls.model_validate(
            {
                **row,
                "to": row["step_to"],
                "status": status_in_words(status, row["policy"]),
                "proposed_by": row["put_forward_by"],
                "blocked_by": [f"{check['name']}: {check['reason']}" for check in checks if not check["passed"]],
            }
        )


@routes.get("/use-case-steps", summary="List the steps of use cases, the newest first")
async def list_steps(
    request: Request,
    _: Reader,
    use_case: Annotated[str | None, Query(max_length=200, description="Key of the use case")] = None,
    to: Stage | None = None,
    status: StepStatus | None = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[StepOut]:
    """Proposed in the catalogue, decided here by whoever a policy asks. Filters narrow each other."""
    selection = [use_case, to, status]
    after = read_cursor(cursor, of=selection, shape=[UUID]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(LIST, use_case, to, status, after[0], limit + 1)
    return paged([StepOut.of(row) for row in rows], limit, key=lambda step: [step.id], of=selection)


@routes.get("/use-case-steps/{id}", summary="Read a step of a use case", responses=documented(NotFound))
async def get_step(id: UUID, request: Request, response: Response, _: Reader) -> StepOut:
    """Where it stands, why, and in which review it is decided."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        row = await connection.fetchrow(ONE, id)
    if row is None:
        raise NotFound(f"there is no step {id}")
    response.headers["ETag"] = etag(row["sequence"])
    return StepOut.of(row)
