"""A company's own fields of a use case, as its JSON Schema has them (`ASSENT_USE_CASE_SCHEMA`)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel


class SchemaInvalid(ValueError):
    """The file is no JSON Schema of an object."""


class Fault(BaseModel):
    #: From `facets` on.
    way: list[str | int]
    code: str
    detail: str


class CustomFields:
    """Without a schema a company has no fields of its own."""

    def __init__(self, schema: dict[str, Any] | None = None) -> None:
        self.schema = schema if schema is not None else {"type": "object", "additionalProperties": False}
        try:
            Draft202012Validator.check_schema(self.schema)
        except SchemaError as error:
            raise SchemaInvalid(error.message) from error
        self._validator = Draft202012Validator(self.schema)

    def faults(self, values: Any) -> Sequence[Fault]:
        """What is wrong with these values, in the order of the fields; the field at fault is named."""
        return [
            Fault(way=["custom", *error.absolute_path], code=str(error.validator), detail=error.message[:500])
            for error in sorted(self._validator.iter_errors(values), key=lambda error: list(map(str, error.path)))
        ]


def load(file: Path | None) -> CustomFields:
    """Raises SchemaInvalid, naming the file."""
    if file is None:
        return CustomFields()
    try:
        schema = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SchemaInvalid(f"{file}: {error}") from error
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise SchemaInvalid(f"{file}: the schema has to be of an object")
    try:
        return CustomFields(schema)
    except SchemaInvalid as error:
        raise SchemaInvalid(f"{file}: {error}") from error
