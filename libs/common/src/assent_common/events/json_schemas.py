"""JSON Schemas of all event types, from the models. `python -m assent_common.events.json_schemas` writes them."""

import json
from pathlib import Path
from typing import Any

from assent_common.events import envelope

FOLDER = Path(__file__).parent / "schemas"


def generate() -> dict[str, dict[str, Any]]:
    """File name → schema, one for each event type, and one for the envelope."""
    schemas = {
        f"{type_}.json": model.model_json_schema(mode="serialization") for type_, model in envelope.TYPES.items()
    }
    schemas["cloudevent.json"] = envelope.CloudEvent.model_json_schema(mode="serialization")
    for name, schema in schemas.items():
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        schema["$id"] = envelope.DATASCHEMA.format(type=name.removesuffix(".json"))
    return schemas


def text_of(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, schema in generate().items():
        (FOLDER / name).write_text(text_of(schema), encoding="utf-8")
