"""The connector's HTTP routes: how its sources stand, and asking it to look or to tell everything again."""

from collections.abc import Callable, Mapping

from assent_common.database import Database
from fastapi import APIRouter

from assent_sagemaker.routes import access, hints, removals, replay, runs, sources, write_backs
from assent_sagemaker.routes.access import Check
from assent_sagemaker.sources import Source


def routers(
    database: Database, configured: Mapping[str, Source], wake: Callable[[str], None], check: Check
) -> list[APIRouter]:
    """`configured` are the sources of this moment, by name; `wake` tells the duty of one that there is something to
    do."""
    return [
        sources.router(database, configured),
        access.router(database, configured, check),
        runs.router(database, configured, wake),
        replay.router(database, configured),
        removals.router(database, configured),
        write_backs.router(database, configured),
        hints.router(database),
    ]
