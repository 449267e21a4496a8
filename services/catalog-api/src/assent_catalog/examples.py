"""An example of what each operation answers, for the OpenAPI document: a test holds each against its schema."""

import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute

#: The operation's id → what it answered once.
EXAMPLES: dict[str, Any] = json.loads((files("assent_catalog") / "examples.json").read_text(encoding="utf-8"))


def shown(routers: Iterable[APIRouter]) -> tuple[APIRouter, ...]:
    """The same routers, their routes with the examples that there are."""
    kept = tuple(routers)
    for router in kept:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.name in EXAMPLES:
                route.endpoint.example = EXAMPLES[route.name]  # type: ignore[attr-defined]
    return kept
