"""One permission tried out: what AWS's answer says of it."""

import re
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

from assent_sagemaker.access.permissions import PERMISSIONS, Permission
from assent_sagemaker.aws.errors import AwsError, Conflict, CredentialsExpired, Denied, Gone, Unavailable

T = TypeVar("T")


class Verdict(StrEnum):
    WORKS = "works"
    MISSING = "missing"
    #: AWS did not say.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one permission."""

    action: str
    #: What it was tried on.
    tried_on: str
    verdict: Verdict
    needed: bool
    needed_for: str
    #: AWS's words, where it does not work.
    why: str | None = None
    #: What to add to the role's policy, where that is what it takes.
    statement: Mapping[str, Any] | None = None
    #: AWS or the network had a passing fault: it may be told later.
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    partition: str
    account: str


async def attempt(permission: Permission, tried_on: str, call: Awaitable[T], place: Place) -> tuple[Finding, T | None]:
    """The finding, and the answer if there was one."""
    try:
        answer = await call
    except AwsError as error:
        return judged(permission, tried_on, error, place), None
    return Finding(permission.action, tried_on, Verdict.WORKS, permission.needed, permission.needed_for), answer


def judged(permission: Permission, tried_on: str, error: AwsError, place: Place) -> Finding:
    """AWS asks whether somebody may before it looks whether there is such a thing: "not there" says that he may."""
    if isinstance(error, Gone | Conflict) or error.code in _THERE_IS_NO_SUCH:
        return Finding(permission.action, tried_on, Verdict.WORKS, permission.needed, permission.needed_for)
    verdict = Verdict.UNKNOWN
    statement = None
    if isinstance(error, Denied) and error.code in _FORBIDDEN:
        verdict = Verdict.MISSING
        permission = _lacking(permission, str(error))
        if "explicit deny" not in str(error):
            statement = permission.statement(place.partition, place.account)
    return Finding(
        *(permission.action, tried_on, verdict, permission.needed, permission.needed_for, str(error), statement),
        passing=isinstance(error, Unavailable | CredentialsExpired),
    )


def _lacking(tried: Permission, words: str) -> Permission:
    """Often AWS names what is missing, and it may be another permission than the one tried: that on a key, say."""
    named = _NAMED.search(words)
    if named is None or named["action"] == tried.action:
        return tried
    known = next((each for each in PERMISSIONS if each.action == named["action"]), None)
    resource = named["resource"]
    if known is None:
        return replace(tried, action=named["action"], resources=(resource or "*",))
    return replace(known, resources=(resource,)) if resource else known


_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})
#: A handle that no queue ever gave, a range of an empty object: whoever may not is told that first.
_THERE_IS_NO_SUCH = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue", "InvalidRange"})
_NAMED = re.compile(
    r"not authorized to perform: (?P<action>[a-z0-9-]+:[A-Za-z]+)(?: on resource: \"?(?P<resource>[^\s\"]+))?"
)
