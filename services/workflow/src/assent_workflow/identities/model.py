"""What a name elsewhere stands for: an AWS principal, or what a use case's facet says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Person(NamedTuple):
    """Who somebody is: both together, never a name or an e-mail."""

    issuer: str
    subject: str


@dataclass(frozen=True)
class Known:
    """A name, and whom an admin says that it stands for."""

    name: str
    #: Absent where it stands for no person, a pipeline's role say, and where nobody has said.
    person: Person | None = None
    #: Whether somebody has said.
    told: bool = False

    def is_(self, person: Person) -> bool:
        """What nobody has said of is taken for a subject, the company's own name for a person."""
        return self.person == person if self.told else self.name == person.subject


@dataclass(frozen=True)
class Colleague:
    """Somebody of whom an admin has said which roles and groups are theirs, and how much is given to them."""

    person: Person
    roles: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    #: Open tasks.
    load: int = 0


class Identities:
    """As far as they were looked up."""

    def __init__(self, told: Mapping[str, Person | None] | None = None) -> None:
        self._told = told or {}

    def of(self, name: str) -> Known:
        return Known(name, self._told.get(name), told=name in self._told)
