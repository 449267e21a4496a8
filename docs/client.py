"""The Python clients of the catalogue and the workflow, made of their OpenAPI: a typed method for each operation."""

import keyword
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from assent_catalog import main as catalog
from assent_workflow import main as workflow

FOLDER = Path(__file__).parents[1] / "libs" / "client" / "src" / "assent_client"
_MADE_BY = "# Made by `make docs` from the service's OpenAPI; a test holds them equal.\n"
_OPERATIONS = ("/health/", "/metrics")


class _Service(NamedTuple):
    name: str
    module: str
    types: str
    described: Callable[[], Mapping[str, Any]]
    #: What it is, in a sentence.
    words: str


SERVICES = (
    _Service(
        *("catalogue", "catalog", "types", catalog.described),
        "AI use cases and model versions: what exists, what it is for, how good it is, who agreed to it.",
    ),
    _Service(
        *("workflow", "workflow", "workflow_types", workflow.described),
        "Candidacies and reviews: who is asked for what, who said what of which content, and what may be deployed.",
    ),
)


def modules() -> dict[Path, str]:
    """All generated modules, as they ought to be."""
    made = {}
    for service in SERVICES:
        document = service.described()
        made[FOLDER / f"{service.types}.py"] = _formatted(_types(service, document["components"]["schemas"]))
        made[FOLDER / f"{service.module}.py"] = _formatted(_class(service, list(_operations(document))))
    return made


class _Parameter(NamedTuple):
    #: As Python has it, and as it is sent.
    name: str
    sent: str
    where: str
    required: bool
    type: str


class _Operation(NamedTuple):
    id: str
    method: str
    path: str
    summary: str
    parameters: Sequence[_Parameter]
    #: The type of the body that is sent, "bytes" for files, or None.
    body: str | None
    #: The type of what is answered; None where it is a stream.
    answer: str | None
    #: Of a list that has pages.
    item: str | None
    #: What chooses another form than JSON, where there is one.
    forms: _Parameter | None


def _operations(document: Mapping[str, Any]) -> Iterator[_Operation]:
    schemas = document["components"]["schemas"]
    for path, item in document["paths"].items():
        if path.startswith(_OPERATIONS):
            continue
        for method, operation in item.items():
            every = [_parameter(each) for each in operation.get("parameters", [])]
            success = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
            content = success.get("content")
            schema = (content or {}).get("application/json", {}).get("schema")
            answer = _type(schema, "types.") if schema is not None else None if content else "None"
            forms = next((each for each in every if each.name == "format" and answer is not None), None)
            parameters = [each for each in every if each is not forms]
            paged = schema is not None and any(each.name == "cursor" for each in parameters)
            yield _Operation(
                id=operation["operationId"],
                method=method.upper(),
                path=path,
                summary=operation["summary"],
                parameters=parameters,
                body=_body(operation.get("requestBody")),
                answer=answer,
                item=_item(schema, schemas) if paged else None,
                forms=forms._replace(required=True) if forms else None,
            )


def _parameter(described_: Mapping[str, Any]) -> _Parameter:
    sent = str(described_["name"])
    name = sent.replace("-", "_")
    return _Parameter(
        name=f"{name}_" if keyword.iskeyword(name) else name,
        sent=sent if described_["in"] != "header" else "-".join(part.title() for part in sent.split("-")),
        where=described_["in"],
        required=bool(described_.get("required")),
        type=_type(described_["schema"], "types.", given=True),
    )


def _body(described_: Mapping[str, Any] | None) -> str | None:
    if described_ is None:
        return None
    content = described_["content"]
    return "bytes" if "text/csv" in content else _type(content["application/json"]["schema"], "types.")


def _item(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    whole = schema["anyOf"][0] if "anyOf" in schema else schema
    page = schemas[whole["$ref"].rpartition("/")[2]]
    return _type(page["properties"]["items"]["items"], "types.")


def _type(schema: Mapping[str, Any], prefix: str = "", *, given: bool = False) -> str:
    """What a schema is in Python. `given` is for what callers give, who may say more than one way."""
    match schema:
        case {"$ref": str(reference)}:
            return prefix + _class_name(reference.rpartition("/")[2])
        case {"anyOf": [*members]}:
            # `fields` leaves members out; who asks for that knows which.
            return " | ".join(dict.fromkeys(_type(each, prefix, given=given) for each in members if not _part(each)))
        case {"enum": [*values]} | {"const": str() as values}:
            return f"Literal[{', '.join(repr(value) for value in ([values] if isinstance(values, str) else values))}]"
        case {"type": "array", "items": items}:
            kind = "Sequence" if given else "list"
            return f"{kind}[{_type(items, prefix, given=given)}]"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"dict[str, {_type(values, prefix)}]"
        case {"type": "object"}:
            return "dict[str, Any]"
        case {"type": "string", "format": "date-time"} if given:
            return "datetime | str"
        case {"type": str(name)}:
            return {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}[name]
    return "Any"


def _part(schema: Mapping[str, Any]) -> bool:
    return str(schema.get("$ref", "")).endswith("Part")


def _class_name(schema: str) -> str:
    if "__" in schema:
        # Of two of one name each has its module before it; that it is of this service goes without saying.
        return "".join(part.title() for part in schema.split("__")[1:-1]) + schema.rpartition("__")[2]
    return schema.replace("_", "")


def _types(service: _Service, schemas: Mapping[str, Any]) -> str:
    lines = [
        _MADE_BY,
        f'"""What the {service.name} takes and answers. A member that may be left out is `NotRequired`."""\n',
        "from __future__ import annotations\n",
        "from typing import Any, Literal, NotRequired, TypedDict\n",
    ]
    for name, schema in sorted(schemas.items(), key=lambda pair: "properties" in pair[1]):
        if name.endswith("Part"):
            continue
        if "properties" not in schema:
            lines.append(f"{_class_name(name)} = {_type(schema)}")
            continue
        lines.append(f"\nclass {_class_name(name)}(TypedDict):")
        required = schema.get("required", [])
        for member, of in schema["properties"].items():
            lines.append(f"    {member}: {_type(of) if member in required else f'NotRequired[{_type(of)}]'}")
    return "\n".join(lines) + "\n"


def _class(service: _Service, operations: Sequence[_Operation]) -> str:
    types = service.types if service.types == "types" else f"{service.types} as types"
    head = f'''{_MADE_BY}
"""The {service.name}, an operation a method."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from assent_client import {types}
from assent_client.answers import Answer, Changed

if TYPE_CHECKING:
    from assent_client.connection import Connection


class {service.module.title()}:
    """{service.words}"""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
'''
    return head + "\n".join(text for operation in operations for text in _methods(operation))


def _methods(operation: _Operation) -> Iterator[str]:
    id_, path = operation.id, _path(operation)
    query = _mapping(operation, "query")
    headers = _mapping(operation, "header")
    if operation.answer is None:
        if "event" in id_:
            returned, call = "AsyncIterator[Changed]", f"self._connection.events({path}, {query}, {headers})"
        else:
            returned = "AbstractAsyncContextManager[AsyncIterator[bytes]]"
            call = f"self._connection.stream({path}, query={query})"
        yield _method("def", id_, operation, returned, f"return {call}")
        return
    arguments = [f'"{operation.method}"', path]
    arguments += [f"query={query}"] if query != "{}" else []
    arguments += [f"headers={headers}"] if headers != "{}" else []
    if operation.body == "bytes":
        arguments[-1:] = [arguments[-1], 'headers={"Content-Type": content_type}', "content=body"]
    elif operation.body is not None:
        arguments += ["json=body"]
    call = f"return await self._connection.request({', '.join(arguments)})"
    yield _method("async def", id_, operation, f"Answer[{operation.answer}]", call)
    if operation.forms is not None:
        in_form = operation._replace(
            parameters=[*operation.parameters, operation.forms], summary=f"{operation.summary}, in another form"
        )
        call = f"return await self._connection.request('GET', {path}, query={_mapping(in_form, 'query')})"
        yield _method("async def", f"{id_}_as", in_form, "Answer[Any]", call)
    if operation.item is not None and id_.startswith("list_"):
        each = operation._replace(
            parameters=[parameter for parameter in operation.parameters if parameter.name != "cursor"],
            summary=f"{operation.summary}: each of them, page by page",
        )
        call = f"return self._connection.pages({path}, {_mapping(each, 'query')})"
        yield _method("def", f"each_{id_.removeprefix('list_')}", each, f"AsyncIterator[{operation.item}]", call)


def _method(how: str, name: str, operation: _Operation, returned: str, body: str) -> str:
    positional = [f"{each.name}: {each.type}" for each in operation.parameters if each.where == "path"]
    if operation.body is not None:
        positional.append(f"body: {operation.body.replace('dict[', 'Mapping[')}")
    named = [
        f"{each.name}: {each.type}" if each.required else f"{each.name}: {_optional(each.type)} = None"
        for each in sorted(operation.parameters, key=lambda each: not each.required)
        if each.where != "path"
    ]
    if operation.body == "bytes":
        named.insert(0, 'content_type: Literal["text/csv", "application/json", "application/jsonl"] = "text/csv"')
    arguments = ", ".join(["self", *positional, *(["*", *named] if named else [])])
    return f'    {how} {name}({arguments}) -> {returned}:\n        """{operation.summary}."""\n        {body}\n'


def _optional(type_: str) -> str:
    return type_ if type_.endswith("None") else f"{type_} | None"


def _path(operation: _Operation) -> str:
    path = operation.path
    names = [each.name for each in operation.parameters if each.where == "path"]
    for name in names:
        path = path.replace(f"{{{name}}}", f"{{quote({name}, safe='')}}")
    return f'{"f" if names else ""}"{path}"'


def _mapping(operation: _Operation, where: str) -> str:
    return "{" + ", ".join(f'"{each.sent}": {each.name}' for each in operation.parameters if each.where == where) + "}"


def _formatted(code: str) -> str:
    for command in (["check", "--fix-only", "--quiet", "--select", "I,UP,F"], ["format", "--quiet"]):
        ruff = [
            str(Path(sys.executable).with_name("ruff")),
            *command,
            "--stdin-filename",
            str(FOLDER / "types.py"),
            "-",
        ]
        code = subprocess.run(ruff, input=code, capture_output=True, text=True, check=True).stdout  # noqa: S603
    return code


def main() -> None:
    for module, text in modules().items():
        module.write_text(text)


if __name__ == "__main__":
    main()
