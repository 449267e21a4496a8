"""Until when a framework is looked after by who ships it."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

_MINOR = re.compile(r"\d+\.\d+")


def support(framework: str | None, version: str | None, at: datetime) -> dict[str, Any]:
    """`framework_end_of_life` and `framework_supported`; empty for what is not in the table: that is not known."""
    versions = _table().get((framework or "").lower(), {})
    # `3.0-5` is 3.0 in the fifth image of it.
    minor = _MINOR.match(version or "")
    ends = versions.get(minor[0] if minor else "", versions.get("any"))
    if ends is None:
        return {}
    return {"framework_end_of_life": ends.isoformat(), "framework_supported": at.date() <= ends}


@cache
def _table() -> Mapping[str, Mapping[str, date]]:
    text = (files("assent_workflow.policies") / "frameworks.yaml").read_text(encoding="utf-8")
    table: Mapping[str, Mapping[str, date]] = yaml.safe_load(text)
    return table
