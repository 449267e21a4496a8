"""`?fields=id,name`: only these members of what is answered, or of each item of a list."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, get_args

import orjson
from fastapi import Query
from pydantic import BaseModel
from starlette.responses import Response

from assent_common.http.problems import BadRequest, FieldError

NAME = "fields"
Fields = Annotated[
    str | None, Query(alias=NAME, max_length=1000, description="Only these members of each item, e.g. `id,name`")
]


def known(model: Any) -> frozenset[str]:
    """The members that can be asked for: those of the model, or of the items where it is a list of pages."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return frozenset()
    items = model.model_fields.get("items")
    of = get_args(items.annotation)[0] if items is not None else model
    return frozenset(of.model_fields)


def asked(text: str | None, of: Collection[str]) -> frozenset[str] | None:
    """Raises BadRequest for a member that there is not."""
    if text is None:
        return None
    names = frozenset(name.strip() for name in text.split(","))
    if unknown := sorted(names - frozenset(of)):
        detail = f"unknown field {unknown[0]!r}; known are {', '.join(sorted(of))}"
        raise BadRequest(detail, errors=[FieldError(pointer=f"?{NAME}", code="unknown_field", detail=detail)])
    return names


def only(response: Response, names: Collection[str]) -> Response:
    """The answer with these members alone; its headers stay."""
    document = orjson.loads(bytes(response.body))
    if isinstance(document.get("items"), list):
        document["items"] = [_of(item, names) for item in document["items"]]
    else:
        document = _of(document, names)
    kept = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(orjson.dumps(document), response.status_code, kept)


def describe(document: dict[str, Any]) -> None:
    """Say in an OpenAPI document that an answer may be a part: a schema `…Part` beside each that `fields` cuts."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    for item in document["paths"].values():
        for operation in item.values():
            if not any(parameter["name"] == NAME for parameter in operation.get("parameters", [])):
                continue
            content = operation["responses"]["200"]["content"]["application/json"]
            whole = content["schema"]
            if "$ref" in whole:
                content["schema"] = {"anyOf": [whole, _part(whole, schemas)]}


def _part(whole: Mapping[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    name = whole["$ref"].rpartition("/")[2]
    part = f"{name}Part"
    if part not in schemas:
        properties = dict(schemas[name]["properties"])
        required: list[str] = []
        if "items" in properties:
            properties["items"] = {"type": "array", "items": _part(properties["items"]["items"], schemas)}
            required = ["items"]
        schemas[part] = {
            "type": "object",
            "description": f"What `fields` asks for of {name.strip('_')}.",
            "properties": properties,
            "required": required,
        }
    return {"$ref": f"#/components/schemas/{part}"}


def _of(members: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name in names}
