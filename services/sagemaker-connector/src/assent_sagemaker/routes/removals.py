"""`/v1/sources/{name}/removals`: a person says that what seems deleted is to be removed."""

from collections.abc import Mapping
from typing import Annotated

from assent_common.database import Database
from assent_common.http import app as http_app
from assent_common.http.idempotency import IdempotencyKey, once
from assent_common.http.problems import Conflict, NotFound, documented
from assent_common.identity.roles import Principal, Role, allow
from assent_common.uow import UnitOfWork
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from assent_sagemaker.routes.asking import SourceName, known
from assent_sagemaker.sources import Source
from assent_sagemaker.sync import removals

Admin = Annotated[Principal, allow(Role.ADMIN)]
Seen = Annotated[
    int | None, Query(ge=1, description="How many you saw waiting: when there are others by now, nothing is removed")
]


class RemovalsView(BaseModel):
    """What was removed by a person's word."""

    source: str
    removed: int


def router(database: Database, configured: Mapping[str, Source]) -> APIRouter:
    routes = http_app.router(tags=["sources"])

    @routes.post(
        "/sources/{name}/removals",
        summary="Remove what waits to be removed",
        description="When more of a source than its `max_removal_share` is in the listings no more, nothing is removed "
        "until somebody says so here: a wrong role or an outage looks the same. `removals_waiting` on `/v1/sources` "
        "tells how many there are. What is listed again waits no longer.",
        response_model=RemovalsView,
        responses=documented(NotFound, Conflict),
    )
    async def confirm_removals(
        who: Admin, request: Request, name: SourceName, count: Seen = None, idempotency_key: IdempotencyKey = None
    ) -> Response:
        known(configured, name)

        async def act(uow: UnitOfWork) -> Response:
            removed = await removals.confirm(uow, name)
            if count not in (None, removed):
                raise Conflict(f"{name}: {removed} wait to be removed by now, not {count}: look again")
            if removed:
                uow.audit(who.subject, "removals_confirmed", name, {"removed": removed})
            return Response(RemovalsView(source=name, removed=removed).model_dump_json(), 200, {}, "application/json")

        async with database.transaction() as uow:
            answer = await once(uow, request, who, idempotency_key, lambda: act(uow))
        database.outbox_written.set()
        return answer

    return routes
