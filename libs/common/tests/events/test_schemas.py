"""The schemas in the repository are what the models say, and only ever grow."""

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from assent_common.events import envelope, json_schemas

from libs.common.tests.events.compatibility import breaks

REPOSITORY = Path(__file__).parents[4]


def test_the_files_are_what_the_models_generate() -> None:
    generated = {name: json_schemas.text_of(schema) for name, schema in json_schemas.generate().items()}
    kept = {file.name: file.read_text(encoding="utf-8") for file in json_schemas.FOLDER.glob("*.json")}
    stale = sorted(name for name in generated.keys() | kept.keys() if generated.get(name) != kept.get(name))
    assert stale == [], "run `python -m assent_common.events.json_schemas` and commit what it writes"


def test_every_schema_is_one_and_says_who_it_is() -> None:
    schemas = json_schemas.generate()
    assert len(schemas) == len(envelope.TYPES) + 1
    for name, schema in schemas.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$id"] == f"https://assent.dev/schemas/{name}"
    for type_ in envelope.TYPES:
        assert envelope.DATASCHEMA.format(type=type_) == schemas[f"{type_}.json"]["$id"]


def test_within_a_version_schemas_only_grow() -> None:
    """Against the branch point where there is one; in a shallow clone against what was committed last."""
    if not _git("rev-parse", "HEAD"):
        pytest.skip("not a git repository: there is nothing to compare with")
    before, now = _committed(_base()), json_schemas.generate()
    assert [f"{name}: {fault}" for name, schema in before.items() for fault in breaks(schema, now.get(name))] == []


def _base() -> str:
    return _git("merge-base", "HEAD", "origin/HEAD") or _git("merge-base", "HEAD", "origin/main") or "HEAD"


def _committed(revision: str) -> dict[str, dict[str, Any]]:
    folder = json_schemas.FOLDER.relative_to(REPOSITORY).as_posix()
    names = _git("ls-tree", "--name-only", revision, f"{folder}/").splitlines()
    return {Path(name).name: json.loads(_git("show", f"{revision}:{name}")) for name in names}


def _git(*arguments: str) -> str:
    """What git says; nothing where there is no such revision, or no repository at all."""
    return subprocess.run(
        ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout.strip()


OLD: dict[str, Any] = {
    "type": "object",
    "$defs": {"Kind": {"type": "string", "enum": ["model", "version"]}},
    "properties": {
        "urn": {"type": "string"},
        "kind": {"$ref": "#/$defs/Kind"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "parts": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
    },
    "required": ["urn", "kind"],
}


def changed(**changes: Any) -> dict[str, Any]:
    return OLD | {"properties": {name: f for name, f in (OLD["properties"] | changes).items() if f is not ...}}


def with_words(*words: str) -> dict[str, Any]:
    return OLD | {"$defs": {"Kind": {"type": "string", "enum": list(words)}}}


def parts(**properties: Any) -> dict[str, Any]:
    return changed(parts={"type": "array", "items": {"type": "object", "properties": properties}})


TEXT, NUMBER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "null"}
GROWN = {
    "the same": OLD,
    "an optional field more": changed(mood=TEXT),
    "a field of a further type": changed(note={"anyOf": [TEXT, NULL, NUMBER]}),
    "a field that may be null now": changed(urn={"anyOf": [TEXT, NULL]}),
    "a new word": with_words("model", "version", "dataset"),
    "other words about it": changed(urn={"type": "string", "description": "who", "title": "Urn"}),
    "a part more within": parts(a=TEXT, b={}),
}
BROKEN = {
    "a field gone": changed(note=...),
    "a field of another type": changed(urn=NUMBER),
    "a field that no longer may be null": changed(note=TEXT),
    "a word gone": with_words("model"),
    "a new field that must be there": changed(mood=TEXT) | {"required": ["urn", "kind", "mood"]},
    "a field that may lack now": OLD | {"required": ["urn"]},
    "values of another type": changed(tags={"type": "object", "additionalProperties": NUMBER}),
    "a part within of another type": parts(a=NUMBER),
    "a part within gone": parts(),
    "a pattern that was not asked for": changed(urn={"type": "string", "pattern": "^arn:"}),
    "the whole schema gone": None,
}


@pytest.mark.parametrize("what", GROWN)
def test_growth_breaks_nothing(what: str) -> None:
    assert list(breaks(OLD, GROWN[what])) == []


@pytest.mark.parametrize("what", BROKEN)
def test_everything_else_does(what: str) -> None:
    assert list(breaks(OLD, BROKEN[what])) != []
