"""`/v1/policies/simulate` and `/v1/policies/{name}/diff`: what a policy would change, before it does."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from assent_common.database import Database
from assent_common.events.model import UtcTime
from assent_common.http.app import router
from assent_common.http.pages import CursorText, Limit, Page, paged, read_cursor
from assent_common.http.problems import FieldError, Invalid, NotFound, documented
from assent_common.identity.roles import CostlyReader, Reader
from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from assent_workflow.policies import history
from assent_workflow.policies import store as policies
from assent_workflow.policies.diff import Kind, differences
from assent_workflow.policies.history import Judged
from assent_workflow.policies.model import About
from assent_workflow.policies.parse import PolicyInvalid, parse
from assent_workflow.policies.replay import Would
from assent_workflow.policies.shipped import SHIPPED
from assent_workflow.reviews.round import ReviewStatus

routes = router(tags=["policies"])

YEAR = timedelta(days=365)
#: What was decided then, in the words of what would have been; the rest was not decided.
DECIDED = {
    ReviewStatus.ACCEPTED: Would.ACCEPTED,
    ReviewStatus.OVERRIDDEN: Would.ACCEPTED,
    ReviewStatus.REJECTED: Would.REJECTED,
    ReviewStatus.CHANGES_REQUESTED: Would.CHANGES_REQUESTED,
}


class PastTrial(BaseModel):
    """A policy, and on what of the past it is tried."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"text": SHIPPED["default@1"], "since": "2026-01-01T00:00:00Z"}}
    )

    text: Annotated[str, Field(min_length=1, max_length=100_000, description="The policy's YAML")]
    since: Annotated[UtcTime | None, Field(description="A year ago, where absent")] = None
    until: Annotated[UtcTime | None, Field(description="Now, where absent")] = None


class PastRound(BaseModel):
    """One round of judging: what was decided, and what this policy would have."""

    review: UUID
    candidacy: UUID | None
    use_case: str
    model_version: str | None
    #: The step of the use case that it was about, where it was about one.
    step: UUID | None
    #: By which it was judged.
    policy: str
    requested_at: datetime
    ended_at: datetime | None
    decided: ReviewStatus
    would: Would
    #: Why it would, in words.
    reasons: list[str]
    #: What that leaves out of account, for it was not kept or never known.
    not_known: list[str]
    #: Whether it was decided, and would have come out otherwise.
    differs: bool

    @classmethod
    def of(cls, judged: Judged) -> "PastRound":
        row, replayed = judged
        decided = ReviewStatus(row["status"])
        comparable = decided in DECIDED and replayed.would not in (Would.NOT_APPLICABLE, Would.UNKNOWN)
        return cls.model_validate(
            {
                **{name: row[name] for name in ("use_case", "model_version", "policy")},
                "candidacy": row["candidacy"] if row["step_to"] is None else None,
                "step": row["candidacy"] if row["step_to"] is not None else None,
                "review": row["id"],
                "requested_at": row["requested_at"],
                "ended_at": row["ended_at"],
                "decided": decided,
                "would": replayed.would,
                "reasons": list(replayed.reasons),
                "not_known": list(replayed.not_known),
                "differs": comparable and DECIDED[decided] is not replayed.would,
            }
        )


class PolicyDifference(BaseModel):
    """One thing that is otherwise."""

    kind: Kind
    #: The way to it: `stages.law.approvals.legal.due_in`.
    part: str
    #: Null where it was not there.
    before: Any
    after: Any
    words: str


class PolicyDiff(BaseModel):
    """What one version of a policy says otherwise than another: checks, stages, approvals, then all else."""

    before: str
    after: str
    differences: list[PolicyDifference]


@routes.post("/policies/simulate", summary="Try a policy on the past", responses=documented(Invalid))
async def simulate_past(
    trial: PastTrial, request: Request, _: CostlyReader, limit: Limit = 50, cursor: CursorText = None
) -> Page[PastRound]:
    """On every round asked for in that time, the oldest first: by the content and the facts as they then were, and by
    what those said who were asked and whom it does not keep apart. Nothing is kept, nobody is asked."""
    try:
        policy = parse(trial.text)
    except PolicyInvalid as error:
        faults = [FieldError(pointer="/text", code="policy_invalid", detail=str(fault)) for fault in error.faults]
        raise Invalid(str(error), errors=faults) from error
    database: Database = request.app.state.database
    selection = [trial.text, trial.since, trial.until]
    after = read_cursor(cursor, of=selection, shape=[datetime.fromisoformat, UUID])
    now = database.clock.now()
    async with database.connection() as connection:
        found = await history.rounds(
            connection,
            since=trial.since or now - YEAR,
            until=trial.until or now + timedelta(seconds=1),
            after=(after[0], after[1]) if after else None,
            limit=limit + 1,
            of_steps=policy.subject is About.USE_CASE,
        )
    judged = [PastRound.of(each) for each in await history.replayed(policy, *found)]
    return paged(judged, limit, key=lambda each: [each.requested_at.isoformat(), each.review], of=selection)


@routes.get("/policies/{name}/diff", summary="Compare two versions of a policy", responses=documented(NotFound))
async def compare_policies(
    name: str,
    request: Request,
    _: Reader,
    from_: Annotated[int | None, Query(alias="from", ge=1, le=1_000_000, description="The one before `to`")] = None,
    to: Annotated[int | None, Query(ge=1, le=1_000_000, description="The newest, where absent")] = None,
) -> PolicyDiff:
    """By stage, check and duration, and in words. Where its checks and stages stand in the text is no difference."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        versions = {policy.version: policy for policy in await policies.everything(connection) if policy.name == name}
    if not versions:
        raise NotFound(f"there is no policy {name!r}")
    newest = to or max(versions)
    older = from_ or max((number for number in versions if number < newest), default=newest)
    for number in (older, newest):
        if number not in versions:
            raise NotFound(f"there is no {name}@{number}")
    before, after = versions[older], versions[newest]
    found = [PolicyDifference.model_validate(each._asdict()) for each in differences(before, after)]
    return PolicyDiff(before=before.ref, after=after.ref, differences=found)
