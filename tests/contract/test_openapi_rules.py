"""The catalogue's OpenAPI by rules of our own, as a linter would find them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from assent_catalog import main
from jsonschema import Draft202012Validator

DOCUMENT = main.described()
_VERB = re.compile(
    r"^(get|list|create|put|patch|move|import|export|compare|rank|search|follow|add|remove|verify)_[a-z_]+$"
)


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


OPERATIONS = [pytest.param(*each, id=each[2]["operationId"]) for each in operations()]
each_operation = pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)


def test_there_are_operations() -> None:
    assert len(OPERATIONS) > 40


@each_operation
def test_an_operation_reads_well(path: str, method: str, operation: dict[str, Any]) -> None:
    assert _VERB.match(operation["operationId"]), "the id is a verb and what it is done to"
    assert len(operation["tags"]) == 1
    assert operation["summary"][0].isupper(), "a summary is a sentence"
    assert not operation["summary"].endswith(".")
    assert len(operation["summary"]) <= 60
    assert re.fullmatch(r"(/v1)(/[a-z-]+|/\{[a-z_]+\})+", path), "paths are lower case, words parted by hyphens"
    assert not path.endswith("/")
    assert operation["security"], "somebody in particular may call it"


@each_operation
def test_parameters_are_those_of_the_path_and_are_told(path: str, method: str, operation: dict[str, Any]) -> None:
    parameters = operation.get("parameters", [])
    names = [(parameter["in"], parameter["name"]) for parameter in parameters]
    assert len(names) == len(set(names))
    assert {name for where, name in names if where == "path"} == set(re.findall(r"\{(\w+)\}", path))
    for parameter in parameters:
        if parameter["in"] == "path":
            assert parameter["required"]
        if parameter["in"] == "query":
            assert re.fullmatch(r"[a-z_]+", parameter["name"])
    assert method != "get" or "requestBody" not in operation


@each_operation
def test_a_list_has_pages(path: str, method: str, operation: dict[str, Any]) -> None:
    names = {parameter["name"] for parameter in operation.get("parameters", [])}
    assert ("cursor" in names) is ("limit" in names)
    if "cursor" not in names:
        return
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    whole = schema["anyOf"][0] if "anyOf" in schema else schema
    page = DOCUMENT["components"]["schemas"][whole["$ref"].rpartition("/")[2]]
    assert {"items", "next_cursor"} <= set(page["properties"])


@each_operation
def test_every_answer_is_described_with_an_example(path: str, method: str, operation: dict[str, Any]) -> None:
    successes = [status for status in operation["responses"] if status.startswith("2")]
    assert successes
    for status, answer in operation["responses"].items():
        assert answer["description"]
        if status.startswith("2"):
            continue
        problem = answer["content"]["application/problem+json"]
        assert problem["schema"] == {"$ref": "#/components/schemas/ProblemDocument"}
        assert problem["example"]["status"] == int(status)
        assert problem["example"]["type"].startswith("https://assent.dev/problems/")
        _holds(problem["schema"], problem["example"])
    if operation["tags"] == ["audit"]:
        return
    examples = [
        (content["schema"], content["example"])
        for status in successes
        for content in operation["responses"][status].get("content", {}).values()
        if "example" in content
    ]
    assert examples, "no example of what it answers"
    for schema, example in examples:
        _holds(schema, example)


@each_operation
def test_what_is_sent_has_an_example_that_holds(path: str, method: str, operation: dict[str, Any]) -> None:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        reference = content["schema"].get("$ref", "").rpartition("/")[2]
        schema = DOCUMENT["components"]["schemas"].get(reference, content["schema"])
        examples = [given["value"] for given in content.get("examples", {}).values()]
        examples += [given["example"] for given in (content, schema) if "example" in given]
        assert examples, "no example of what is sent"
        for example in examples:
            _holds(content["schema"], example)


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_a_schema_is_one_and_is_used(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    Draft202012Validator.check_schema(schema)
    assert "__" not in name.strip("_"), "two things of one name: give them names of their own"
    assert f'#/components/schemas/{name}"' in _TEXT or name == "ProblemDocument"
    for member in schema.get("properties", {}):
        assert re.fullmatch(r"[a-z][a-z0-9_]*", member), member
    assert set(schema.get("required", [])) <= set(schema.get("properties", {}))


_TEXT = str(DOCUMENT).replace("'", '"')


def _holds(schema: dict[str, Any], example: Any) -> None:
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    assert [error.message for error in validator.iter_errors(example)] == []
