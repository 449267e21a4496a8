"""`POST /v1/use-cases/import`: many use cases at once, all or none, and first tried out."""

from enum import StrEnum
from typing import Annotated, Any

from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.problems import BadRequest, FieldError, Invalid, documented
from assent_common.identity.roles import Principal
from assent_common.uow import UnitOfWork
from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError

from assent_catalog.use_cases import rows, store, write
from assent_catalog.use_cases.custom import CustomFields
from assent_catalog.use_cases.model import merged
from assent_catalog.use_cases.roles import Writer
from assent_catalog.use_cases.rows import FileInvalid, Row
from assent_catalog.use_cases.schemas import Key

routes = router(tags=["use cases"])

_KEY: TypeAdapter[str] = TypeAdapter(Key)
_TEXT = {"schema": {"type": "string"}}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": _TEXT | {"example": "key,name,legal.risk_class\nretention,Customer retention,limited\n"},
            "application/jsonl": _TEXT | {"example": '{"key": "retention", "name": "Customer retention"}\n'},
            "application/json": {
                "schema": {"type": "array", "items": {"type": "object"}},
                "example": [{"key": "retention", "name": "Customer retention"}],
            },
        },
    }
}


class Outcome(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    INVALID = "invalid"


class RowReport(BaseModel):
    """What becomes of one row."""

    #: As a spreadsheet counts: the header is row 1.
    row: int
    key: str | None
    outcome: Outcome
    errors: list[FieldError] = []


class ImportReport(BaseModel):
    """What becomes of each row."""

    #: True where nothing was written.
    dry_run: bool
    rows: list[RowReport]
    #: Outcome → how many.
    counts: dict[Outcome, int]


class _TriedOut(Exception):
    """Undoes what a dry run wrote."""


@routes.post(
    "/use-cases/import",
    summary="Import use cases",
    responses=documented(BadRequest, Invalid),
    openapi_extra=_BODY,
)
async def import_use_cases(
    request: Request,
    who: Writer,
    dry_run: Annotated[bool, Query(description="Say what would become of each row, and write nothing")] = False,
) -> ImportReport:
    """From CSV (a column for each field, e.g. `legal.risk_class`), from JSON, or from an export. A row whose key is
    known changes what it names. Where one row is at fault, nothing is written."""
    read = _rows(request.headers.get("content-type", ""), await request.body())
    custom: CustomFields = request.app.state.custom_fields
    database: Database = request.app.state.database
    reports: list[RowReport] = []
    try:
        async with database.transaction() as uow:
            await store.lock_several(await uow.sql(), {str(row.document.get("key")) for row in read})
            for row in read:
                reports.append(await _write(uow, row, custom, who))
            if dry_run or any(report.outcome is Outcome.INVALID for report in reports):
                raise _TriedOut
    except _TriedOut:
        pass
    if not dry_run and (faults := [_within(report, error) for report in reports for error in report.errors]):
        raise Invalid("a row is at fault; nothing was imported", errors=faults)
    counts = {outcome: sum(report.outcome is outcome for report in reports) for outcome in Outcome}
    return ImportReport(dry_run=dry_run, rows=reports, counts=counts)


def _rows(content_type: str, body: bytes) -> list[Row]:
    kind = content_type.partition(";")[0].strip().lower()
    try:
        match kind:
            case "text/csv":
                return rows.from_csv(body)
            case "application/json" | "application/jsonl" | "application/x-ndjson":
                return rows.from_json(body)
    except FileInvalid as error:
        raise BadRequest(str(error)) from error
    raise BadRequest("send text/csv, application/json or application/jsonl")


async def _write(uow: UnitOfWork, row: Row, custom: CustomFields, who: Principal) -> RowReport:
    document = dict(row.document)
    key: Any = document.pop("key", None)
    try:
        key = _KEY.validate_python(key, strict=True)
    except ValidationError as error:
        text = error.errors()[0]["msg"]
        fault = FieldError(pointer="/key", code="key", detail=text)
        return RowReport(row=row.number, key=None, outcome=Outcome.INVALID, errors=[fault])
    before = await store.find(await uow.sql(), key, lock=True)
    try:
        written = write.checked(merged(write.changeable(before) if before else {}, document), custom)
    except RequestValidationError as error:
        faults = [
            FieldError(pointer="/" + "/".join(map(str, f["loc"][1:])), code=f["type"], detail=f["msg"])
            for f in error.errors()
        ]
        return RowReport(row=row.number, key=key, outcome=Outcome.INVALID, errors=faults)
    if before is None:
        await write.create(uow, key, written, by=who.subject)
        return RowReport(row=row.number, key=key, outcome=Outcome.CREATED)
    after = await write.change(uow, before, written, by=who.subject)
    outcome = Outcome.UNCHANGED if after is before else Outcome.CHANGED
    return RowReport(row=row.number, key=key, outcome=outcome)


def _within(report: RowReport, error: FieldError) -> FieldError:
    return error.model_copy(update={"pointer": f"/rows/{report.row}{error.pointer}"})
