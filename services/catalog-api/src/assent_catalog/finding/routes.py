"""`/v1/search`: one box for everything that has a name."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.pages import CursorText, Limit, page, read_cursor
from assent_common.identity.roles import Reader
from fastapi import Query, Request
from pydantic import BaseModel

from assent_catalog.counts import Count
from assent_catalog.finding import alike, store
from assent_catalog.finding.store import FoundKind, Place
from assent_catalog.model_versions.remembered import Counted, Remembered
from assent_catalog.search import Searcher

routes = router(tags=["search"])


class Found(BaseModel):
    """Something whose name, description, tags or properties have the words."""

    kind: FoundKind
    id: UUID
    #: The urn; of a use case its key.
    urn: str
    name: str
    description: str | None
    status: str | None
    #: Where to read it.
    href: str


class FoundPage(BaseModel):
    """One page of what was found, and how much there is of each kind."""

    items: list[Found]
    next_cursor: str | None = None
    #: Of all kinds, whichever are listed.
    counts: dict[FoundKind, Count]
    #: Where nothing is found: names of use cases and models that are like what was typed, the most alike first. Empty
    #: where none is, and where the Postgres behind has no pg_trgm.
    did_you_mean: list[str] = []


_PATHS = {
    FoundKind.USE_CASE: "/v1/use-cases/{urn}",
    FoundKind.MODEL: "/v1/models/{id}",
    FoundKind.MODEL_VERSION: "/v1/model-versions/{id}",
    FoundKind.DEPLOYMENT: "/v1/deployments/{id}",
    FoundKind.DATASET: "/v1/datasets/{id}",
}


@routes.get("/search", summary="Search everything")
async def search_everything(
    request: Request,
    _: Reader,
    q: Annotated[
        str,
        Query(min_length=1, max_length=200, description="Words, or parts of names: all must occur"),
    ],
    kind: Annotated[list[FoundKind] | None, Query(description="Only these")] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> FoundPage:
    """Use cases first, then models, versions, deployments and data; the newest of each first."""
    wanted = [each for each in FoundKind if kind is None or each in kind]
    of = [q, wanted]
    after = read_cursor(cursor, of=of, shape=[FoundKind, datetime.fromisoformat, UUID])
    database: Database = request.app.state.database
    searcher: Searcher = request.app.state.searcher
    remembered: Remembered = request.app.state.counts
    async with database.connection() as connection:
        sought = await searcher.sought(connection, q, database.changes)
        if sought is None:
            return FoundPage(items=[], counts={each: Count.of(0) for each in FoundKind})
        begins = Place(*after) if after else None
        rows = await store.page(connection, q, sought, wanted, begins, limit + 1)

    async def counted(kind: FoundKind) -> Count:
        async def count() -> Counted:
            async with database.connection() as connection:
                at = database.clock.now()
                return Counted(await store.count(connection, q, sought, kind), {}, at)

        known = await remembered.get(repr(("everything", kind, q)), count, database.changes)
        return Count.of(known.total, known.at)

    shown, next_cursor = page(rows, limit, key=lambda found: [found[0], found[1]["at"], found[1]["id"]], of=of)
    counts = {each: await counted(each) for each in FoundKind}
    names: list[str] = []
    if not any(count.value for count in counts.values()):
        async with database.connection() as connection:
            names = await alike.names(connection, q)
    return FoundPage(
        items=[Found(**row, kind=each, href=_PATHS[each].format(**row)) for each, row in shown],
        next_cursor=next_cursor,
        counts=counts,
        did_you_mean=names,
    )
