"""The pages that are made of the code are made of the code as it is."""

from collections.abc import Iterator
from typing import Any

import yaml
from assent_common.events import envelope, json_schemas
from assent_common.kafka import topics

from docs import asyncapi, client, generate

BY_HAND = {"sagemaker-traps.md"}


def test_the_reference_is_what_make_docs_writes() -> None:
    made = generate.pages()
    assert len(made) == 5
    assert {page.name for page in generate.REFERENCE.iterdir()} == {page.name for page in made} | BY_HAND
    for page, text in made.items():
        assert page.read_text() == text, f"{page.name} is not current: make docs"


def test_the_client_is_what_the_openapi_says() -> None:
    made = client.modules()
    assert len(made) == 4
    for module, text in made.items():
        assert module.read_text() == text, f"{module.name} is not current: make docs"


def test_the_schemas_are_those_of_the_events() -> None:
    made = json_schemas.generate()
    assert len(made) > 10
    assert {file.name for file in json_schemas.FOLDER.iterdir()} == set(made)
    for name, schema in made.items():
        kept = (json_schemas.FOLDER / name).read_text(encoding="utf-8")
        assert kept == json_schemas.text_of(schema), f"{name} is not current: make docs"


def test_every_topic_is_told_of() -> None:
    assert set(asyncapi.EVENTS) == set(topics.ALL)


def test_the_asyncapi_document_tells_of_every_type_and_refers_to_what_is_there() -> None:
    described = yaml.safe_load(asyncapi.document())
    messages = described["components"]["messages"]
    assert {message["name"] for message in messages.values()} == set(envelope.TYPES)
    told = [name for channel in described["channels"].values() for name in channel["messages"]]
    assert sorted(told) == sorted(messages)
    references = list(_references(described))
    assert len(references) > 2 * len(messages)
    for reference in references:
        if reference.startswith("#/"):
            at: Any = described
            for step in reference.removeprefix("#/").split("/"):
                at = at[step]
        else:
            assert (generate.REFERENCE / reference).is_file(), reference


def _references(node: Any) -> Iterator[str]:
    match node:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for inner in node.values():
                yield from _references(inner)
        case list():
            for inner in node:
                yield from _references(inner)
