"""Bytes to metrics, whatever comes: a report that can't be read says why, and nothing raises.

Reading some tens of megabytes takes about a second of CPU: call it in a thread.
"""

import codecs
import hashlib
import json
import zlib

from assent_common.events.model import Json, Payload
from assent_common.events.registry import Metric
from pydantic import Field

from assent_sagemaker.mapping.metrics.names import canonical
from assent_sagemaker.mapping.metrics.shapes import Shape, measurements
from assent_sagemaker.mapping.safe import TooDeep, json_safe

MAX_BYTES = 50 * 1024 * 1024
"""Of a report, as stored and unpacked: data-quality statistics with their sketches stay below a tenth of it."""

MAX_METRICS = 200
"""Of a report with more numbers (bias over many facets) the first by name are kept, undotted names before dotted."""


class Reading(Payload):
    """What a report said: the last one per report is kept, so that its values stand when the next can't be read."""

    metrics: dict[str, Metric] = Field(default_factory=dict)
    shape: Shape
    #: `regression`, `binary_classification`, …, where the report's form tells.
    problem_kind: str | None = None
    #: SHA-256 of the bytes as stored, `sha256:…`.
    digest: str


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
    return Reading(metrics=kept, shape=found.shape, problem_kind=found.problem_kind, digest=digest)


class _Refused(Exception):
    pass


def _unpacked(body: bytes) -> bytes:
    if len(body) > MAX_BYTES:
        raise _Refused(f"larger than {MAX_BYTES // 1024**2} MB")
    if not body.startswith(b"\x1f\x8b"):
        return body
    # By the first bytes: suffix and headers are often missing.
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
