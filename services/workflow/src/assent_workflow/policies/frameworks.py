"""Until when a framework is looked after by who ships it."""

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


def support(framework: str | None, version: str | None, at: datetime) -> dict[str, Any]:
    """`framework_end_of_life` and `framework_supported`; empty for what is not in the table: that is not known."""
    if not framework or not version:
        return {}
    ends = _table().get(framework.lower(), {}).get(".".join(version.split(".")[:2]))
    if ends is None:
        return {}
    return {"framework_end_of_life": ends.isoformat(), "framework_supported": at.date() <= ends}


@cache
def _table() -> Mapping[str, Mapping[str, date]]:
    text = (files("assent_workflow.policies") / "frameworks.yaml").read_text(encoding="utf-8")
    table: Mapping[str, Mapping[str, date]] = yaml.safe_load(text)
    return table
