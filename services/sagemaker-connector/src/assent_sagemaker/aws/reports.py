"""Metrics reports in S3: the bytes, or why there are none."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.errors import AwsError, Denied, Gone, translated
from assent_sagemaker.aws.limiter import Family
from assent_sagemaker.mapping.metrics.read import MAX_BYTES, Unreadable

_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    etag: str | None
    version_id: str | None
    written_at: datetime | None


class Unchanged:
    """It is still the file of the ETag that was given."""


async def fetch(account: Account, uri: str, *, unless: str | None = None) -> File | Unchanged | Unreadable:
    """The file, whole, up to 50 MB, unless it still has this ETag. Never raises for what S3 or the network do: an
    outage is Unreadable like anything else, and worth trying again later.

    A bucket in another region is found by botocore, which follows `x-amz-bucket-region`.
    """
    bucket, key = address(uri)
    if not (bucket and key):
        return Unreadable(reason=f"{uri!r} is no address of an S3 object")
    parameters = {"Bucket": bucket, "Key": key} | ({"IfNoneMatch": unless} if unless else {})
    try:
        response = await account.call("s3", "get_object", Family.OBJECTS, **parameters)
        if "Body" not in response:
            return Unchanged()
        with translated("get_object"):
            body = await _body(response["Body"], response.get("ContentLength"))
    except Gone:
        return Unreadable(reason="there is no such file")
    except Denied:
        # Without s3:ListBucket, S3 answers 403 for what is missing, too.
        return Unreadable(reason="access denied, or there is no such file and the role may not list the bucket")
    except AwsError as error:
        return Unreadable(reason=f"S3 did not give it: {error}")
    if body is None:
        return Unreadable(reason=f"larger than {MAX_BYTES // 1024**2} MB")
    return File(body, response.get("ETag"), response.get("VersionId"), response.get("LastModified"))


def address(uri: str) -> tuple[str, str]:
    """Bucket and key; empty where it is no address of an object."""
    scheme, _, path = uri.partition("://")
    bucket, _, key = path.partition("/")
    return (bucket, key) if scheme == "s3" else ("", "")


async def _body(stream: Any, length: int | None) -> bytes | None:
    """The body; none as soon as it is too large: a stream left half read is dropped, not drained."""
    if length is not None and length > MAX_BYTES:
        stream.close()
        return None
    body = bytearray()
    try:
        if length is not None:
            # There is no more of it than was said; where there is less, that is raised.
            whole: bytes = await stream.read()
            return whole
        while chunk := await stream.read(_CHUNK):
            body += chunk
            if len(body) > MAX_BYTES:
                return None
        return bytes(body)
    finally:
        # Given back to the pool when it was read to its end.
        stream.close()
