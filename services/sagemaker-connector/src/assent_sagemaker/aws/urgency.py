"""How urgent a call is: what people wait for goes before what is read in bulk, wherever calls have to queue."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum


class Urgency(IntEnum):
    """The lower, the sooner."""

    #: A decision on its way to SageMaker.
    DECISION = 0
    #: One object of which an event says that it changed.
    EVENT = 1
    BULK = 2


_current: ContextVar[Urgency] = ContextVar("assent_aws_urgency", default=Urgency.BULK)


@contextmanager
def urgent(urgency: Urgency) -> Iterator[None]:
    """Every call made within, and in tasks started within, is as urgent as this."""
    token = _current.set(urgency)
    try:
        yield
    finally:
        _current.reset(token)


def of_the_call() -> Urgency:
    return _current.get()
