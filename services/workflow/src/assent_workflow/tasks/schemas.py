"""Tasks on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from assent_common.events.catalog import Stage
from assent_common.events.governance import TaskStatus
from assent_common.http.pages import Page
from pydantic import BaseModel, ConfigDict, Field

from assent_workflow.evidence.schemas import EvidenceIn
from assent_workflow.reviews.round import Verdict


class Decision(BaseModel):
    """A verdict, and why. To reject or to request changes needs a comment."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"verdict": "approve", "comment": "The DPIA covers this data."}}
    )

    verdict: Verdict
    comment: Annotated[str | None, Field(max_length=4000)] = None
    evidence: Annotated[list[EvidenceIn], Field(max_length=20, description="What the decision rests on")] = []


class Assignment(BaseModel):
    """To whom a task is given."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"assignee": "lucia@example.com"}})

    assignee: Annotated[str, Field(min_length=1, max_length=255, description="Subject")]


class TaskOut(BaseModel):
    """One approval asked of one role."""

    id: UUID
    review: UUID
    #: Null where a step of the use case is judged.
    candidacy: UUID | None = Field(validation_alias="of_candidacy")
    use_case: str
    model_version: str | None
    #: The step that is judged, and where it leads.
    step: UUID | None = Field(validation_alias="of_step")
    to: Stage | None = Field(validation_alias="step_to")
    put_forward_by: str
    stage: str
    role: str
    #: Of several people of the role who are asked, the how-manieth.
    seat: int
    status: TaskStatus
    #: Who has taken it on or was given it, or whom the use case names. Any other who may decide it still may.
    assignee: str | None
    #: Of which only members decide it.
    group: str | None = Field(validation_alias="asked_group")
    opened_at: datetime
    due_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    #: For whom, where it was decided by one who stands in.
    on_behalf_of: str | None
    comment: str | None
    #: The task of an earlier round whose approval counts on here.
    kept_from: UUID | None
    #: Why the approval last given here does not count any more.
    dismissed: str | None


class TaskCounts(BaseModel):
    """How many tasks the filters leave, on whatever page, and of what; of each, the hundred that are most frequent."""

    total: int
    #: Open and past their due time.
    overdue: int
    #: Open and nobody's yet.
    unassigned: int
    status: dict[str, int]
    role: dict[str, int]
    stage: dict[str, int]
    assignee: dict[str, int]
    use_case: dict[str, int]
    model: dict[str, int]


class TaskPage(Page[TaskOut]):
    """One page of tasks."""

    #: Where they were asked for.
    counts: TaskCounts | None = None
