"""Secrets never leave in a line of the log, whoever's words they stand in: a driver's, a broker's, a stack's.

By the name of a field `telemetry` leaves out what is known to be one; here is what stands within a text.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote, urlsplit

import orjson
from pydantic import BaseModel, SecretStr

MASK = "…"
FEWEST = 8
"""Letters: what is shorter stands in half of all words."""
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
_OF_A_WEBHOOK = re.compile(r"whsec_[\w+/=-]+")
#: With a digit in it, for else it is a word.
_BORNE = re.compile(r"(?i)\b(bearer|basic)\s+(?=[^\s\d]*\d)[\w.~+/=-]{8,}")
_IN_A_URL = re.compile(r"(://[^\s/:@\"]*:)[^\s/@\"]+@")
_OF_AWS = re.compile(r"(?i)(X-Amz-(?:Signature|Security-Token|Credential)=)[^&\s\"\\]+")


class Mask:
    """Over whole lines of JSON, for a key or a stack may hold one as well."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        #: As they stand in JSON, the longest first: one may be part of another.
        found = {orjson.dumps(secret).decode()[1:-1] for secret in secrets if len(secret) >= FEWEST}
        self._secrets = sorted(found, key=len, reverse=True)

    def over(self, line: str) -> str:
        """Costs next to nothing where there is nothing to hide: each request writes a line."""
        for secret in self._secrets:
            if secret in line:
                line = line.replace(secret, MASK)
        if "eyJ" in line:
            line = _TOKEN.sub(MASK, line)
        if "whsec_" in line:
            line = _OF_A_WEBHOOK.sub(MASK, line)
        if "earer " in line or "asic " in line:
            line = _BORNE.sub(rf"\1 {MASK}", line)
        if "@" in line:
            line = _IN_A_URL.sub(rf"\1{MASK}@", line)
        if "mz-" in line:
            line = _OF_AWS.sub(rf"\1{MASK}", line)
        return line


def secrets_of(settings: BaseModel) -> Iterator[str]:
    """What a service is told and must not tell. A name to log in with is none, and a program's own is part of it."""
    for name, value in settings:
        if name.endswith("_username"):
            continue
        values = value.values() if isinstance(value, Mapping) else [value]
        for each in values:
            if isinstance(each, SecretStr):
                yield from _parts(each.get_secret_value())


def _parts(secret: str) -> Iterator[str]:
    """All of it, and of an address with a password the password, as it is written there and as it is meant."""
    yield secret
    try:
        password = urlsplit(secret).password if "://" in secret else None
    except ValueError:
        password = None
    if password:
        yield password
        yield unquote(password)
