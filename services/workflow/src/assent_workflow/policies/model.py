"""A policy as it is stored by version, and what it comes to for one candidacy at one moment."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from assent_common.canonical import ContentHash
from assent_common.events.catalog import Stage as UseCaseStage
from assent_common.events.governance import CheckResult
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from assent_workflow.identities.model import Colleague, Known

MAX_EXPRESSION_LENGTH = 4_000

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
#: CEL, as written. `policies.parse` lets no policy in with one that does not compile.
Expression = Annotated[str, StringConstraints(min_length=1, max_length=MAX_EXPRESSION_LENGTH)]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Environment = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Positive = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=3660))]


class Role(StrEnum):
    """Who can be asked for an approval. `admin`, `service` and `viewer` cannot."""

    DATA_SCIENTIST = "data_scientist"
    DATA_STEWARD = "data_steward"
    LEGAL = "legal"
    RISK = "risk"
    SECURITY = "security"
    BUSINESS_OWNER = "business_owner"


#: Those for whom a use case's accountability facet names a person.
ACCOUNTABLE = frozenset(Role) - {Role.RISK}


class About(StrEnum):
    """What a policy is about."""

    MODEL_VERSION = "model_version"
    USE_CASE = "use_case"


class ContentPart(StrEnum):
    """The parts of a content, as the registry tells them of a version, and the catalogue of a use case."""

    DESCRIPTION = "description"
    SOURCE_URI = "source_uri"
    ARTIFACTS = "artifacts"
    IMAGES = "images"
    INFERENCE_SPECIFICATION = "inference_specification"
    ADDITIONAL_INFERENCE_SPECIFICATIONS = "additional_inference_specifications"
    SOURCE_ALGORITHMS = "source_algorithms"
    METRICS = "metrics"
    NAME = "name"
    BUSINESS_CONTEXT = "business_context"
    LEGAL = "legal"
    DATA = "data"
    IMPACT = "impact"
    ACCOUNTABILITY = "accountability"
    CUSTOM = "custom"
    LINKS = "links"


#: Of these, what a use case says; the rest is a version's.
OF_USE_CASES = frozenset(
    {
        *(ContentPart.NAME, ContentPart.BUSINESS_CONTEXT, ContentPart.LEGAL, ContentPart.DATA, ContentPart.IMPACT),
        *(ContentPart.ACCOUNTABILITY, ContentPart.CUSTOM, ContentPart.LINKS),
    }
)


class OnContentChange(StrEnum):
    """What becomes of an acceptance when the content changes. Of several parts, the strictest counts."""

    #: It holds on, now for the new content.
    KEEP = "keep"
    #: Suspended, and submitted again at once.
    REVIEW = "review"
    #: Suspended, until somebody submits it again.
    SUSPEND = "suspend"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


#: Where another system listens. What it may be is looked at before each question, too.
WebAddress = Annotated[
    str, StringConstraints(max_length=2048, pattern=r"^https?://[^\s/?#@\\\x00-\x1f]+(?:[/?][^\s#\x00-\x1f]*)?$")
]


class External(_Part):
    """A question to another system of the company, signed as webhooks are."""

    url: WebAddress
    #: Within which it answers; asked again later where it does not.
    timeout: Annotated[timedelta, Field(ge=timedelta(seconds=1), le=timedelta(seconds=30))] = timedelta(seconds=10)


class Check(_Part):
    """What has to be true, whoever approves: by an expression, or by another system's answer."""

    name: Slug
    #: What is so when it passes.
    description: Sentence
    #: Passes where this is `true`, and only then.
    expression: Expression | None = None
    #: Passes where it answers that it does.
    external: External | None = None
    #: A string that says what is wrong when it does not pass.
    otherwise: Expression | None = None
    #: Whether an override gets past it.
    overridable: bool = True

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.expression is None) == (self.external is None):
            raise ValueError("a check has an expression, or is external")
        if self.external is not None and self.otherwise is not None:
            raise ValueError("an external check gives its reason itself: leave out otherwise")
        return self


class Approval(_Part):
    """One role that must approve."""

    role: Role
    #: In working days where the policy has a calendar.
    due_in: Positive
    #: Asked for only where this holds; also where it cannot be told.
    when: Expression | None = None
    #: How many different people of the role must approve.
    people: int = Field(default=1, ge=1, le=10)
    #: Only members of this group of the company decide, by their token or by `/v1/identities`.
    group: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    #: Only the person whom the use case's accountability facet names for the role decides.
    accountable: bool = False
    #: To holders of which other roles a holder of this one may delegate it.
    substitutes: tuple[Role, ...] = ()
    #: What it is about: a change to nothing of this leaves the approval standing. Everything, where absent.
    judges: Annotated[tuple[ContentPart, ...], Field(min_length=1)] | None = None
    #: How long before a task falls due its role is reminded; never, where absent.
    remind_before: Positive | None = None
    #: Who is told once a task is overdue; nobody, where absent. It does not let them decide it.
    escalate_to: Role | None = None

    @model_validator(mode="after")
    def _reminded_after_being_asked(self) -> Self:
        if self.remind_before is not None and self.remind_before >= self.due_in:
            raise ValueError("remind_before is not shorter than due_in")
        return self

    @model_validator(mode="after")
    def _one_person_is_accountable(self) -> Self:
        if self.accountable and self.role not in ACCOUNTABLE:
            raise ValueError(f"a use case names nobody who is accountable for {self.role}")
        if self.accountable and self.people > 1:
            raise ValueError("one person is accountable, so people is 1")
        return self

    def is_about(self, parts: Collection[str]) -> bool:
        """Whether a change to these touches what was approved."""
        return bool(parts) if self.judges is None else not set(self.judges).isdisjoint(parts)


class Stage(_Part):
    """Approvals asked for at the same time. The next stage begins once enough of them are given."""

    name: Slug
    approvals: tuple[Approval, ...] = Field(min_length=1)
    #: Asked for only where this holds; also where it cannot be told.
    when: Expression | None = None
    #: How many of those who are asked must approve. One who rejects ends the review, whatever the quorum.
    quorum: Literal["all", "any"] | Annotated[int, Field(ge=1)] = "all"

    @model_validator(mode="after")
    def _each_role_once(self) -> Self:
        _unique("role", [approval.role for approval in self.approvals])
        seats = sum(approval.people for approval in self.approvals)
        if isinstance(self.quorum, int) and self.quorum > seats:
            raise ValueError(f"a quorum of {self.quorum} among {seats}")
        return self

    @property
    def seats(self) -> tuple[tuple[Approval, int], ...]:
        """Each approval as often as people are asked for, numbered from 1."""
        return tuple((approval, seat) for approval in self.approvals for seat in range(1, approval.people + 1))

    @property
    def needed(self) -> int:
        """How many of the seats."""
        match self.quorum:
            case "all":
                return len(self.seats)
            case "any":
                return 1
            case int() as number:
                return min(number, len(self.seats))


class Assign(StrEnum):
    """To whom a task is given when it is asked. Whoever else may decide it still may."""

    #: To nobody: who wants it claims it.
    NONE = "none"
    #: To whom of the role, as far as `/v1/identities` knows them, the fewest open tasks are given.
    LEAST_LOADED = "least_loaded"


class SeparationOfDuties(_Part):
    #: Who put a version forward decides none of its tasks.
    proposer_decides_nothing: bool = True
    #: Nobody decides two tasks of one review.
    one_person_one_task: bool = True
    #: Who made the version or its model, or changed it last, at its source decides nothing either. Refuses everybody as
    #: long as it is not known which person that is: see `/v1/identities`.
    maker_decides_nothing: bool = False


class Weekday(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name} is no time zone")
    return name


class Calendar(_Part):
    """On which days people work: `due_in` counts those alone."""

    time_zone: Annotated[str, Field(max_length=100), AfterValidator(_zone)] = "UTC"
    working_days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = tuple(Weekday)[:5]
    holidays: Annotated[tuple[date, ...], Field(max_length=1_000)] = ()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def works_on(self, day: date) -> bool:
        return tuple(Weekday)[day.weekday()] in self.working_days and day not in self.holidays


class Override(_Part):
    """Who may accept what the policy would not, in an emergency, and for how long that holds."""

    by: Annotated[tuple[Role, ...], Field(min_length=1)]
    valid_for: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=90))]


class Policy(_Part):
    name: Slug
    version: int = Field(ge=1, le=1_000_000)
    description: str = Field(default="", max_length=4_000)
    #: What is judged: a version put forward for a use case, or a use case on its way to a stage.
    subject: About = About.MODEL_VERSION
    #: Of a policy about use cases: to which stages they go by it. Who stands there is looked at again by it, too.
    steps: Annotated[tuple[UseCaseStage, ...], Field(min_length=1)] | None = None
    #: Whom it applies to; everybody for whom no other is meant, where absent.
    applies_to: Expression | None = None
    checks: tuple[Check, ...] = ()
    stages: tuple[Stage, ...] = Field(min_length=1)
    separation_of_duties: SeparationOfDuties = SeparationOfDuties()
    assign: Assign = Assign.NONE
    #: Where alone an acceptance holds, as those name it who ask the gate; everywhere, where absent.
    environments: Annotated[tuple[Environment, ...], Field(min_length=1, max_length=20)] | None = None
    #: How long an acceptance holds before it is looked at again.
    valid_for: Positive
    #: For every part alike, or part by part with `otherwise` for the rest (`suspend`, where that is absent, too).
    on_content_change: OnContentChange | dict[ContentPart | Literal["otherwise"], OnContentChange] = (
        OnContentChange.SUSPEND
    )
    #: Whether a round that follows requested changes, or a content change, takes over the approvals which that left.
    keeps_approvals: bool = False
    calendar: Calendar | None = None
    #: Nobody may, where absent.
    override: Override | None = None

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    def touched(self, parts: Collection[str]) -> frozenset[str]:
        """Of the parts that changed, those whose change the policy does not let pass."""
        return frozenset(part for part in parts if self._follows(part) is not OnContentChange.KEEP)

    def what_follows(self, parts: Collection[str]) -> OnContentChange:
        """What becomes of an acceptance when these parts change."""
        return max((self._follows(part) for part in parts), key=list(OnContentChange).index)

    def _follows(self, part: str) -> OnContentChange:
        if isinstance(self.on_content_change, OnContentChange):
            return self.on_content_change
        by_part: Mapping[str, OnContentChange] = {str(name): what for name, what in self.on_content_change.items()}
        return by_part.get(part, by_part.get("otherwise", OnContentChange.SUSPEND))

    def approval(self, stage: str, role: str) -> Approval | None:
        """What is asked of this role in this stage: whom to remind of it when, and whom to tell when it is late."""
        asked = (approval for each in self.stages if each.name == stage for approval in each.approvals)
        return next((approval for approval in asked if approval.role == role), None)

    @model_validator(mode="after")
    def _about_one_thing(self) -> Self:
        of_use_cases = self.subject is About.USE_CASE
        if of_use_cases != (self.steps is not None):
            raise ValueError("a policy about use cases says for which steps, and no other does")
        if of_use_cases and UseCaseStage.IDEATION in (self.steps or ()):
            raise ValueError("a use case begins in ideation: no step leads there")
        if of_use_cases and (self.environments is not None or self.override is not None):
            raise ValueError("environments and override are about acceptances of model versions")
        if of_use_cases and self.separation_of_duties.maker_decides_nothing:
            raise ValueError("maker_decides_nothing is about who made a model version")
        judged = [part for stage in self.stages for approval in stage.approvals for part in approval.judges or ()]
        named = self.on_content_change if isinstance(self.on_content_change, dict) else {}
        for part in [*judged, *(part for part in named if isinstance(part, ContentPart))]:
            if (part in OF_USE_CASES) is not of_use_cases:
                raise ValueError(f"{part} is no part of what a policy about a {self.subject} judges")
        return self

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
    #: Who made the version, its model, or changed it last, as far as the source says.
    makers: tuple[Known, ...] = ()
    #: Role → whom the use case names as accountable.
    accountable: Mapping[str, Known] = field(default_factory=dict)
    #: Who is known to hold which role, where the policy shares tasks out.
    colleagues: tuple[Colleague, ...] = ()
    #: What it was assessed on: kept with the review, so that another policy can be tried on it later.
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


def _unique(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the {what} {name} is there twice")
