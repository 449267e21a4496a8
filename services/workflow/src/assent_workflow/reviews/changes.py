"""What a review judges beside what was judged before it: the round before, and what was last accepted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from assent_workflow.reviews.compare import Comparison, Judged, compare

# History does not move: a review is compared with the same two, whenever it is asked for. Ids are in the order of time.
# Index: reviews_candidacy, candidacies_use_case.
BESIDE = """
select r.content as judged, which, o.id, o.candidacy, o.content_hash, o.content, o.status, o.requested_at, o.ended_at,
       o.model_version
  from reviews r
  join candidacies c on c.id = r.candidacy
  cross join lateral (
    (select 'accepted' as which, a.*, b.model_version
       from candidacies b join reviews a on a.candidacy = b.id
      where b.use_case = c.use_case and b.use_case_id = c.use_case_id
        and (b.step_to is null) = (c.step_to is null)
        and a.status in ('accepted', 'overridden') and a.id < r.id and a.ended_at <= r.requested_at
      order by a.ended_at desc, a.id desc limit 1)
    union all
    (select 'last_round', l.*, c.model_version
       from reviews l where l.candidacy = r.candidacy and l.id < r.id order by l.id desc limit 1)
    union all
    -- A step that is proposed anew is another one.
    (select 'last_round', l.*, null
       from candidacies b join reviews l on l.candidacy = b.id
      where c.step_to is not null and b.use_case_id = c.use_case_id and b.step_to = c.step_to and b.id <> c.id
        and l.id < r.id and not exists (select from reviews e where e.candidacy = c.id and e.id < r.id)
      order by l.id desc limit 1)
  ) o
 where r.id = $1
"""


@dataclass(frozen=True)
class Since:
    #: What was last accepted for the use case before this was asked for: another version, or this one some time ago.
    accepted: Comparison | None = None
    #: The candidacy's round before.
    last_round: Comparison | None = None


async def since_others(connection: asyncpg.Connection, review: UUID) -> Since:
    """Computed on what each was pinned to; what stands in the registry now is another matter."""
    rows = await connection.fetch(BESIDE, review)
    return Since(**{row["which"]: compare(_judged(row), row["judged"]) for row in rows})


def _judged(row: Mapping[str, Any]) -> Judged:
    return Judged(
        review=row["id"],
        model_version=row["model_version"],
        content_hash=row["content_hash"],
        status=row["status"],
        requested_at=row["requested_at"],
        ended_at=row["ended_at"],
        content=row["content"],
    )
