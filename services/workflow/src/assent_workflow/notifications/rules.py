"""Who is told of what, by which channel and when: a document, stored by version. Pure."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from assent_workflow.notifications.happenings import FACTS, Happening, Kind
from assent_workflow.policies.model import Calendar

MAIL = "mail"
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class When(StrEnum):
    AT_ONCE = "at_once"
    #: Gathered, and told once an hour.
    HOURLY = "hourly"
    #: Gathered, and told once on each working day.
    DAILY = "daily"


def _filled(template: str) -> str:
    for name in PLACEHOLDER.findall(template):
        if name not in FACTS:
            raise ValueError(f"{{{name}}} is not known; known are {', '.join(FACTS)}")
    return template


Template = Annotated[str, Field(min_length=1, max_length=4_000), AfterValidator(_filled)]
Recipient = Annotated[
    str, Field(pattern=r"^(asked|substitute|proposer|owner|(person|role|group):[^\x00-\x1f]{1,200})$")
]
#: A word, or all that begin so: `task.*`.
Pattern = Annotated[str, Field(pattern=r"^[^*\x00-\x1f]{0,200}\*?$")]


def _kinds(pattern: str) -> str:
    if not any(fits(pattern, kind) for kind in Kind):
        raise ValueError(f"nothing that happens is {pattern}; there are {', '.join(Kind)}")
    return pattern


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Only(_Part):
    """All that are given must fit. What does not have one of them fits none of it."""

    severity: tuple[Literal["critical", "high", "medium", "low"], ...] = ()
    finding: tuple[Pattern, ...] = ()
    use_case: tuple[Pattern, ...] = ()
    role: tuple[Pattern, ...] = ()
    group: tuple[Pattern, ...] = ()
    stage: tuple[Pattern, ...] = ()

    def fits(self, happening: Happening) -> bool:
        for name in type(self).model_fields:
            patterns: Sequence[str] = getattr(self, name)
            value = happening.facts.get(name)
            if patterns and (value is None or not any(fits(pattern, value) for pattern in patterns)):
                return False
        return True


class Rule(_Part):
    """Of several that fit, the first counts for each address."""

    #: Not `on`, which YAML takes for true.
    of: Annotated[tuple[Annotated[Pattern, AfterValidator(_kinds)], ...], Field(min_length=1)]
    only: Only = Only()
    #: `asked`: who is to decide, by name and else by role and group, and who stands in for them; `substitute`: who is
    #: given a delegation; `proposer`: who put it forward; `owner`: who answers for the finding (`risk`, where nobody
    #: does) or the use case. A channel of a chat needs none.
    to: tuple[Recipient, ...] = ()
    #: `mail`, or a channel of a chat that the settings name.
    by: Annotated[str, Field(pattern=r"^(mail|slack:[a-z0-9][a-z0-9_-]{0,62})$")] = MAIL
    when: When = When.AT_ONCE
    #: In place of what Assent says.
    subject: Template | None = None
    text: Template | None = None

    def fits(self, happening: Happening) -> bool:
        return any(fits(pattern, happening.kind) for pattern in self.of) and self.only.fits(happening)


class Digest(_Part):
    """When what is gathered is told."""

    at: time = time(8, 30)
    calendar: Calendar = Calendar()

    def next_after(self, moment: datetime, when: When) -> datetime:
        """The end of the period that this moment falls into."""
        local = moment.astimezone(self.calendar.zone)
        if when is When.HOURLY:
            return (moment.astimezone(UTC) + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
        day = local.date()
        while True:
            at = datetime.combine(day, self.at, self.calendar.zone)
            if self.calendar.works_on(day) and at.astimezone(UTC) > moment:
                return at.astimezone(UTC)
            day += timedelta(days=1)


class Rules(_Part):
    description: str = Field(default="", max_length=4_000)
    rules: Annotated[tuple[Rule, ...], Field(max_length=200)]
    digest: Digest = Digest()

    def that_fit(self, happening: Happening) -> Iterator[Rule]:
        return (rule for rule in self.rules if rule.fits(happening))


def fits(pattern: str, value: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
