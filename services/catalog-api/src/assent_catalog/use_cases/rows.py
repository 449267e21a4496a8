"""Use cases as rows of a file: CSV with a column for each field, or JSON. Plain values: nothing is read or written.

What `/v1/exports/use-cases` writes is taken back.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from assent_common import strict_json

from assent_catalog.use_cases.facets import Facets

MOST_ROWS = 1_000
PLAIN = ("key", "name", "description", "owner")
#: Written by the export, but not by people.
NOT_WRITTEN = frozenset(
    {"id", "stage", "risk_class", "complete", "model_versions", "created_by", "created_at", "modified_at"}
)


class FileInvalid(ValueError):
    """It cannot be read as rows at all."""


class Row(NamedTuple):
    #: As a spreadsheet counts: the header is row 1. In JSON, the first is 1.
    number: int
    #: A use case's key and a merge patch of what it says.
    document: dict[str, Any]


def from_json(body: bytes) -> list[Row]:
    """An array of objects, or an object a line. Raises FileInvalid."""
    try:
        if body.lstrip().startswith(b"["):
            documents = strict_json.loads(body, max_depth=10)
        else:
            documents = [strict_json.loads(line, max_depth=10) for line in body.splitlines() if line.strip()]
    except ValueError as error:
        raise FileInvalid(f"not JSON: {error}") from error
    if not all(isinstance(document, dict) for document in documents):
        raise FileInvalid("every row has to be an object")
    return [
        Row(number, {name: value for name, value in document.items() if name not in NOT_WRITTEN})
        for number, document in enumerate(_bounded(documents), 1)
    ]


def from_csv(body: bytes) -> list[Row]:
    """Columns are `key`, `name`, `description`, `owner`, `links`, `legal` (JSON) or `legal.risk_class`. Raises
    FileInvalid.

    An empty cell says nothing; several values are parted by semicolons, or are JSON.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileInvalid(f"not UTF-8: {error}") from error
    if "\0" in text:
        raise FileInvalid("contains the character U+0000")
    try:
        header, *lines = list(csv.reader(io.StringIO(text, newline=""), strict=True)) or [[]]
    except csv.Error as error:
        raise FileInvalid(f"not CSV: {error}") from error
    if unknown := [name for name in header if name not in {*PLAIN, "links", *NOT_WRITTEN} and not _is_field(name)]:
        raise FileInvalid(f"unknown column {unknown[0]!r}")
    if "key" not in header:
        raise FileInvalid("there is no column 'key'")
    return [Row(number, dict(_cells(header, line, number))) for number, line in enumerate(_bounded(lines), 2)]


def _cells(header: Sequence[str], line: Sequence[str], number: int) -> Iterator[tuple[str, Any]]:
    if len(line) != len(header):
        raise FileInvalid(f"row {number} has {len(line)} cells, and the header {len(header)}")
    facets: dict[str, dict[str, Any]] = {}
    for name, cell in zip(header, line, strict=True):
        text = _plain(cell)
        if not text or name in NOT_WRITTEN:
            continue
        facet, _, field = name.partition(".")
        if name in PLAIN:
            yield name, text
        elif name == "links":
            yield name, _json(text, name, number)
        elif field:
            facets.setdefault(facet, {})[field] = _value(facet, field, text, number)
        else:
            facets.setdefault(facet, {}).update(_json(text, name, number))
    if facets:
        yield "facets", facets


def _plain(cell: str) -> str:
    """Without the apostrophe behind which the export puts what looks like a formula."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip()[:1] in tuple("=+-@＝＋－＠") else cell  # noqa: RUF001


def _value(facet: str, field: str, text: str, number: int) -> Any:
    if text[0] in "[{":
        return _json(text, f"{facet}.{field}", number)
    if (facet, field) in _SEVERAL:
        return [part.strip() for part in text.split(";") if part.strip()]
    return text


def _json(text: str, name: str, number: int) -> Any:
    try:
        return strict_json.loads(text.encode(), max_depth=10)
    except ValueError as error:
        raise FileInvalid(f"row {number}, column {name!r}: not JSON: {error}") from error


def _bounded(rows: Any) -> Any:
    if len(rows) > MOST_ROWS:
        raise FileInvalid(f"a file has at most {MOST_ROWS} rows")
    return rows


def _is_field(name: str) -> bool:
    facet, dot, field = name.partition(".")
    return facet in _FIELDS and (not dot or facet == "custom" or field in _FIELDS[facet])


_SCHEMAS: dict[str, dict[str, Any]] = {
    name: getattr(field.annotation, "model_json_schema", dict[str, Any])().get("properties", {})
    for name, field in Facets.model_fields.items()
}
_FIELDS = {facet: frozenset(properties) for facet, properties in _SCHEMAS.items()}
_SEVERAL = {
    (facet, field)
    for facet, properties in _SCHEMAS.items()
    for field, schema in properties.items()
    if any(choice.get("type") == "array" for choice in schema.get("anyOf", ()))
}
