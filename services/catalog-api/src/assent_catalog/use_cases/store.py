"""Use cases as rows, with every state that they had."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from assent_common.events.catalog import FacetState, Stage, UseCaseChanged
from assent_common.kafka.topics import CATALOG
from assent_common.uow import UnitOfWork

from assent_catalog.use_cases.model import completeness

SEARCH = "to_tsvector('simple', concat_ws(' ', $2::text, $3::text, $4::text, regexp_replace($2, '[-_./]', ' ', 'g')))"
INSERT = f"""
insert into use_cases (id, key, name, description, owner, stage, facets, created_at, created_by, modified_at,
                       modified_by, search, sequence)
values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $8, $9, {SEARCH}, 1)
on conflict (key) do nothing
"""  # noqa: S608 - a constant
# Compare and set.
UPDATE = f"""
update use_cases
   set name = $3, description = $4, owner = $5, stage = $6, facets = $7::jsonb, modified_at = $8, modified_by = $9,
       search = {SEARCH}, sequence = sequence + 1
 where id = $1 and sequence = $10
"""  # noqa: S608 - a constant
KEEP = "insert into use_case_history (use_case, sequence, at, by, state) values ($1, $2, $3, $4, $5::jsonb)"
HAS_MODELS = """
exists (select from candidacies c where c.use_case = u.key and c.status not in ('withdrawn', 'rejected', 'retired'))
"""
ONE = f"select u.*, {HAS_MODELS} as has_models from use_cases u where key = $1"  # noqa: S608 - a constant
LOCK = ONE + " for update of u"


@dataclass(frozen=True)
class UseCase:
    id: UUID
    key: str
    name: str
    description: str | None
    owner: str | None
    stage: Stage
    facets: dict[str, dict[str, Any]]
    created_at: datetime
    created_by: str
    modified_at: datetime
    modified_by: str
    sequence: int
    has_models: bool

    @property
    def completeness(self) -> dict[str, FacetState]:
        return completeness(self.facets, has_models=self.has_models)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "UseCase":
        members = {name: row[name] for name in cls.__dataclass_fields__ if name != "stage"}
        return cls(stage=Stage(row["stage"]), **members)


async def find(connection: asyncpg.Connection, key: str, *, lock: bool = False) -> UseCase | None:
    row = await connection.fetchrow(LOCK if lock else ONE, key)
    return UseCase.of(row) if row else None


async def insert(uow: UnitOfWork, use_case: UseCase) -> bool:
    """False where the key is taken."""
    status = await (await uow.sql()).execute(
        INSERT,
        *(use_case.id, use_case.key, use_case.name, use_case.description, use_case.owner, use_case.stage),
        *(orjson.dumps(use_case.facets).decode(), use_case.created_at, use_case.created_by),
    )
    if status.endswith(" 0"):
        return False
    await _tell(uow, use_case)
    return True


async def update(uow: UnitOfWork, use_case: UseCase, *, was: int) -> None:
    """Of one that is locked."""
    status = await (await uow.sql()).execute(
        UPDATE,
        *(use_case.id, use_case.key, use_case.name, use_case.description, use_case.owner, use_case.stage),
        *(orjson.dumps(use_case.facets).decode(), use_case.modified_at, use_case.modified_by, was),
    )
    assert status.endswith(" 1"), "the row lock forbids that anybody came between"
    await _tell(uow, use_case)


async def _tell(uow: UnitOfWork, use_case: UseCase) -> None:
    state = UseCaseChanged(
        id=use_case.id,
        key=use_case.key,
        name=use_case.name,
        description=use_case.description,
        owner=use_case.owner,
        stage=use_case.stage,
        facets=use_case.facets,
        completeness=use_case.completeness,
        created_at=use_case.created_at,
        created_by=use_case.created_by,
        modified_at=use_case.modified_at,
        modified_by=use_case.modified_by,
    )
    uow.emit(CATALOG, "assent.catalog.use_case.changed.v1", str(use_case.id), use_case.sequence, state)
    kept = state.model_dump_json(exclude={"completeness"})
    await (await uow.sql()).execute(
        KEEP, use_case.id, use_case.sequence, use_case.modified_at, use_case.modified_by, kept
    )
