"""Amazon resource names of every partition: taken apart, put together, and compared as SageMaker means them."""

from dataclasses import dataclass
from typing import Self

_PARTITIONS = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("us-iso-", "aws-iso"),
    ("eu-isoe-", "aws-iso-e"),
    ("eusc-", "aws-eusc"),
)


class NotAnArn(ValueError):
    """The text is no ARN."""


@dataclass(frozen=True, slots=True)
class Arn:
    partition: str
    service: str
    region: str
    account: str
    #: `model-package`, `endpoint`, …
    kind: str
    #: What follows the kind: `churn/3`.
    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises NotAnArn for what is none; an ARN whose resource has no kind before its name (S3's) counts as none."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[1].startswith("aws"):
            raise NotAnArn(f"{text!r} is not an ARN")
        kind, separator, path = parts[5].partition("/")
        if not (separator and kind and path):
            raise NotAnArn(f"{text!r} names no resource")
        return cls(parts[1], parts[2], parts[3], parts[4], kind, path)

    def beside(self, kind: str, path: str) -> "Arn":
        """Another resource of the same account and region."""
        return Arn(self.partition, self.service, self.region, self.account, kind, path)

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.kind}/{self.path}"


def sagemaker(region: str, account: str, kind: str, path: str) -> Arn:
    return Arn(partition_of(region), "sagemaker", region, account, kind, path)


def partition_of(region: str) -> str:
    return next((partition for prefix, partition in _PARTITIONS if region.startswith(prefix)), "aws")


def group_of(package: Arn) -> Arn | None:
    """The model package group that a versioned package belongs to; none for an unversioned one.

    The group's name is spelled as in the package's ARN, where SageMaker may have lower-cased it: compare by `key`.
    """
    group, separator, _ = package.path.rpartition("/")
    return package.beside("model-package-group", group) if separator else None


def key(arn: str) -> str:
    """By what two ARNs are compared: SageMaker spells names in them now as given, now in lower case."""
    folded = arn.casefold()
    # Most are: a hundred thousand need not be held twice.
    return arn if arn == folded else folded
