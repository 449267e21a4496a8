"""What came of what: `…/lineage` of datasets, model versions, deployments and use cases."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import asyncpg
from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.problems import NotYetKnown, documented
from assent_common.identity.roles import Reader
from fastapi import Depends, Query, Request
from starlette.responses import JSONResponse, Response

from assent_catalog.lineage import store
from assent_catalog.lineage.graph import Graph, NodeKind, openlineage
from assent_catalog.lineage.picture import svg
from assent_catalog.lineage.store import Direction

routes = router(tags=["lineage"])

PRODUCER = "urn:assent:catalog-api"
BY_URN_OR_ID = {
    NodeKind.DATASET: "select urn from datasets where urn = $1 or id = $2",
    NodeKind.MODEL_VERSION: "select urn from model_versions where urn = $1 or id = $2",
    NodeKind.DEPLOYMENT: "select urn from deployments where urn = $1 or id = $2",
    NodeKind.USE_CASE: "select key from use_cases where key = $1 or id = $2",
}


class LineageForm(StrEnum):
    """Nodes and edges, OpenLineage's events, or a picture."""

    JSON = "json"
    OPENLINEAGE = "openlineage"
    SVG = "svg"


class Asked:
    """How lineage is asked for, wherever it is."""

    def __init__(
        self,
        direction: Annotated[Direction, Query(description="What led to it, what it leads to, or both")] = "both",
        depth: Annotated[int | None, Query(ge=1, le=100, description="Steps; without it, all")] = None,
        format: Annotated[
            LineageForm, Query(description="`openlineage`: job events; `svg`: a picture")
        ] = LineageForm.JSON,
    ) -> None:
        self.direction = direction
        self.depth = depth
        self.form = format


Wish = Annotated[Asked, Depends()]
_OTHER_FORMS = {200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}}
_ANSWERS = documented(NotYetKnown) | _OTHER_FORMS


@routes.get(
    "/model-versions/{id:path}/lineage",
    summary="Read the lineage of a model version",
    response_model=Graph,
    responses=_ANSWERS,
)
async def get_model_version_lineage(id: str, request: Request, _: Reader, asked: Wish) -> Response:
    """From its data to what it is used for."""
    return await _answer(request, NodeKind.MODEL_VERSION, id, asked)


@routes.get(
    "/datasets/{id:path}/lineage", summary="Read the lineage of a dataset", response_model=Graph, responses=_ANSWERS
)
async def get_dataset_lineage(id: str, request: Request, _: Reader, asked: Wish) -> Response:
    """What was trained and measured with it, and what that is used for."""
    return await _answer(request, NodeKind.DATASET, id, asked)


@routes.get(
    "/deployments/{id:path}/lineage",
    summary="Read the lineage of a deployment",
    response_model=Graph,
    responses=_ANSWERS,
)
async def get_deployment_lineage(id: str, request: Request, _: Reader, asked: Wish) -> Response:
    """What it serves, what that was made of, and for which use cases."""
    return await _answer(request, NodeKind.DEPLOYMENT, id, asked)


@routes.get(
    "/use-cases/{key}/lineage", summary="Read the lineage of a use case", response_model=Graph, responses=_ANSWERS
)
async def get_use_case_lineage(key: str, request: Request, _: Reader, asked: Wish) -> Response:
    """Which models, deployments and data stand behind it."""
    return await _answer(request, NodeKind.USE_CASE, key, asked)


async def _answer(request: Request, kind: NodeKind, urn_or_id: str, asked: Asked) -> Response:
    database: Database = request.app.state.database
    async with database.connection() as connection:
        urn = await _urn(connection, kind, urn_or_id)
        drawn = await store.lineage(connection, kind, urn, asked.direction, asked.depth)
    match asked.form:
        case LineageForm.SVG:
            return Response(svg(drawn), media_type="image/svg+xml")
        case LineageForm.OPENLINEAGE:
            at = database.clock.now().isoformat()
            return JSONResponse(openlineage(drawn, producer=PRODUCER, at=at))
    return Response(drawn.model_dump_json(), media_type="application/json")


async def _urn(connection: asyncpg.Connection, kind: NodeKind, urn_or_id: str) -> str:
    try:
        id_ = UUID(urn_or_id)
    except ValueError:
        id_ = None
    urn: str | None = await connection.fetchval(BY_URN_OR_ID[kind], urn_or_id, id_)
    if urn is None:
        raise NotYetKnown(f"{kind.replace('_', ' ')} {urn_or_id!r} is not known here")
    return urn
