"""S3, by path: buckets and objects, and objects whose bytes are made up when they are asked for."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape

from assent_common import ids
from assent_common.clock import Clock

from assent_local.simulator.answers import Answer
from assent_local.simulator.caller import Place
from assent_local.simulator.errors import AwsError
from assent_local.simulator.faults import Dials
from assent_local.simulator.store import Kind, Record, Store

#: A bucket's name is one in the whole world.
EVERYWHERE = Place("", "")

#: The bytes of an object that is not stored, if there is one of this key: the seeded reports.
MadeUp = Callable[[str, str], bytes | None]

_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_KEYS_MAX = 1000


class Buckets:
    def __init__(self, store: Store, dials: Dials, clock: Clock, made_up: MadeUp) -> None:
        self._store = store
        self._dials = dials
        self._clock = clock
        self._made_up = made_up

    def make(self, bucket: str) -> None:
        self._store.put(Kind.BUCKET, EVERYWHERE, bucket, {})

    def put(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str]) -> str:
        """The ETag of the object as stored."""
        etag = _etag(body)
        document = {
            "ETag": etag,
            "LastModified": self._clock.now().timestamp(),
            "ContentType": headers.get("content-type", "binary/octet-stream"),
            "ContentEncoding": headers.get("content-encoding"),
        }
        self._store.put(Kind.OBJECT, EVERYWHERE, f"{bucket}/{key}", document, body)
        return etag

    def operation(self, method: str, bucket: str, key: str, query: Mapping[str, str]) -> str:
        """The name of the operation that the request means."""
        match (method, bool(key)):
            case ("GET", True):
                return "GetObject"
            case ("HEAD", True):
                return "HeadObject"
            case ("PUT", True):
                return "PutObject"
            case ("DELETE", True):
                return "DeleteObject"
            case ("PUT", False) if bucket:
                return "CreateBucket"
            case ("GET", False) if query.get("list-type") == "2":
                return "ListObjectsV2"
        raise AwsError("NotImplemented", f"{method} is not simulated here.", 501)

    async def call(
        self,
        operation: str,
        bucket: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        if operation == "CreateBucket":
            self.make(bucket)
            return Answer(200, headers={"Location": f"/{bucket}"})
        if self._store.get(Kind.BUCKET, EVERYWHERE, bucket) is None:
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
        match operation:
            case "ListObjectsV2":
                return self._list(bucket, query)
            case "PutObject":
                return Answer(200, headers={"ETag": self.put(bucket, key, body, headers)})
            case "DeleteObject":
                self._store.remove(Kind.OBJECT, EVERYWHERE, f"{bucket}/{key}")
                return Answer(204)
        return await self._read(operation, bucket, key, headers)

    async def _read(self, operation: str, bucket: str, key: str, headers: Mapping[str, str]) -> Answer:
        fault = self._dials.s3_fault(bucket, key)
        match fault.kind if fault else None:
            case "access_denied":
                raise AwsError("AccessDenied", "Access Denied", 403)
            case "key_denied":
                raise AwsError("AccessDenied", "User is not authorized to perform: kms:Decrypt on this object", 403)
            case "not_found":
                raise _no_such_key()
            case "server_error":
                raise AwsError("InternalError", "We encountered an internal error. Please try again.", 500)
            case "slow":
                await asyncio.sleep(fault.delay_s if fault else 0)
        record = self._find(bucket, key)
        answer = _whole(record) if "range" not in headers else _part(record, headers["range"])
        if fault and fault.kind == "truncated" and operation == "GetObject":
            return Answer(answer.status, answer.body, answer.headers, cut_at=len(answer.body) // 2)
        return answer

    def _find(self, bucket: str, key: str) -> Record:
        record = self._store.get(Kind.OBJECT, EVERYWHERE, f"{bucket}/{key}")
        if record is not None:
            return record
        body = self._made_up(bucket, key)
        if body is None:
            raise _no_such_key()
        return Record({"ETag": _etag(body), "LastModified": 0, "ContentType": "application/json"}, body)

    def _list(self, bucket: str, query: Mapping[str, str]) -> Answer:
        start = f"{bucket}/{query.get('prefix', '')}"
        after = f"{bucket}/{query.get('continuation-token') or query.get('start-after', '')}"
        count = min(int(query.get("max-keys", _KEYS_MAX)), _KEYS_MAX)
        objects = self._store.all(Kind.OBJECT, EVERYWHERE)
        paths = sorted(path for path in objects if path.startswith(start) and path > after)
        page, more = paths[:count], len(paths) > count
        contents = "".join(_entry(path.removeprefix(f"{bucket}/"), objects[path]) for path in page)
        token = page[-1].removeprefix(f"{bucket}/") if more else None
        next_token = f"<NextContinuationToken>{escape(token)}</NextContinuationToken>" if token else ""
        xml = (
            f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="{_XMLNS}"><Name>{bucket}</Name>'
            f"<Prefix>{escape(query.get('prefix', ''))}</Prefix><KeyCount>{len(page)}</KeyCount>"
            f"<MaxKeys>{count}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{next_token}{contents}"
            "</ListBucketResult>"
        )
        return Answer(200, xml.encode(), {"Content-Type": "application/xml"})


def refusal(error: AwsError, resource: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{error.code}</Code>'
        f"<Message>{escape(error.message)}</Message><Resource>{escape(resource)}</Resource>"
        f"<RequestId>{ids.new()}</RequestId></Error>"
    ).encode()


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _no_such_key() -> AwsError:
    return AwsError("NoSuchKey", "The specified key does not exist.", 404)


def _headers(record: Record) -> dict[str, str]:
    headers = {
        "ETag": record.document["ETag"],
        "Last-Modified": format_datetime(datetime.fromtimestamp(record.document["LastModified"], UTC), usegmt=True),
        "Content-Type": record.document["ContentType"],
        "Accept-Ranges": "bytes",
    }
    encoding = record.document.get("ContentEncoding")
    return headers | {"Content-Encoding": encoding} if encoding else headers


def _whole(record: Record) -> Answer:
    return Answer(200, record.body, _headers(record))


def _part(record: Record, asked: str) -> Answer:
    matched, size = _RANGE.fullmatch(asked), len(record.body)
    if matched is None or not any(matched.groups()):
        return _whole(record)
    first, last = matched.groups()
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        raise AwsError("InvalidRange", "The requested range is not satisfiable", 416)
    return Answer(
        206, record.body[start : end + 1], {**_headers(record), "Content-Range": f"bytes {start}-{end}/{size}"}
    )


def _entry(key: str, record: Record) -> str:
    modified = datetime.fromtimestamp(record.document["LastModified"], UTC)
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
        f"<ETag>{escape(record.document['ETag'])}</ETag><Size>{len(record.body)}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )
