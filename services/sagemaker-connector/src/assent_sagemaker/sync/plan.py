"""How a source is read, and why: by Search, 100 whole records a call; or by List and a Describe each."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from assent_sagemaker.arns import NotAnArn
from assent_sagemaker.mapping.documents import ModelPackage, Unmappable
from assent_sagemaker.mapping.packages import model_version
from assent_sagemaker.mapping.reports import Outcomes


class Plan(StrEnum):
    SEARCH = "search"
    DESCRIBE = "describe"


class SearchUseless(Exception):
    """Search can't be used for this source; the message says why."""

    def __init__(self, reason: str, *, suspect: str | None = None) -> None:
        super().__init__(reason)
        #: The ARN of the package that it shows wrongly.
        self.suspect = suspect


#: Told otherwise by the two: tags come with Search alone, and `raw` is their documents as they came.
_NOT_COMPARED = {"tags", "raw"}


def compare(by_search: Mapping[str, Any], by_describe: Mapping[str, Any]) -> None:
    """Raises SearchUseless if two documents of one state of a package differ."""
    try:
        fields = disagreement(by_search, by_describe)
    except (Unmappable, NotAnArn):
        # Told when it is kept.
        return
    if fields:
        arn = by_describe["ModelPackageArn"]
        raise SearchUseless(f"Search differs from Describe in {fields} of {arn}", suspect=arn)


def disagreement(by_search: Mapping[str, Any], by_describe: Mapping[str, Any]) -> str | None:
    """The mapped fields in which two documents of one state of a package differ; None where they agree.

    A package that was changed between the two calls says nothing about Search.
    """
    one, other = ModelPackage.from_document(by_search), ModelPackage.from_document(by_describe)
    if (one.creation_time, one.last_modified_time) != (other.creation_time, other.last_modified_time):
        if one.last_modified_time is not None and other.last_modified_time is not None:
            return None
        return "last_modified_time"
    left, right = _mapped(one), _mapped(other)
    return ", ".join(sorted(name for name in left if left[name] != right[name])) or None


def _mapped(package: ModelPackage) -> dict[str, Any]:
    payload = model_version(package, source="", tags={}, outcomes=Outcomes())
    mapped: dict[str, Any] = payload.model_dump(exclude=_NOT_COMPARED)
    return mapped
