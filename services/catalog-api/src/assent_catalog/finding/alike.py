"""Names that are like what was typed, for who mistyped: where Postgres has pg_trgm, and no more than that where not."""

import asyncpg

from assent_catalog import search

MOST = 5
LEAST_LIKENESS = 0.3
"""So much of the trigrams of what was typed is in the name: where two letters of five changed places, a third is."""

# Where it is, and where these names are found without a schema before them; how near is near, for this transaction.
OFFERED = f"""
select to_regoperator('<%(text,text)') is not null
       and set_config('pg_trgm.word_similarity_threshold', '{LEAST_LIKENESS}', true) is not null
"""
# Index: use_cases_alike, models_alike.
ALIKE = f"""
select name
  from (select name from use_cases where $1 <% name union select name from models where live and $1 <% name) alike
 order by word_similarity($1, name) desc, strict_word_similarity($1, name) desc, name limit {MOST}
"""  # noqa: S608 - a constant


async def names(connection: asyncpg.Connection, q: str) -> list[str]:
    """Of use cases and models, the most alike first."""
    async with connection.transaction(readonly=True):
        if not await connection.fetchval(OFFERED):
            return []
        return [row["name"] for row in await connection.fetch(ALIKE, " ".join(search.words(q)))]
