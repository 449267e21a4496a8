"""Whom a notification reaches. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class ContactKind(StrEnum):
    PERSON = "person"
    #: All who hold it, by addresses of their own or by one that they share.
    ROLE = "role"
    #: Who is in it, where a policy asks a group of the company.
    GROUP = "group"


class Gathers(StrEnum):
    """How often somebody wants to be told at the most."""

    HOURLY = "hourly"
    DAILY = "daily"


@dataclass(frozen=True)
class Contact:
    kind: ContactKind
    #: A subject, or a role.
    name: str
    emails: tuple[str, ...] = ()
    gathers: Gathers | None = None
    muted: bool = False


def by_subject(subject: str, domains: Collection[str]) -> Contact | None:
    """Whose subject is an address of the company needs no contact."""
    local, at, domain = subject.rpartition("@")
    if at and local and domain.lower() in domains:
        return Contact(ContactKind.PERSON, subject, (subject,))
    return None
