"""What was looked at, and how it is."""

from dataclasses import dataclass
from enum import StrEnum


class Is(StrEnum):
    FINE = "fine"
    #: Worth knowing; nothing is kept from working by it.
    NOTED = "noted"
    WRONG = "wrong"
    #: It could not be looked at.
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Finding:
    check: str
    #: What it is of: a service, a topic, a source.
    of: str
    how: Is
    says: str
    #: Of what is wrong: the next step.
    do: str = ""
    #: Its page in docs/runbooks/, without the ending.
    runbook: str = ""


def fine(check: str, of: str, says: str) -> Finding:
    return Finding(check, of, Is.FINE, says)


def noted(check: str, of: str, says: str, do: str = "") -> Finding:
    return Finding(check, of, Is.NOTED, says, do)


def wrong(check: str, of: str, says: str, do: str, runbook: str = "") -> Finding:
    return Finding(check, of, Is.WRONG, says, do, runbook)


def unknown(check: str, of: str, says: str) -> Finding:
    return Finding(check, of, Is.UNKNOWN, says)
