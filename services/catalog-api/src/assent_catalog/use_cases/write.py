"""A use case is written: checked, kept with who and when, told. The same way whichever route it comes by."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from assent_common import ids
from assent_common.content import diff
from assent_common.events.catalog import Stage
from assent_common.uow import UnitOfWork
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from assent_catalog.use_cases import risk, store
from assent_catalog.use_cases.custom import CustomFields
from assent_catalog.use_cases.schemas import Written
from assent_catalog.use_cases.store import UseCase


def checked(document: Any, custom: CustomFields) -> Written:
    """Raises RequestValidationError, naming every field at fault."""
    try:
        written = Written.model_validate(document)
    except ValidationError as error:
        raise _refused(error.errors(include_url=False, include_input=False)) from error
    faults = [
        {"loc": ("facets", *fault.way), "type": fault.code, "msg": fault.detail}
        for fault in custom.faults(written.facets.custom)
    ]
    if suggestion := risk.unexplained(written.facets.document()["legal"]):
        why = "; ".join(f"{reason.rule}: {reason.because}" for reason in suggestion.reasons)
        text = f"the answers suggest {suggestion.risk_class} ({why}): say why it is another class"
        faults.append({"loc": ("facets", "legal", "risk_class_reason"), "type": "missing_reason", "msg": text})
    if faults:
        raise _refused(faults)
    return written


async def create(uow: UnitOfWork, key: str, written: Written, *, by: str) -> UseCase | None:
    """None where the key is taken."""
    now = uow.clock.now()
    use_case = UseCase(
        id=ids.new(),
        key=key,
        name=written.name,
        description=written.description,
        owner=written.owner or by,
        stage=Stage.IDEATION,
        facets=written.facets.document(),
        links=_links(written),
        created_at=now,
        created_by=by,
        modified_at=now,
        modified_by=by,
        sequence=1,
        changed_sequence=1,
        has_models=False,
    )
    if not await store.insert(uow, use_case):
        return None
    uow.audit(by, "use_case.created", key, {"name": use_case.name})
    return use_case


async def change(uow: UnitOfWork, before: UseCase, written: Written, *, by: str) -> UseCase:
    """Of one that is locked. What says the same changes nothing."""
    after = _with(before, written)
    changes = diff(changeable(before), changeable(after))
    if not changes:
        return before
    after = stepped(after, uow, by=by)
    await store.update(uow, after, was=before.sequence)
    uow.audit(by, "use_case.changed", before.key, {"parts": [change.part for change in changes]})
    return after


def says_the_same(use_case: UseCase, written: Written) -> bool:
    return not diff(changeable(use_case), changeable(_with(use_case, written)))


def stepped(use_case: UseCase, uow: UnitOfWork, *, by: str) -> UseCase:
    """Its next state."""
    return replace(
        use_case,
        modified_at=uow.clock.now(),
        modified_by=by,
        sequence=use_case.sequence + 1,
        changed_sequence=use_case.changed_sequence + 1,
    )


def changeable(use_case: UseCase) -> dict[str, Any]:
    """What people write of it."""
    return {name: getattr(use_case, name) for name in Written.model_fields}


def _with(use_case: UseCase, written: Written) -> UseCase:
    return replace(
        use_case,
        name=written.name,
        description=written.description,
        owner=written.owner,
        facets=written.facets.document(),
        links=_links(written),
    )


def _links(written: Written) -> list[dict[str, Any]]:
    return [link.model_dump(mode="json", exclude_none=True) for link in written.links]


def _refused(faults: Sequence[Any]) -> RequestValidationError:
    return RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults])
