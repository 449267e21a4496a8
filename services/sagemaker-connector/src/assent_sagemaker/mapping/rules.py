"""`mapping.yaml` and a company's own file over it: the rules by which open fields are read, as data."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property, lru_cache, wraps
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import yaml
from assent_common import canonical
from assent_common.events.registry import Better
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError


class MappingInvalid(ValueError):
    """The company's mapping can't be used as it stands; says every fault with its place."""


def _remembering(spelled: Callable[[str], str]) -> Callable[[str], str]:
    """The same few hundred words come with every report; long ones come once, and are not kept."""
    remembered = lru_cache(4096)(spelled)

    @wraps(spelled)
    def spell(text: str) -> str:
        return remembered(text) if len(text) <= _A_WORD else spelled(text)

    return spell


_A_WORD = 80


@_remembering
def squash(text: str) -> str:
    """By what words are compared: letters and digits alone, so that `XGBoost`, `xg-boost` and `xg boost` are one."""
    return _NOISE.sub("", text.lower())


def _by_synonym(table: object) -> object:
    if not isinstance(table, dict):
        return table
    for meaning, synonyms in table.items():
        if not isinstance(synonyms, list):
            raise ValueError(f"{meaning}: a list of words is expected")
    return {squash(word): name for name, synonyms in table.items() for word in map(str, (name, *synonyms))}


_NOISE = re.compile(r"[\W_]+")

#: Written as `meaning: [synonym, …]`, read as squashed synonym → meaning.
Lookup = Annotated[dict[str, str], BeforeValidator(_by_synonym)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MetricRules(_Part):
    names: dict[str, list[str]]
    better: dict[Better, frozenset[str]]
    wrappers: frozenset[str]
    datasets: dict[str, list[str]]
    sections: dict[str, str]
    skipped: list[re.Pattern[str]]

    @cached_property
    def no_measurement(self) -> re.Pattern[str]:
        """All that is skipped, in one."""
        return re.compile("|".join(f"(?:{pattern.pattern})" for pattern in self.skipped) or "(?!)")

    @cached_property
    def synonyms(self) -> Mapping[str, tuple[str, int]]:
        """Each way to say a metric, squashed; its canonical name; and how good a synonym it is, 0 the best."""
        return {
            ".".join(map(squash, word.split("."))): (name, rank)
            for name, synonyms in self.names.items()
            for rank, word in enumerate((name, *synonyms))
        }

    @cached_property
    def dataset_words(self) -> Mapping[str, str]:
        return {squash(word): name for name, words in self.datasets.items() for word in words}

    @cached_property
    def directions(self) -> Mapping[str, Better]:
        return {name: better for better, names in self.better.items() for name in names}

    @cached_property
    def digest(self) -> str:
        """What was read by rules of another digest reads differently by these, perhaps."""
        return canonical.digest(
            {
                "names": self.names,
                "better": {better.value: sorted(names) for better, names in self.better.items()},
                "wrappers": sorted(self.wrappers),
                # Their order counts.
                "datasets": list(self.datasets.items()),
                "sections": self.sections,
                "skipped": [pattern.pattern for pattern in self.skipped],
            }
        )


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

    _text: str = PrivateAttr(default="")

    @property
    def text(self) -> str:
        """What `of` makes them from again: for another process."""
        return self._text

    @cached_property
    def digest(self) -> str:
        """By rules of another digest the same documents read differently, perhaps."""
        return hashlib.sha256(self._text.encode()).hexdigest()


def rules() -> Rules:
    """Those in use: ours, unless others are used."""
    return _used[0] if _used else ours()


def use(others: Rules) -> None:
    """From now on, in the whole process."""
    _used[:] = [others]


_used: list[Rules] = []


@cache
def ours() -> Rules:
    return _of(_our_file())


def load(file: Path) -> Rules:
    """Ours with the company's file laid over them. Raises MappingInvalid, with the place of each fault."""
    try:
        theirs = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingInvalid(f"{file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MappingInvalid(f"{file}: not YAML: {error}") from error
    if not isinstance(theirs, dict):
        raise MappingInvalid(f"{file}: sections are expected, as in mapping.yaml")
    try:
        return _of(_laid_over(_our_file(), theirs))
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        raise MappingInvalid("\n".join(f"{file}: {_place(fault)}: {fault['msg']}" for fault in faults)) from error


def of(text: str) -> Rules:
    return _of(json.loads(text))


def _our_file() -> Any:
    return yaml.safe_load(files("assent_sagemaker.mapping").joinpath("mapping.yaml").read_text(encoding="utf-8"))


def _of(document: Any) -> Rules:
    made = Rules.model_validate(document)
    made._text = json.dumps(document)
    return made


def _laid_over(ours: Any, theirs: Any) -> Any:
    """Section by section. Of lists, theirs come first; a word that they give another meaning loses the one it had."""
    match ours, theirs:
        case dict(), dict():
            taken = {squash(word) for words in theirs.values() for word in _words(words)}
            kept = {key: _without(taken, value) for key, value in ours.items()}
            return {**kept, **{key: _laid_over(kept.get(key), value) for key, value in theirs.items()}}
        case list(), list():
            return [*theirs, *(item for item in ours if item not in theirs)]
    return theirs


def _words(value: Any) -> Iterator[str]:
    return (word for word in value if isinstance(word, str)) if isinstance(value, list) else iter(())


def _without(taken: set[str], value: Any) -> Any:
    if not (isinstance(value, list) and all(isinstance(word, str) for word in value)):
        return value
    return [word for word in value if squash(word) not in taken]


def _place(fault: Mapping[str, Any]) -> str:
    way = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault["loc"])
    return way.removeprefix(".")


_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[\W_]+")


@_remembering
def snake(text: str) -> str:
    """`F1-Score`, `BalancedAccuracy` and `macro avg` as f1_score, balanced_accuracy and macro_avg."""
    return _SEPARATORS.sub("_", _BOUNDARY.sub("_", text).lower()).strip("_")
