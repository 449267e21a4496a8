"""`GET /v1/facts`."""

import time

from assent_common.database import Database
from assent_common.http.app import router
from assent_common.identity.roles import Reader
from fastapi import Request

from assent_workflow.facts.gather import Facts, gather

routes = router(tags=["facts"])

FRESH_FOR_S = 60.0


@routes.get("/facts", summary="Read how the work goes, in numbers")
async def get_facts(request: Request, _: Reader) -> Facts:
    """What waits and what is late, by stage and role; how long decisions and reviews take; how reviews end. Gathered at
    most once a minute, however often it is asked; the same numbers are at `/metrics`."""
    kept: tuple[float, Facts] | None = getattr(request.app.state, "facts", None)
    if kept is None or time.monotonic() - kept[0] > FRESH_FOR_S:
        database: Database = request.app.state.database
        async with database.connection() as connection:
            kept = time.monotonic(), await gather(connection)
        request.app.state.facts = kept
    return kept[1]
