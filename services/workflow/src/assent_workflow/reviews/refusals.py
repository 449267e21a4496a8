"""Why a decision is not taken. Each says what the caller can do.

Refused
├── NotAllowed          (403)
│   ├── NotYourTask
│   ├── NotOverridable
│   └── SeparationOfDuties
├── TooLate             (409)
│   ├── AlreadyDecided
│   ├── NotNeeded
│   ├── ReviewEnded
│   └── ContentMoved
└── CommentRefused      (422)
    └── ReasonRefused
"""

from uuid import UUID


class Refused(Exception):
    """The decision was not taken; nothing changed."""


class NotAllowed(Refused):
    """Somebody else has to decide this."""


class NotYourTask(NotAllowed):
    """Only a holder of the task's role decides it."""

    def __init__(self, task: UUID, role: str) -> None:
        super().__init__(f"this task is for a person who holds the role {role}")
        self.task = task
        self.role = role


class NotTakingPart(NotAllowed):
    """Only who takes part in a review adds to it."""

    def __init__(self, review: UUID) -> None:
        super().__init__("only who put this forward, whom the review asks, or whom the use case names adds to it")
        self.review = review


class NotYoursToGive(NotAllowed):
    """Who leads gives tasks to people, and who has one gives it back."""


class CannotTake(NotAllowed):
    """The person could not decide the task."""


class NotOverridable(NotAllowed):
    """The policy, or what stands against it, lets this person not override it."""


class SeparationOfDuties(NotAllowed):
    """The policy keeps this duty apart from another that is yours."""

    def __init__(self, task: UUID, why: str) -> None:
        super().__init__(why)
        self.task = task


class TooLate(Refused):
    """It moved on since you read it: read it again."""


class AlreadyDecided(TooLate):
    """A task is decided once."""

    def __init__(self, task: UUID, status: str, by: str) -> None:
        super().__init__(f"this task was decided already: {status} by {by}")
        self.task = task
        self.status = status


class Taken(TooLate):
    """Somebody else has taken the task on."""

    def __init__(self, task: UUID, by: str) -> None:
        super().__init__(f"{by} has taken this task on, or was given it; who leads may give it to somebody else")
        self.task = task


class NotAsked(TooLate):
    """The task is not open."""

    def __init__(self, task: UUID, status: str) -> None:
        super().__init__(f"the task is {status}, so nobody takes it on any more")
        self.task = task


class NotNeeded(TooLate):
    """Enough others have approved."""

    def __init__(self, task: UUID) -> None:
        super().__init__("enough others have approved, so this task is not asked any more")
        self.task = task


class ReviewEnded(TooLate):
    """A review that has ended takes no decision."""

    def __init__(self, review: UUID, status: str) -> None:
        super().__init__(f"the review has ended ({status}); a new one begins when the candidacy is submitted again")
        self.review = review
        self.status = status


class ContentMoved(TooLate):
    """The content is no longer the one under review."""

    def __init__(self, review: UUID) -> None:
        super().__init__(
            "the model version's content has just changed; read the review again and judge what stands now"
        )
        self.review = review


class CommentRefused(Refused):
    """The comment is at fault."""

    #: What the caller calls it.
    field = "comment"


class ReasonRefused(CommentRefused):
    """The reason of an override is at fault."""

    field = "reason"
