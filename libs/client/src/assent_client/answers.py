"""What a service answers."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The body, and what the headers say of it."""

    body: T
    status: int
    #: Which state this is: what a change sends as `if_match`.
    etag: str | None
    #: Where what was created is to be read.
    location: str | None
    #: Finds the request in the services' logs.
    correlation_id: str | None


@dataclass(frozen=True, slots=True)
class Changed:
    """One event of the stream of changes."""

    #: The position to go on from: `last_event_id`.
    position: int
    #: A CloudEvent.
    event: dict[str, Any]
