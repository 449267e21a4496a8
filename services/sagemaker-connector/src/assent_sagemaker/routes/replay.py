"""`/v1/sources/{name}/replay`: tell everything again."""

from collections.abc import Mapping

from assent_common.database import Database
from assent_common.http import app as http_app
from assent_common.http.problems import Conflict, NotFound, documented
from assent_common.kafka.topics import REGISTRY
from assent_common.outbox.replay import replay
from assent_common.uow import UnitOfWork
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from assent_sagemaker.routes.asking import ByOperator, SourceName, accepted, known
from assent_sagemaker.sources import Source


class ReplayView(BaseModel):
    """What is going to be published again."""

    source: str
    #: Entities whose current state is on its way to the topic, `sync.completed` among them.
    events: int


def router(database: Database, configured: Mapping[str, Source]) -> APIRouter:
    routes = http_app.router(tags=["sources"])

    @routes.post(
        "/sources/{name}/replay",
        summary="Tell everything of a source again",
        description="Publishes the current state of every entity of the source again, as it was told last. Consumers "
        "that have it already are not changed by it. The source itself is not read.",
        status_code=202,
        response_model=ReplayView,
        responses=documented(NotFound, Conflict),
    )
    async def replay_source(asked: ByOperator, name: SourceName) -> Response:
        known(configured, name)

        async def act(uow: UnitOfWork) -> Response:
            events = await replay(await uow.sql(), REGISTRY.name, name)
            uow.audit(asked.who.subject, "replay_requested", name, {"events": events})
            return accepted(ReplayView(source=name, events=events))

        answer = await asked.once(database, act)
        database.outbox_written.set()
        return answer

    return routes
