"""What a source's versions name, by which its permissions can be tried: report buckets, keys, and who approved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import asyncpg
from assent_common.clock import to_utc
from assent_common.events.model import Json

from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.errors import AwsError
from assent_sagemaker.aws.limiter import Family
from assent_sagemaker.aws.listing import list_model_packages
from assent_sagemaker.aws.reports import address
from assent_sagemaker.mapping.documents import ModelPackage, Unmappable
from assent_sagemaker.reports import uris_of

LOOKED_AT = 1000
"""So many versions, those that changed last."""

BUCKETS = 10
DESCRIBED = 5

# Sorts what `records_source` finds; only those kept are read from where long values lie.
KEPT = """
select document from records
 where source = $1 and kind = 'model_version' and live
 order by changed_at desc limit $2
"""


@dataclass(frozen=True, slots=True)
class Approved:
    """A version that says Approved, and who changed it last: nobody else is known to have approved it."""

    version: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Samples:
    #: How many versions were looked at.
    versions: int
    #: Bucket → one report in it.
    reports: Mapping[str, str]
    #: Key → a version whose model card is encrypted with it.
    encrypted: Mapping[str, str]
    #: The newest first.
    approvals: Sequence[Approved]
    #: Who registered or changed versions.
    people: Sequence[str]

    @classmethod
    def of(cls, documents: Sequence[Mapping[str, Any]]) -> Self:
        reports: dict[str, str] = {}
        encrypted: dict[str, str] = {}
        approvals = []
        people: dict[str, None] = {}
        for document in documents:
            try:
                package = ModelPackage.from_document(document)
            except Unmappable:
                continue
            for uri in uris_of(package):
                bucket, key = address(uri)
                if bucket and key and len(reports) < BUCKETS:
                    reports.setdefault(bucket, key)
            security = package.raw.get("SecurityConfig")
            if isinstance(security, Mapping) and isinstance(security.get("KmsKeyId"), str):
                encrypted.setdefault(str(security["KmsKeyId"]), package.model_package_arn)
            by = _who(package.raw)
            if by is not None:
                people.setdefault(by)
                if package.model_approval_status == "Approved":
                    at = package.last_modified_time or package.creation_time
                    approvals.append(Approved(package.model_package_arn, by, to_utc(at)))
        approvals.sort(key=lambda each: each.at, reverse=True)
        return cls(len(documents), reports, encrypted, approvals, list(people))


async def kept(connection: asyncpg.Connection, source: str) -> list[Mapping[str, Any]]:
    """What was read of the source before."""
    return [row["document"] for row in await connection.fetch(KEPT, source, LOOKED_AT)]


async def described(account: Account) -> list[Mapping[str, Any]]:
    """A few versions, of a source that was never read. None where the role may not see them."""
    documents: list[Mapping[str, Any]] = []
    try:
        async for page in list_model_packages(account):
            for summary in page.records:
                arn = summary["ModelPackageArn"]
                # What is encrypted in it is not what it is looked at for.
                documents.append(
                    await account.call(
                        *("sagemaker", "describe_model_package", Family.DESCRIBE),
                        ModelPackageName=arn,
                        IncludedData="MetadataOnly",
                    )
                )
                if len(documents) == DESCRIBED:
                    return documents
    except AwsError:
        # What may not be done is found when it is tried.
        pass
    return documents


def _who(raw: Mapping[str, Json]) -> str | None:
    for field in ("LastModifiedBy", "CreatedBy"):
        match raw.get(field):
            case {"IamIdentity": {"Arn": str(arn)}} | {"UserProfileArn": str(arn)}:
                return arn
    return None
