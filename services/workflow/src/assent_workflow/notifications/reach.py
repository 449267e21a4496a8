"""How people can be reached here: what the settings say."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Reach:
    #: `mail`, `slack:governance`.
    channels: Collection[str] = ()
    public_url: str | None = None
    #: Of the company: whose subject is an address there needs no contact.
    domains: Collection[str] = ()
