"""Which systems of others may be sent to at all: those that the operator's list names, or any where there is none.

Beside the networks that an address may be in (`addresses`): the one is about names, the other about where they lead.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

import httpx

_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NOBODY = "none"


@dataclass(frozen=True)
class Hosts:
    """None of both: any host."""

    named: frozenset[str] | None = None
    #: Each with its dot in front: whatever ends so, and is longer.
    suffixes: tuple[str, ...] = ()

    @classmethod
    def of(cls, listed: str) -> Self:
        """Of `hooks.example.com,*.chat.example`; `none` is nobody. Raises ValueError, which names what is no host."""
        given = [each.strip() for each in listed.split(",") if each.strip()]
        if not given:
            return cls()
        if given == [_NOBODY]:
            return cls(frozenset())
        ends = [each[1:] for each in given if each.startswith("*.")]
        names = [_host(each) for each in given if not each.startswith("*.")]
        return cls(frozenset(names), tuple(f".{_host(each[1:])}" for each in ends))

    def allow(self, host: str) -> bool:
        """By the name as it is asked for, not by where it leads."""
        if self.named is None:
            return True
        try:
            name = _host(host)
        except ValueError:
            return False
        return name in self.named or any(name.endswith(suffix) and len(name) > len(suffix) for suffix in self.suffixes)


ANY = Hosts()


def _host(text: str) -> str:
    """As it is compared: small letters, A-labels, no dot at the end, addresses in their one way of being written."""
    name = text.strip("[]")
    try:
        return str(ip_address(name))
    except ValueError:
        pass
    try:
        name = httpx.URL(scheme="https", host=name.rstrip(".")).raw_host.decode("ascii").lower()
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise ValueError(f"{text!r} is no host") from error
    if not _NAME.fullmatch(name):
        raise ValueError(f"{text!r} is no host")
    return name
