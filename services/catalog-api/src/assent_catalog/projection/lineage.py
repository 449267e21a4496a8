"""What came of what, as the records say it: each record's edges are replaced when it changes."""

from collections.abc import Collection
from uuid import UUID

import asyncpg
from assent_common import ids

# Ordered, so that two batches that meet at a dataset never wait for each other.
KEEP_DATASETS = """
insert into datasets (id, urn) select id, urn from unnest($1::uuid[], $2::text[]) as d(id, urn) order by urn
on conflict do nothing
"""
FORGET = "delete from lineage_edges where owner = any($1::text[])"
OF_DEPLOYMENTS = """
insert into lineage_edges (owner, from_kind, from_urn, to_kind, to_urn, relation)
select urn, 'model_version', served, 'deployment', urn, 'deployed'
  from deployments d,
       lateral (select d.model_version as served
                union
                select jsonb_array_elements_text(coalesce(d.record->'model_versions', '[]'))) s
 where urn = any($1::text[]) and live and served is not null
"""
OF_CANDIDACIES = """
insert into lineage_edges (owner, from_kind, from_urn, to_kind, to_urn, relation)
select id::text, 'model_version', model_version, 'use_case', use_case, status
  from candidacies where id = any($1::uuid[]) and status not in ('withdrawn', 'rejected', 'retired')
"""
OF_USE_CASE = """
insert into lineage_edges (owner, from_kind, from_urn, to_kind, to_urn, relation)
select $1, 'dataset', urn, 'use_case', $2, 'described' from unnest($3::text[]) urn
"""


async def deployments(connection: asyncpg.Connection, urns: Collection[str]) -> None:
    """Of deployments that may have changed or gone."""
    await _replace(connection, list(urns), OF_DEPLOYMENTS, list(urns))


async def candidacies(connection: asyncpg.Connection, changed: Collection[UUID]) -> None:
    await _replace(connection, [str(id_) for id_ in changed], OF_CANDIDACIES, list(changed))


async def use_case(connection: asyncpg.Connection, id_: UUID, key: str, datasets: Collection[str]) -> None:
    """Of the data that somebody named for a use case."""
    named = sorted(set(datasets))
    await keep_datasets(connection, named)
    await _replace(connection, [str(id_)], OF_USE_CASE, str(id_), key, named)


async def _replace(connection: asyncpg.Connection, owners: list[str], statement: str, *values: object) -> None:
    if owners:
        await connection.execute(FORGET, owners)
        await connection.execute(statement, *values)


async def keep_datasets(connection: asyncpg.Connection, urns: Collection[str]) -> None:
    """Whatever was ever named."""
    if urns:
        await connection.execute(KEEP_DATASETS, [ids.of_urn(urn) for urn in urns], list(urns))
