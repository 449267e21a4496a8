"""Who is told of what happened, where, and in which words. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from assent_workflow.contacts.model import Contact, ContactKind, by_subject
from assent_workflow.notifications import words
from assent_workflow.notifications.happenings import Happening
from assent_workflow.notifications.rules import MAIL, Rule, Rules, When


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
        known = self.contacts.get((ContactKind.ROLE, name))
        if known is not None and known.emails:
            return [known]
        return [person for subject in self.members.get(name, ()) if (person := self.person(subject))]


def names(happening: Happening, rules: Rules) -> tuple[set[str], set[str]]:
    """People and roles that may be told of it."""
    people = {name for name in (happening.assignee, happening.owner, happening.proposer) if name}
    roles = {happening.role} if happening.role else set()
    for rule in rules.that_fit(happening):
        for recipient in rule.to:
            kind, _, name = recipient.partition(":")
            if name:
                (people if kind == ContactKind.PERSON else roles).add(name)
    return people, roles


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
        for address, contact in _addresses(happening, rule, book):
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
                text=words.text_of(happening, rule),
                link=words.link_of(happening, public_url),
                gathered_until=None if when is When.AT_ONCE else rules.digest.next_after(now, when),
            )


def _addresses(happening: Happening, rule: Rule, book: Book) -> Iterator[tuple[str, Contact | None]]:
    if rule.by != MAIL:
        yield rule.by.partition(":")[2], None
        return
    for recipient in rule.to:
        for contact in _contacts(happening, recipient, book):
            if contact.kind is ContactKind.PERSON and contact.name == happening.actor:
                continue
            for email in contact.emails:
                yield email, contact


def _contacts(happening: Happening, recipient: str, book: Book) -> Sequence[Contact]:
    kind, _, name = recipient.partition(":")
    if kind == "asked":
        person = book.person(happening.assignee) if happening.assignee else None
        if person is not None and (person.emails or person.muted):
            return [person]
        return book.role(happening.role) if happening.role else []
    if kind == ContactKind.ROLE:
        return book.role(name)
    named = {"proposer": happening.proposer, "owner": happening.owner}.get(kind, name)
    found = book.person(named) if named else None
    return [found] if found is not None else []
