"""`/v1/model-versions`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import asyncpg
from assent_common.content import diff
from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.etags import etag
from assent_common.http.fields import Fields
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.http.problems import BadRequest, FieldError, NotFound, NotYetKnown, documented
from assent_common.identity.roles import Reader
from fastapi import Query, Request, Response
from pydantic import AwareDatetime, BaseModel

from assent_catalog.counts import Count
from assent_catalog.model_versions import listing, store, written
from assent_catalog.model_versions.asked import Asked, AsOf
from assent_catalog.model_versions.compare import Comparison, compare
from assent_catalog.model_versions.kept import Kept
from assent_catalog.model_versions.remembered import Counted, Remembered
from assent_catalog.model_versions.schemas import HistoryEntry, VersionOut, VersionSummary
from assent_catalog.model_versions.store import Facet, Selection, Sort
from assent_catalog.search import Searcher, Sought

routes = router(tags=["model versions"])

_NOT_COMPARED = ("content", "content_hash", "urn", "source")


class VersionPage(BaseModel):
    """One page of model versions, and the counts that were asked for."""

    items: list[VersionSummary]
    next_cursor: str | None = None
    #: Facet → value → how many of the whole selection, not of the page; with more than 10,000, of so many.
    facets: dict[str, dict[str, int]] | None = None
    #: How many the selection has, where facets were asked for.
    total: Count | None = None


@routes.get("/model-versions", summary="Find model versions", response_model=VersionPage)
async def list_model_versions(
    request: Request,
    _: Reader,
    selection: Asked,
    sort: Sort = Sort.NEWEST,
    as_of: AsOf = None,
    facets: Annotated[str | None, Query(max_length=200, description="Counts to give along, e.g. status,type")] = None,
    fields: Fields = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Response:
    """Different filters narrow each other; one filter given twice widens, but for `metric`."""
    of = [*vars(selection).values(), sort, as_of]
    keys = store.keys(sort)
    after = read_cursor(cursor, of=of, shape=[key.parse for key in keys])
    wanted = _facets(facets)
    if as_of is not None and (wanted or selection.q):
        raise BadRequest(
            "words are searched, and facets counted, as things stand now: leave out `q`, `facets` or `as_of`"
        )
    database: Database = request.app.state.database
    searcher: Searcher = request.app.state.searcher
    kept: Kept = request.app.state.kept
    async with database.connection() as connection:
        sought = await searcher.sought(connection, selection.q, database.changes)
        items: list[str] = []
        if sought is not None and sought.newest is not None and sort is Sort.NEWEST:
            items = await listing.newest_page(connection, kept, selection, after, limit + 1, sought)
            if len(items) <= limit and after is None and selection == Selection(q=selection.q):
                searcher.was_short(sought)
        if len(items) <= limit:
            items = await listing.list_page(
                connection, kept, selection, sort, after, limit + 1, as_of=as_of, sought=sought
            )
    counted = await _counted(request, selection, wanted, sought) if wanted else None
    shown, next_cursor = page(items, limit, key=lambda item: store.key_of(sort, item), of=of)
    return written.page(
        shown,
        next_cursor=next_cursor,
        facets=counted.facets if counted else None,
        total=Count.of(counted.total, counted.at).model_dump() if counted else None,
    )


@routes.get(
    "/model-versions/{id:path}/history", summary="List what was told of a version", responses=documented(NotFound)
)
async def list_model_version_history(
    id: str, request: Request, _: Reader, as_of: AsOf = None, limit: Limit = 50, cursor: CursorText = None
) -> Page[HistoryEntry]:
    """The newest first: what the registry showed and how it differs, and how its candidacies moved."""
    selection = [id, as_of]
    after = read_cursor(cursor, of=selection, shape=[datetime.fromisoformat, str, int]) or [None, None, None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        row = await _found(connection, id)
        rows = await connection.fetch(store.HISTORY_PAGE, row["urn"], *after, as_of, limit + 1)
    shown, next_cursor = page(rows, limit, key=lambda r: [r["at"], r["kind"], r["sequence"]], of=selection)
    return Page(items=[_entry(entry) for entry in shown], next_cursor=next_cursor)


@routes.get(
    "/model-versions/{id:path}/diff",
    summary="Compare a version with another, or with itself",
    responses=documented(NotFound),
)
async def compare_model_versions(
    id: str,
    request: Request,
    _: Reader,
    against: Annotated[str | None, Query(max_length=2048, description="Id or urn of the other version")] = None,
    from_: Annotated[AwareDatetime | None, Query(alias="from", description="The left side as of this moment")] = None,
    to: Annotated[AwareDatetime | None, Query(description="The right side as of this moment")] = None,
) -> Comparison:
    """Left is the version named in the path, right the one in `against`: champion and challenger. Without `against` it
    is compared with itself at two moments; without moments, as it stands now."""
    if against is None and from_ is None:
        raise BadRequest("say with what to compare: another version (`against`), or a moment (`from`)")
    database: Database = request.app.state.database
    async with database.connection() as connection:
        left = await _record(connection, id, from_)
        right = await _record(connection, against or id, to)
    return compare(left, right)


@routes.get(
    "/model-versions/{id:path}",
    summary="Read a model version",
    response_model=VersionOut,
    responses=documented(NotFound),
)
async def get_model_version(
    id: str, request: Request, _: Reader, as_of: AsOf = None, fields: Fields = None
) -> Response:
    """By id, or by its urn."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        row = await store.whole(connection, id, as_of)
    if row is None:
        raise NotYetKnown(f"model version {id!r} is not known here")
    if row["record"] is None:
        raise NotFound(f"it was not known at {as_of.isoformat() if as_of else 'any time'}")
    return written.record(
        row["record"],
        # A moment has no state to be held against.
        etag=etag(row["changed_sequence"]) if as_of is None else None,
        id=f'"{row["id"]}"',
        status=f'"{row["status"]}"',
        candidacies=row["candidacies"],
        deployments=row["deployments"],
        # The source's document is kept as it stands now alone.
        raw=row["raw"] if as_of is None else "null",
    )


async def _counted(request: Request, selection: Selection, wanted: Sequence[Facet], sought: Sought | None) -> Counted:
    database: Database = request.app.state.database
    remembered: Remembered = request.app.state.counts

    async def count() -> Counted:
        async with database.connection() as connection:
            at = database.clock.now()
            return Counted(*await store.facets(connection, selection, wanted, sought), at)

    return await remembered.get(repr((selection, wanted)), count, database.changes)


async def _record(connection: asyncpg.Connection, id_: str, moment: datetime | None) -> Mapping[str, Any]:
    row = await _found(connection, id_)
    if moment is None:
        record: Mapping[str, Any] = row["record"]
        return record
    known = await store.as_of(connection, row["urn"], moment)
    if known is None:
        raise NotFound(f"{id_!r} was not known at {moment.isoformat()}")
    return known


async def _found(connection: asyncpg.Connection, id_: str) -> asyncpg.Record:
    row = await store.find(connection, id_)
    if row is None:
        raise NotYetKnown(f"model version {id_!r} is not known here")
    return row


def _entry(row: Mapping[str, Any]) -> HistoryEntry:
    state = row["state"]
    if row["kind"] == "candidacy":
        return HistoryEntry(
            kind="candidacy",
            at=row["at"],
            sequence=row["sequence"],
            candidacy=row["candidacy"],
            use_case=state["use_case"],
            status=state["status"],
            reason=state["reason"],
            by=state["changed_by"],
        )
    if state is None:
        return HistoryEntry(kind="removed", at=row["at"], sequence=row["sequence"])
    before = {name: value for name, value in (row["before"] or {}).items() if name not in _NOT_COMPARED}
    after = {name: value for name, value in state.items() if name not in _NOT_COMPARED}
    return HistoryEntry(kind="observed", at=row["at"], sequence=row["sequence"], changes=diff(before, after))


def _facets(text: str | None) -> Sequence[Facet]:
    names = [name.strip() for name in text.split(",")] if text else []
    known = {facet.name.lower() if facet is Facet.MODEL else facet.value: facet for facet in Facet}
    for name in names:
        if name not in known:
            detail = f"unknown facet {name!r}; known are {', '.join(known)}"
            raise BadRequest(detail, errors=[FieldError(pointer="?facets", code="unknown_facet", detail=detail)])
    return [known[name] for name in names]
