"""What to begin with: templates of the usual kinds of use cases, as data in `templates.yaml`."""

from collections.abc import Mapping
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, field_validator

from assent_catalog.use_cases.facets import Facets


class Template(BaseModel):
    """A kind of use case: what is true of all of them, and what has to be thought about."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    description: str
    facets: Facets
    #: `facet.field` → what to think about.
    questions: dict[str, str]

    @field_validator("questions")
    @classmethod
    def _about_fields_that_there_are(cls, questions: dict[str, str]) -> dict[str, str]:
        for place in questions:
            facet, _, field = place.partition(".")
            if field not in type(getattr(Facets(), facet)).model_fields:
                raise ValueError(f"{place} is no field")
        return questions


def _load() -> Mapping[str, Template]:
    text = files(__package__).joinpath("templates.yaml").read_text(encoding="utf-8")
    return {each["name"]: Template.model_validate(each) for each in yaml.safe_load(text)}


TEMPLATES = _load()
