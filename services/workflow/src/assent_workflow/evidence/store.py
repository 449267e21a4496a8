"""Evidence as rows: written once."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from assent_common import ids
from assent_common.events.governance import EvidenceAttached
from assent_common.http.problems import Conflict
from assent_common.kafka.topics import GOVERNANCE
from assent_common.uow import UnitOfWork

from assent_workflow.candidacies import tell
from assent_workflow.candidacies.model import Matter
from assent_workflow.evidence.schemas import EvidenceIn
from assent_workflow.identities.model import Person

#: A review shows all of it.
MOST = 200
# Index: evidence_review, both.
COUNT = "select count(*) from evidence where review = $1"
OF_REVIEW = "select * from evidence where review = $1 order by id"
INSERT = """
insert into evidence (id, review, task, name, uri, sha256, media_type, note, attached_by, attached_by_issuer,
                      attached_at)
select id, $2, $3, name, uri, sha256, media_type, note, $9, $10, $11
  from unnest($1::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
       as e(id, name, uri, sha256, media_type, note)
returning *
"""


async def attach(
    uow: UnitOfWork,
    candidacy: Matter,
    review: UUID,
    given: Sequence[EvidenceIn],
    *,
    by: Person,
    task: UUID | None = None,
) -> list[Mapping[str, Any]]:
    """Written, told and on record, for one that holds the candidacy. Raises Conflict where there is too much of it."""
    if not given:
        return []
    connection = await uow.sql()
    if await connection.fetchval(COUNT, review) + len(given) > MOST:
        raise Conflict(f"a review takes {MOST} pieces of evidence")
    rows = await connection.fetch(
        *(INSERT, [ids.new() for _ in given], review, task),
        *([each.name for each in given], [each.uri for each in given], [each.sha256 for each in given]),
        *([each.media_type for each in given], [each.note for each in given], by.subject, by.issuer, uow.clock.now()),
    )
    members = set(EvidenceAttached.model_fields) - {"candidacy", "use_case", "model_version", "step", "to"}
    for row in rows:
        attached = EvidenceAttached(
            **{name: row[name] for name in members},
            **tell.about(candidacy),
        )
        uow.emit(GOVERNANCE, "assent.governance.evidence.attached.v1", str(attached.id), 1, attached)
        details = attached.model_dump(mode="json", include=members - {"attached_by", "attached_at"})
        uow.audit(by.subject, "evidence.attached", str(candidacy.id), details)
    return [dict(row) for row in rows]


async def of_review(connection: asyncpg.Connection, review: UUID) -> list[Mapping[str, Any]]:
    return list(await connection.fetch(OF_REVIEW, review))
