"""`mapping.yaml`, parsed: the rules by which open fields are read, as data."""

import re
from functools import cache
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def squash(text: str) -> str:
    """By what words are compared: letters and digits alone, so that `XGBoost`, `xg-boost` and `xg boost` are one."""
    return _NOISE.sub("", text.lower())


def _by_synonym(table: object) -> object:
    if not isinstance(table, dict):
        return table
    return {squash(word): name for name, synonyms in table.items() for word in (name, *synonyms)}


_NOISE = re.compile(r"[\W_]+")

#: Written as `meaning: [synonym, …]`, read as squashed synonym → meaning.
Lookup = Annotated[dict[str, str], BeforeValidator(_by_synonym)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MetricRules(_Part):
    names: dict[str, list[str]]
    wrappers: frozenset[str]
    datasets: dict[str, list[str]]
    sections: dict[str, str]
    skipped: list[re.Pattern[str]]


class TypeRules(_Part):
    properties: list[str]
    words: Lookup
    refinements: dict[str, list[str]]
    silent: frozenset[str]
    domains: Lookup


class FrameworkRules(_Part):
    properties: list[str]
    version_properties: list[str]
    words: Lookup


class AlgorithmRules(_Part):
    properties: list[str]


class ImageRule(_Part):
    repository: re.Pattern[str]
    framework: str | None = None
    algorithm: str | None = None
    type: str | None = None
    tag: re.Pattern[str] = Field(default=re.compile(r"v?(?P<version>\d+(\.\d+)*)"))


class Rules(_Part):
    metrics: MetricRules
    types: TypeRules
    frameworks: FrameworkRules
    images: list[ImageRule]
    algorithms: AlgorithmRules


@cache
def rules() -> Rules:
    text = files("assent_sagemaker.mapping").joinpath("mapping.yaml").read_text(encoding="utf-8")
    return Rules.model_validate(yaml.safe_load(text))


_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[\W_]+")


def snake(text: str) -> str:
    """`F1-Score`, `BalancedAccuracy` and `macro avg` as f1_score, balanced_accuracy and macro_avg."""
    return _SEPARATORS.sub("_", _BOUNDARY.sub("_", text).lower()).strip("_")
