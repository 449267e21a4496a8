"""The pages that are made of the code are made of the code as it is."""

from assent_common.events import json_schemas
from assent_common.kafka import topics

from docs import generate


def test_the_reference_is_what_make_docs_writes() -> None:
    made = generate.pages()
    assert len(made) == 4
    assert {page.name for page in generate.REFERENCE.iterdir()} == {page.name for page in made}
    for page, text in made.items():
        assert page.read_text() == text, f"{page.name} is not current: make docs"


def test_the_schemas_are_those_of_the_events() -> None:
    made = json_schemas.generate()
    assert len(made) > 10
    assert {file.name for file in json_schemas.FOLDER.iterdir()} == set(made)
    for name, schema in made.items():
        kept = (json_schemas.FOLDER / name).read_text(encoding="utf-8")
        assert kept == json_schemas.text_of(schema), f"{name} is not current: make docs"


def test_every_topic_is_told_of() -> None:
    assert set(generate.EVENTS) == set(topics.ALL)
