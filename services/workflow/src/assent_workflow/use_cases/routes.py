"""`/v1/use-cases/{key}/serving`: what runs for a use case, and what has to be switched off with it."""

from typing import Annotated
from uuid import UUID

from assent_common import ids
from assent_common.database import Database
from assent_common.events.governance import CandidacyStatus
from assent_common.http.app import router
from assent_common.http.pages import CursorText, Limit, Page, paged, read_cursor
from assent_common.http.problems import NotYetKnown, documented
from assent_common.identity.roles import Reader
from fastapi import Path, Request
from pydantic import BaseModel

from assent_workflow.use_cases.serving import serving

routes = router(tags=["use cases"])

KNOWN = "select id from use_cases where key = $1"


class Serves(BaseModel):
    """A deployment."""

    urn: str
    kind: str
    name: str
    status: str | None


class ServingOut(BaseModel):
    """A model version that is accepted for the use case, or serves and once was put forward for it."""

    candidacy: UUID
    model_version: str
    model_version_id: UUID
    status: CandidacyStatus
    #: Why it stands there, in words.
    reason: str | None
    deployments: list[Serves]
    #: Other use cases that it is accepted for: for their sake it may go on.
    accepted_for: list[str]
    #: To be switched off when the use case is given up, or now where it is.
    switch_off: bool


@routes.get(
    "/use-cases/{key}/serving",
    summary="List what serves for a use case, and what has to be switched off with it",
    responses=documented(NotYetKnown),
)
async def list_serving(
    key: Annotated[str, Path(max_length=200, description="Key of the use case")],
    request: Request,
    _: Reader,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[ServingOut]:
    """Before it is rejected or archived, and after: then what is still here is a finding, too."""
    after = read_cursor(cursor, of=[key], shape=[UUID]) or [None]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        id_ = await connection.fetchval(KNOWN, key)
        if id_ is None:
            raise NotYetKnown(f"use case {key!r} is not known here")
        found = await serving(connection, key, id_, before=after[0], limit=limit + 1)
    shown = [
        ServingOut(
            candidacy=each.candidacy,
            model_version=each.model_version,
            model_version_id=ids.of_urn(each.model_version),
            status=CandidacyStatus(each.status),
            reason=each.reason,
            deployments=[Serves(**deployment) for deployment in each.deployments],
            accepted_for=each.accepted_for,
            switch_off=each.switch_off,
        )
        for each in found
    ]
    return paged(shown, limit, key=lambda each: [each.candidacy], of=[key])
