"""Use cases as rows, with every state that they had."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from assent_common.events.catalog import FacetState, Link, Proposal, Stage, StepOutcome, UseCaseChanged
from assent_common.kafka.topics import CATALOG
from assent_common.uow import UnitOfWork

from assent_catalog.projection import lineage
from assent_catalog.use_cases.model import completeness

SEARCH = """
to_tsvector('simple', concat_ws(' ', $2::text, $3::text, $4::text,
                                regexp_replace(concat_ws(' ', $2, $3, $4), '[-_./]', ' ', 'g')))
"""
INSERT = f"""
insert into use_cases (id, key, name, description, owner, stage, facets, created_at, created_by, modified_at,
                       modified_by, search, sequence, complete, links, proposal, outcome)
values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $8, $9, {SEARCH}, 1, $10, $11::jsonb, $12::jsonb, $13::jsonb)
on conflict (key) do nothing
"""  # noqa: S608 - a constant
# Compare and set.
UPDATE = f"""
update use_cases
   set name = $3, description = $4, owner = $5, stage = $6, facets = $7::jsonb, modified_at = $8, modified_by = $9,
       search = {SEARCH}, sequence = sequence + 1, complete = $11, links = $12::jsonb,
       proposal = $13::jsonb, outcome = $14::jsonb,
       changed_sequence = changed_sequence + 1
 where id = $1 and sequence = $10
"""  # noqa: S608 - a constant
KEEP = "insert into use_case_history (use_case, sequence, at, by, state) values ($1, $2, $3, $4, $5::jsonb)"
ONE = "select * from use_cases where key = $1"
LOCK = "select * from use_cases where key = $1 for update"
# In the order of ids, so that two that lock several never wait for each other.
LOCK_SEVERAL = "select * from use_cases where key = any($1::text[]) order by id for update"
# Index: candidacies_use_case.
# As somebody had written it by then, and whether some model version stood for it. Index: the histories' primary keys,
# candidacies_use_case.
KNOWN_AT = """
(select u.id, u.key, h.state->>'name' as name, h.state->>'description' as description, h.state->>'owner' as owner,
        h.state->>'stage' as stage, h.state->'proposal' as proposal, h.state->'outcome' as outcome,
        h.state->'facets' as facets, coalesce(h.state->'links', '[]') as links,
        u.created_at, u.created_by, h.at as modified_at, h.by as modified_by, h.sequence,
        h.sequence as changed_sequence, u.search,
        exists (select from candidacies c
                  join lateral (select record->>'status' as status from candidacy_history s
                                 where s.candidacy = c.id and s.at <= $1 order by s.sequence desc limit 1) s on true
                 where c.use_case = u.key and s.status not in ('withdrawn', 'rejected', 'retired')) as has_models
   from use_cases u
   join lateral (select * from use_case_history h where h.use_case = u.id and h.at <= $1
                  order by h.sequence desc limit 1) h on true)
"""
ONE_AT = f"select * from {KNOWN_AT} u where u.key = $2"  # noqa: S608 - a constant
WITH_MODELS = """
select distinct use_case from candidacies
 where use_case = any($1::text[]) and status not in ('withdrawn', 'rejected', 'retired')
"""
# Index: use_cases_search.
SIMILAR = """
select key, name from use_cases where search @@ to_tsquery('simple', $1) and key <> $2 and stage <> 'archived'
 order by ts_rank(search, to_tsquery('simple', $1)) desc, id limit 50
"""
FOLLOW = """
update use_cases u set has_models = f.has_models, complete = f.complete, changed_sequence = u.changed_sequence + 1
  from unnest($1::uuid[], $2::boolean[], $3::boolean[]) as f(id, has_models, complete)
 where u.id = f.id
"""


@dataclass(frozen=True)
class UseCase:
    id: UUID
    key: str
    name: str
    description: str | None
    owner: str | None
    stage: Stage
    facets: dict[str, dict[str, Any]]
    links: list[dict[str, Any]]
    created_at: datetime
    created_by: str
    modified_at: datetime
    modified_by: str
    #: Grows when somebody changes it.
    sequence: int
    #: Grows with every event, also with those that candidacies lead to.
    changed_sequence: int
    #: Some model version stands for it.
    has_models: bool
    #: What waits for a decision, and what was decided last; as events have them.
    proposal: dict[str, Any] | None = None
    outcome: dict[str, Any] | None = None

    @property
    def completeness(self) -> dict[str, FacetState]:
        return completeness(self.facets, has_models=self.has_models)

    @property
    def complete(self) -> bool:
        return all(state.complete for state in self.completeness.values())

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "UseCase":
        members = {name: row[name] for name in cls.__dataclass_fields__ if name != "stage"}
        return cls(stage=Stage(row["stage"]), **members)


async def find(connection: asyncpg.Connection, key: str, *, lock: bool = False) -> UseCase | None:
    row = await connection.fetchrow(LOCK if lock else ONE, key)
    return UseCase.of(row) if row else None


async def similar(connection: asyncpg.Connection, key: str, words: str) -> list[tuple[str, str]]:
    """Key and name of others that have some of the words (a text query), those with most of them first."""
    return [(row["key"], row["name"]) for row in await connection.fetch(SIMILAR, words, key)]


async def known_at(connection: asyncpg.Connection, key: str, moment: datetime) -> UseCase | None:
    row = await connection.fetchrow(ONE_AT, moment, key)
    return UseCase.of(row) if row else None


async def insert(uow: UnitOfWork, use_case: UseCase) -> bool:
    """False where the key is taken."""
    status = await (await uow.sql()).execute(
        INSERT,
        *(use_case.id, use_case.key, use_case.name, use_case.description, use_case.owner, use_case.stage),
        *(orjson.dumps(use_case.facets).decode(), use_case.created_at, use_case.created_by, use_case.complete),
        *(_links(use_case), *_decided(use_case)),
    )
    if status.endswith(" 0"):
        return False
    await _written(uow, use_case)
    return True


async def update(uow: UnitOfWork, use_case: UseCase, *, was: int) -> None:
    """Of one that is locked."""
    status = await (await uow.sql()).execute(
        UPDATE,
        *(use_case.id, use_case.key, use_case.name, use_case.description, use_case.owner, use_case.stage),
        *(orjson.dumps(use_case.facets).decode(), use_case.modified_at, use_case.modified_by, was),
        *(use_case.complete, _links(use_case), *_decided(use_case)),
    )
    assert status.endswith(" 1"), "the row lock forbids that anybody came between"
    await _written(uow, use_case)


async def lock_several(connection: asyncpg.Connection, keys: Collection[str]) -> list[UseCase]:
    return [UseCase.of(row) for row in await connection.fetch(LOCK_SEVERAL, list(keys))]


async def with_models(connection: asyncpg.Connection, keys: Collection[str]) -> set[str]:
    """The keys of those for which some model version stands."""
    return {row["use_case"] for row in await connection.fetch(WITH_MODELS, list(keys))}


async def follow(connection: asyncpg.Connection, use_cases: Sequence[UseCase]) -> None:
    """Write what follows from candidacies. The rows are locked."""
    rows = [(use_case.id, use_case.has_models, use_case.complete) for use_case in use_cases]
    await connection.execute(FOLLOW, *map(list, zip(*rows, strict=True)))


def tell(uow: UnitOfWork, use_case: UseCase) -> None:
    uow.emit(
        CATALOG,
        "assent.catalog.use_case.changed.v1",
        str(use_case.id),
        use_case.changed_sequence,
        _state(use_case),
    )


async def _written(uow: UnitOfWork, use_case: UseCase) -> None:
    """What follows from a state that somebody wrote: it is kept, leads from the data it names, and is told."""
    datasets = use_case.facets.get("data", {}).get("datasets", [])
    await lineage.use_case(await uow.sql(), use_case.id, use_case.key, datasets)
    await _keep(uow, use_case)
    tell(uow, use_case)


async def _keep(uow: UnitOfWork, use_case: UseCase) -> None:
    kept = _state(use_case).model_dump_json(exclude={"completeness"})
    await (await uow.sql()).execute(
        KEEP, use_case.id, use_case.sequence, use_case.modified_at, use_case.modified_by, kept
    )


def _links(use_case: UseCase) -> str:
    return orjson.dumps(use_case.links).decode()


def _decided(use_case: UseCase) -> list[str | None]:
    return [orjson.dumps(each).decode() if each else None for each in (use_case.proposal, use_case.outcome)]


def _state(use_case: UseCase) -> UseCaseChanged:
    return UseCaseChanged(
        id=use_case.id,
        key=use_case.key,
        name=use_case.name,
        description=use_case.description,
        owner=use_case.owner,
        stage=use_case.stage,
        facets=use_case.facets,
        completeness=use_case.completeness,
        links=[Link.model_validate(link) for link in use_case.links],
        created_at=use_case.created_at,
        created_by=use_case.created_by,
        modified_at=use_case.modified_at,
        modified_by=use_case.modified_by,
        proposal=Proposal.model_validate(use_case.proposal) if use_case.proposal else None,
        outcome=StepOutcome.model_validate(use_case.outcome) if use_case.outcome else None,
    )
