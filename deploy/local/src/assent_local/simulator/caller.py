"""Who calls, told from the signature's credential scope. The signature itself is not verified."""

import secrets
import string
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "eu-central-1"

_ALPHABET = string.ascii_uppercase + string.digits


class Place(NamedTuple):
    """An account in a region: what lives in one is not seen from another."""

    account: str
    region: str

    def arn(self, kind: str, path: str, service: str = "sagemaker") -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{kind}/{path}"

    @property
    def partition(self) -> str:
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"


@dataclass(frozen=True, slots=True)
class Caller:
    place: Place
    service: str
    access_key: str
    #: The role session that the key was issued to; none for a key of a user.
    session: str | None = None

    @property
    def arn(self) -> str:
        partition, account = self.place.partition, self.place.account
        return self.session or f"arn:{partition}:iam::{account}:user/{self.access_key}"

    @property
    def principal(self) -> str:
        return "AIDA" + self.access_key.upper().ljust(16, "0")[:16]


@lru_cache(maxsize=1024)
def caller_of(authorization: str) -> Caller:
    """The caller of a request with this Authorization header; one without a scope is S3's anonymous caller."""
    _, _, rest = authorization.partition("Credential=")
    parts = rest.partition(",")[0].split("/")
    if len(parts) != 5:
        return Caller(Place(DEFAULT_ACCOUNT, DEFAULT_REGION), "s3", "anonymous")
    access_key, _, region, service, _ = parts
    return Caller(Place(account_of(access_key) or DEFAULT_ACCOUNT, region), service, access_key)


def access_key_for(account: str) -> str:
    """A temporary access key id that says which account it acts in, so that it outlives a restart."""
    return f"ASIA{account}" + "".join(secrets.choice(_ALPHABET) for _ in range(4))


def account_of(access_key: str) -> str | None:
    account = access_key[4:16]
    return account if access_key.startswith("ASIA") and len(access_key) == 20 and account.isdigit() else None
