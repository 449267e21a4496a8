"""A policy as it is stored by version, and what it comes to for one candidacy at one moment."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from assent_common.canonical import ContentHash
from assent_common.events.governance import CheckResult
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MAX_EXPRESSION_LENGTH = 4_000

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
#: CEL, as written. `policies.parse` lets no policy in with one that does not compile.
Expression = Annotated[str, StringConstraints(min_length=1, max_length=MAX_EXPRESSION_LENGTH)]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Positive = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=3660))]


class Role(StrEnum):
    """Who can be asked for an approval. `admin`, `service` and `viewer` cannot."""

    DATA_SCIENTIST = "data_scientist"
    DATA_STEWARD = "data_steward"
    LEGAL = "legal"
    RISK = "risk"
    SECURITY = "security"
    BUSINESS_OWNER = "business_owner"


class OnContentChange(StrEnum):
    """What becomes of an acceptance when the content changes."""

    SUSPEND = "suspend"
    #: Suspended, and submitted again at once.
    REVIEW = "review"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(_Part):
    """What has to be true, whoever approves."""

    name: Slug
    #: What is so when it passes.
    description: Sentence
    #: Passes where this is `true`, and only then.
    expression: Expression
    #: A string that says what is wrong when it does not pass.
    otherwise: Expression | None = None


class Approval(_Part):
    """One role that must approve."""

    role: Role
    due_in: Positive
    #: Asked for only where this holds; also where it cannot be told.
    when: Expression | None = None
    #: How long before a task falls due its role is reminded; never, where absent.
    remind_before: Positive | None = None
    #: Who is told once a task is overdue; nobody, where absent. It does not let them decide it.
    escalate_to: Role | None = None

    @model_validator(mode="after")
    def _reminded_after_being_asked(self) -> Self:
        if self.remind_before is not None and self.remind_before >= self.due_in:
            raise ValueError("remind_before is not shorter than due_in")
        return self


class Stage(_Part):
    """Approvals asked for at the same time. The next stage begins once all of them are given."""

    name: Slug
    approvals: tuple[Approval, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_role_once(self) -> Self:
        _unique("role", [approval.role for approval in self.approvals])
        return self


class SeparationOfDuties(_Part):
    #: Who put a version forward decides none of its tasks.
    proposer_decides_nothing: bool = True
    #: Nobody decides two tasks of one review.
    one_person_one_task: bool = True


class Policy(_Part):
    name: Slug
    version: int = Field(ge=1, le=1_000_000)
    description: str = Field(default="", max_length=4_000)
    #: Whom it applies to; everybody for whom no other is meant, where absent.
    applies_to: Expression | None = None
    checks: tuple[Check, ...] = ()
    stages: tuple[Stage, ...] = Field(min_length=1)
    separation_of_duties: SeparationOfDuties = SeparationOfDuties()
    #: How long an acceptance holds before it is looked at again.
    valid_for: Positive
    on_content_change: OnContentChange = OnContentChange.SUSPEND

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    def approval(self, stage: str, role: str) -> Approval | None:
        """What is asked of this role in this stage: whom to remind of it when, and whom to tell when it is late."""
        asked = (approval for each in self.stages if each.name == stage for approval in each.approvals)
        return next((approval for approval in asked if approval.role == role), None)

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        _unique("check", [check.name for check in self.checks])
        _unique("stage", [stage.name for stage in self.stages])
        return self


@dataclass(frozen=True)
class Assessment:
    """What a policy comes to on the facts that stand now."""

    policy: Policy
    #: The content that the facts are about.
    content_hash: ContentHash
    checks: tuple[CheckResult, ...]
    #: The policy's stages with the approvals that are asked for here; those with none left out.
    stages: tuple[Stage, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


def _unique(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the {what} {name} is there twice")
