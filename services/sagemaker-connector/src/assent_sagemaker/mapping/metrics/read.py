"""Bytes to metrics, whatever comes: a report that can't be read says why, and nothing raises.

Reading some tens of megabytes takes about a second of CPU: call it in a thread.
"""

import codecs
import hashlib
import json
import zlib

from assent_common.events.model import Json, Payload, UtcTime
from assent_common.events.registry import Metric
from pydantic import Field

from assent_sagemaker.mapping.metrics.limits import Limit, limits
from assent_sagemaker.mapping.metrics.names import canonical
from assent_sagemaker.mapping.metrics.shapes import Shape, measurements
from assent_sagemaker.mapping.rules import rules
from assent_sagemaker.mapping.safe import TooDeep, json_safe

MAX_BYTES = 50 * 1024 * 1024
"""Of a report, as stored and unpacked: data-quality statistics with their sketches stay below a tenth of it."""

MAX_METRICS = 200
"""Of a report with more numbers (bias over many facets) the first by name are kept, undotted names before dotted."""


EDITION = 1
"""Grows when this code sees more in a report than before: reports are read again then."""


class Reading(Payload):
    """What a report said: the last one per report is kept, so that its values stand when the next can't be read."""

    metrics: dict[str, Metric] = Field(default_factory=dict)
    #: What constraints allow, by the squashed name of the metric.
    limits: dict[str, Limit] = Field(default_factory=dict)
    shape: Shape
    #: `regression`, `binary_classification`, …, where the report's form tells.
    problem_kind: str | None = None
    #: SHA-256 of the bytes as stored, `sha256:…`.
    digest: str
    #: Which object it was, as S3 said.
    etag: str | None = None
    version_id: str | None = None
    written_at: UtcTime | None = None
    #: By which code and rules it was read.
    edition: str | None = None

    @property
    def is_up_to_date(self) -> bool:
        """Whether the same bytes would be read the same way now."""
        return self.edition == _edition()


class Unreadable(Payload):
    """A report that gave no values, and why, in words."""

    reason: str


def read(body: bytes, content_type: str | None = None) -> Reading | Unreadable:
    """What the report says. Never raises; the content type only makes the reason clearer, for it is often wrong.

    Of a key that an object gives twice the last one counts, as for the pipeline's own reader (`json`, JavaScript).
    """
    try:
        document = _parse(_text(_unpacked(body)))
    except _Refused as refusal:
        said = f" (said to be {content_type})" if content_type else ""
        return Unreadable(reason=f"{refusal}{said}")
    found = measurements(document)
    metrics = canonical(found.measurements)
    kept = dict(sorted(metrics.items(), key=lambda item: ("." in item[0], item[0]))[:MAX_METRICS])
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    return Reading(
        metrics=kept,
        limits=limits(document) if found.shape is Shape.CONSTRAINTS else {},
        shape=found.shape,
        problem_kind=found.problem_kind,
        digest=digest,
        edition=_edition(),
    )


def is_packed(body: bytes) -> bool:
    # By the first bytes: suffix and headers are often missing.
    return body.startswith(b"\x1f\x8b")


def unpacked_size(body: bytes) -> int:
    """In bytes, up to something beyond `MAX_BYTES`."""
    if not is_packed(body):
        return len(body)
    unpacker, size = zlib.decompressobj(wbits=31), 0
    try:
        while body and size <= MAX_BYTES and not unpacker.eof:
            size += len(unpacker.decompress(body, _PIECE))
            body = unpacker.unconsumed_tail
    except zlib.error:
        pass
    return size


_PIECE = 1024 * 1024


def _edition() -> str:
    return f"{EDITION} {rules().metrics.digest}"


class _Refused(Exception):
    pass


def _unpacked(body: bytes) -> bytes:
    if len(body) > MAX_BYTES:
        raise _Refused(f"larger than {MAX_BYTES // 1024**2} MB")
    if not is_packed(body):
        return body
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(body, MAX_BYTES + 1)
    except zlib.error as error:
        raise _Refused("damaged gzip") from error
    if len(unpacked) > MAX_BYTES:
        raise _Refused(f"larger than {MAX_BYTES // 1024**2} MB when unpacked")
    if not unpacker.eof:
        raise _Refused("truncated gzip")
    return unpacked


def _text(body: bytes) -> str:
    if not body.strip():
        raise _Refused("empty")
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        encoding = "utf-32" if body.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) else "utf-16"
    else:
        # JSON begins with an ASCII character, so that the NUL bytes among the first four tell (RFC 4627 §3).
        encoding = json.detect_encoding(body)
    # A description in Latin-1 must not cost the numbers beside it.
    return body.decode(encoding, errors="replace")


def _parse(text: str) -> Json:
    try:
        document = json.loads(text, parse_int=_whole, strict=False)
    except RecursionError as error:
        raise _Refused("nested too deep") from error
    except json.JSONDecodeError as error:
        raise _Refused(f"not JSON: {error.msg} at line {error.lineno}") from error
    try:
        # Bare NaN and Infinity, as Python writes them, and 1e999 become null here.
        document = json_safe(document)
    except TooDeep as error:
        raise _Refused(str(error)) from error
    if not isinstance(document, dict | list):
        raise _Refused(f"JSON, but a bare {type(document).__name__}")
    return document


def _whole(text: str) -> int | None:
    # int() refuses thousands of digits with a plain ValueError; no metric has them.
    return int(text) if len(text) <= 300 else None
