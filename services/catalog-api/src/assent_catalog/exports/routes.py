"""`/v1/exports`: the inventory as files, for spreadsheets and for programs."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated, Any

from assent_common.database import Database
from assent_common.http.app import router
from assent_common.identity.roles import CostlyReader
from fastapi import Query, Request
from fastapi.responses import StreamingResponse

from assent_catalog.exports import copy
from assent_catalog.model_versions.asked import Asked

routes = router(tags=["exports"])

#: Those that people sort by have a column of their own; the others are together in `metrics`.
_METRICS = ("accuracy", "precision", "recall", "f1", "auc", "rmse", "mae", "r2")
VERSIONS = {
    **{name: f"v.{name}" for name in ("id", "urn", "source", "model", "name", "version", "description", "type")},
    **{name: f"v.{name}" for name in ("framework", "algorithm", "status", "source_status", "source_approval_status")},
    **{name: copy.Number(f"(v.record->'metrics'->'{name}'->>'value')::float8") for name in _METRICS},
    "metrics_status": "v.metrics_status",
    "metrics": "v.record->'metrics'",
    "use_cases": "v.candidacies",
    "tags": "v.record->'tags'",
    "image": "v.record->>'image'",
    "training_job": "v.record->>'training_job'",
    "created_by": "v.record->>'created_by'",
    "created_at": "to_char(v.created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    "modified_at": "to_char(v.modified_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    "content_hash": "v.content_hash",
}
_FACETS = ("business_context", "legal", "data", "impact", "accountability", "custom")
USE_CASES = {
    **{name: f"u.{name}" for name in ("id", "key", "name", "description", "owner", "stage")},
    "risk_class": "u.facets->'legal'->>'risk_class'",
    "complete": "u.complete",
    **{name: f"u.facets->'{name}'" for name in _FACETS},
    "links": "u.links",
    "model_versions": """(select coalesce(jsonb_object_agg(c.model_version, c.status), '{}')
                            from candidacies c where c.use_case = u.key)""",
    "created_by": "u.created_by",
    "created_at": "to_char(u.created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    "modified_at": "to_char(u.modified_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
}


class ExportForm(StrEnum):
    """For spreadsheets, or one JSON object a line."""

    CSV = "csv"
    JSONL = "jsonl"


FormQuery = Annotated[ExportForm, Query(alias="format", description="`csv`, or `jsonl`: one JSON object a line")]
_STREAM = {200: {"content": {kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/jsonl")}}}


@routes.get(
    "/exports/model-versions",
    summary="Export model versions",
    response_class=StreamingResponse,
    responses=_STREAM,  # type: ignore[arg-type]
)
async def export_model_versions(
    request: Request, _: CostlyReader, selection: Asked, form: FormQuery = ExportForm.CSV
) -> StreamingResponse:
    """All that the filters select, as of one moment, streamed. No cell of the CSV is a formula."""
    where = selection.where()
    source = f"from model_versions v where {where} order by v.id"
    return await _streamed(request, "model-versions", form, VERSIONS, source, *where.values)


@routes.get(
    "/exports/use-cases",
    summary="Export use cases",
    response_class=StreamingResponse,
    responses=_STREAM,  # type: ignore[arg-type]
)
async def export_use_cases(request: Request, _: CostlyReader, form: FormQuery = ExportForm.CSV) -> StreamingResponse:
    """All of them with their facets, the oldest first."""
    return await _streamed(request, "use-cases", form, USE_CASES, "from use_cases u order by u.id")


async def _streamed(
    request: Request, name: str, form: ExportForm, columns: dict[str, str], source: str, *values: Any
) -> StreamingResponse:
    database: Database = request.app.state.database
    write = copy.csv if form is ExportForm.CSV else copy.json_lines
    body = write(database, columns, source, *values)
    # What cannot be begun is a problem with its status, not a file that breaks off.
    first = await anext(body, b"")
    return StreamingResponse(
        _rejoined(first, body),
        media_type="text/csv; charset=utf-8" if form is ExportForm.CSV else "application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="{name}.{form}"'},
    )


async def _rejoined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
