"""`/v1/sources`: what is held of each registry, beside what it says it has."""

from assent_common.census import ANNOUNCED, Count, lacking
from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.pages import Page
from assent_common.identity.roles import Reader
from fastapi import Request
from pydantic import BaseModel

from assent_catalog.projection.apply import HELD

routes = router(tags=["sources"])


class Counts(BaseModel):
    #: What the catalogue holds.
    held: int
    #: What the source said it had, when it was last read to its end; null before that.
    announced: int | None


class SourceOut(BaseModel):
    """One registry that is read."""

    name: str
    #: False while something of it is still on its way, or was lost and is being asked for.
    complete: bool
    #: `model`, `model_version`, `deployment`.
    kinds: dict[str, Counts]


@routes.get("/sources", summary="List the registries that are read")
async def list_sources(request: Request, _: Reader) -> Page[SourceOut]:
    """How the reading itself goes, the sagemaker-connector's `/v1/sources` tells."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        held = {(r["source"], r["kind"]): Count(r["live"], r["sequences"]) for r in await connection.fetch(HELD)}
        told = {(r["source"], r["kind"]): Count(r["live"], r["sequences"]) for r in await connection.fetch(ANNOUNCED)}
    announced_sources = {source for source, _ in told}
    wanting = lacking(told, held)
    return Page(
        items=[
            SourceOut(
                name=name,
                complete=name in announced_sources and name not in wanting,
                kinds={
                    kind: Counts(
                        held=held.get((name, kind), Count(0, 0)).live,
                        announced=told[name, kind].live if (name, kind) in told else None,
                    )
                    for source, kind in sorted({*held, *told})
                    if source == name
                },
            )
            for name in sorted({source for source, _ in {*held, *told}})
        ]
    )
