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

from assent_workflow.findings.rules import CLOSED_STAGES, NOT_SERVING

routes = router(tags=["use cases"])

KNOWN = "select stage from use_cases where key = $1"
# The newest of each version: what it was put forward for before is over. Withdrawn, it never ran for this.
# Index: candidacies_use_case, candidacies_model_version, deployments_serving.
SERVING = """
select c.id, c.model_version, c.status, c.reason, d.deployments, o.accepted_for
  from (select distinct on (model_version) * from candidacies
         where use_case = $1 and status <> 'withdrawn' and step_to is null order by model_version, id desc) c
  cross join lateral (
    select coalesce(jsonb_agg(jsonb_build_object('urn', d.urn, 'kind', d.kind, 'name', d.name, 'status', d.status)
                              order by d.urn), '[]') as deployments
      from deployments d
     where d.live and d.model_versions && array[c.model_version] and coalesce(d.status, '') <> all($2::text[])) d
  cross join lateral (
    select coalesce(array_agg(o.use_case order by o.use_case), '{}') as accepted_for
      from candidacies o join use_cases u on u.id = o.use_case_id
     where o.model_version = c.model_version and o.use_case <> $1 and o.status = 'accepted'
       and u.stage <> all($3::text[])) o
 where (c.status = 'accepted' or d.deployments <> '[]') and ($4::uuid is null or c.id < $4)
 order by c.id desc limit $5
"""


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
        if await connection.fetchval(KNOWN, key) is None:
            raise NotYetKnown(f"use case {key!r} is not known here")
        rows = await connection.fetch(SERVING, key, list(NOT_SERVING), list(CLOSED_STAGES), after[0], limit + 1)
    serving = [
        ServingOut(
            candidacy=row["id"],
            model_version=row["model_version"],
            model_version_id=ids.of_urn(row["model_version"]),
            status=row["status"],
            reason=row["reason"],
            deployments=row["deployments"],
            accepted_for=row["accepted_for"],
            switch_off=bool(row["deployments"]) and not row["accepted_for"],
        )
        for row in rows
    ]
    return paged(serving, limit, key=lambda each: [each.candidacy], of=[key])
