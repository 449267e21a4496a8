"""Who is told of what happened, where, and in which words. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from assent_workflow.contacts.model import Contact, ContactKind, by_subject
from assent_workflow.notifications import words
from assent_workflow.notifications.happenings import Happening
from assent_workflow.notifications.rules import MAIL, Rule, Rules, When

#: Who is told of a finding where nobody owns it, or who does cannot be reached: they can accept its risk.
ANSWERS_FOR_THE_REST = "risk"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """To one address."""

    channel: str
    address: str
    recipient: str
    kind: str
    about: UUID
    thread: UUID
    subject: str
    text: str
    link: str | None
    #: When it is told, where it is gathered.
    gathered_until: datetime | None = None


@dataclass(frozen=True)
class Book:
    """Whom names stand for, and where they are reached; as far as it was looked up."""

    contacts: Mapping[tuple[ContactKind, str], Contact] = field(default_factory=dict)
    #: A name → the person's subject, where they differ.
    subjects: Mapping[str, str] = field(default_factory=dict)
    #: Role → the subjects of those who an admin says hold it.
    members: Mapping[str, Collection[str]] = field(default_factory=dict)
    #: Group → the subjects of those who an admin says are in it, each with the roles that he says they hold.
    groups: Mapping[str, Mapping[str, Collection[str]]] = field(default_factory=dict)
    #: Of the company: whose subject is an address there needs no contact.
    domains: Collection[str] = ()

    def person(self, name: str) -> Contact | None:
        subject = self.subjects.get(name, name)
        known = self.contacts.get((ContactKind.PERSON, subject))
        own = by_subject(subject, self.domains)
        if known is None or known.emails or own is None:
            return known or own
        return Contact(known.kind, known.name, own.emails, known.gathers, known.muted)

    def role(self, name: str) -> list[Contact]:
        """By the addresses of the role, or else by those of all who are known to hold it."""
        return self._shared(ContactKind.ROLE, name) or self._people(self.members.get(name, ()))

    def group(self, name: str, *, of: str | None = None) -> list[Contact]:
        """By the addresses of the group, or else by those of all in it, but for who is known not to hold the role."""
        inside = self.groups.get(name, {})
        asked = [subject for subject, roles in inside.items() if of is None or not roles or of in roles]
        return self._shared(ContactKind.GROUP, name) or self._people(asked)

    def _shared(self, kind: ContactKind, name: str) -> list[Contact]:
        known = self.contacts.get((kind, name))
        return [known] if known is not None and known.emails else []

    def _people(self, subjects: Collection[str]) -> list[Contact]:
        return [person for subject in subjects if (person := self.person(subject))]


class Names(NamedTuple):
    """Who may be told of something."""

    people: set[str]
    roles: set[str]
    groups: set[str]


def names(happening: Happening, rules: Rules) -> Names:
    named = (happening.assignee, happening.substitute, happening.owner, happening.proposer)
    people = {name for name in named if name}
    people |= {each.substitute for each in happening.stand_ins}
    role, group = happening.role, happening.group
    found = Names(people, {role} if role else set(), {group} if group else set())
    if happening.is_of_finding:
        found.roles.add(ANSWERS_FOR_THE_REST)
    of_kind = {ContactKind.PERSON: found.people, ContactKind.ROLE: found.roles, ContactKind.GROUP: found.groups}
    for rule in rules.that_fit(happening):
        for recipient in rule.to:
            kind, _, name = recipient.partition(":")
            if name:
                of_kind[ContactKind(kind)].add(name)
    return found


def plan(
    happening: Happening,
    rules: Rules,
    book: Book,
    *,
    channels: Collection[str],
    public_url: str | None,
    now: datetime,
) -> Iterator[Notice]:
    """One for each address; of several rules the first counts. `channels` are those that there are."""
    told: set[tuple[str, str]] = set()
    for rule in rules.that_fit(happening):
        if rule.by not in channels:
            continue
        for address, contact, instead_of in _addresses(happening, rule, book):
            channel = rule.by.partition(":")[0]
            if (channel, address) in told:
                continue
            told.add((channel, address))
            if contact is not None and contact.muted:
                continue
            when = When(contact.gathers) if contact is not None and contact.gathers else rule.when
            yield Notice(
                channel=channel,
                address=address,
                recipient=f"{contact.kind}:{contact.name}" if contact else address,
                kind=happening.kind,
                about=happening.about,
                thread=happening.candidacy or happening.about,
                subject=words.subject_of(happening, rule),
                text=words.text_of(happening, rule, instead_of=instead_of),
                link=words.link_of(happening, public_url),
                gathered_until=None if when is When.AT_ONCE else rules.digest.next_after(now, when),
            )


class _To(NamedTuple):
    contact: Contact
    #: For whom, where it is one who stands in.
    instead_of: str | None = None


def _addresses(happening: Happening, rule: Rule, book: Book) -> Iterator[tuple[str, Contact | None, str | None]]:
    if rule.by != MAIL:
        yield rule.by.partition(":")[2], None, None
        return
    for recipient in rule.to:
        for contact, instead_of in _recipients(happening, recipient, book):
            if contact.kind is ContactKind.PERSON and contact.name == happening.actor:
                continue
            for email in contact.emails:
                yield email, contact, instead_of


def _recipients(happening: Happening, recipient: str, book: Book) -> Sequence[_To]:
    kind, _, name = recipient.partition(":")
    if kind == "asked":
        return [*_asked(happening, book)]
    if kind == ContactKind.ROLE:
        return [_To(each) for each in book.role(name)]
    if kind == ContactKind.GROUP:
        return [_To(each) for each in book.group(name)]
    if kind == "owner" and happening.is_of_finding:
        return [*_owners(happening, book)]
    of_it = {"proposer": happening.proposer, "owner": happening.owner, "substitute": happening.substitute}
    named = of_it.get(kind, name)
    found = book.person(named) if named else None
    return [_To(found)] if found is not None else []


def _owners(happening: Happening, book: Book) -> Iterator[_To]:
    """By name, or else a role: what serves unaccepted is often of nobody, and is no less a finding for it."""
    person = book.person(happening.owner) if happening.owner else None
    if person is not None and (person.emails or person.muted):
        yield _To(person)
    else:
        yield from map(_To, book.role(ANSWERS_FOR_THE_REST))


def _asked(happening: Happening, book: Book) -> Iterator[_To]:
    """By name, or else all of the role and the group; then those who may decide it in their place."""
    person = book.person(happening.assignee) if happening.assignee else None
    by_name = person if person is not None and (person.emails or person.muted) else None
    if by_name is not None:
        yield _To(by_name)
    elif happening.role is not None:
        of_group = book.group(happening.group, of=happening.role) if happening.group else []
        # Rather all of the role than nobody.
        yield from map(_To, of_group or book.role(happening.role))
    for each in happening.stand_ins:
        stand_in = book.person(each.substitute)
        if stand_in is not None and (by_name is None or each.delegator == by_name.name):
            yield _To(stand_in, each.delegator)
