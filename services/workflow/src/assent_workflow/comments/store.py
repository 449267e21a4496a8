"""Comments as rows: written once."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
from assent_common import ids
from assent_common.events.governance import CommentAdded
from assent_common.kafka.topics import GOVERNANCE
from assent_common.uow import UnitOfWork

from assent_workflow.candidacies import tell
from assent_workflow.candidacies.model import Matter
from assent_workflow.identities.model import Person

INSERT = """
insert into comments (id, review, task, author, author_issuer, body, verdict, added_at)
values ($1, $2, $3, $4, $5, $6, $7, $8) returning *
"""
# Index: comments_review.
OF_REVIEW = """
select * from comments
 where review = $1 and ($2::uuid is null or task = $2) and ($3::uuid is null or id > $3)
 order by id limit $4
"""


async def add(
    uow: UnitOfWork,
    candidacy: Matter,
    review: UUID,
    body: str,
    *,
    by: Person,
    task: UUID | None = None,
    verdict: str | None = None,
) -> Mapping[str, Any]:
    """Written, told and on record."""
    row = await (await uow.sql()).fetchrow(
        *(INSERT, ids.new(), review, task, by.subject, by.issuer, body, verdict, uow.clock.now()),
    )
    assert row is not None
    added = CommentAdded(
        **{name: row[name] for name in ("id", "review", "task", "author", "body", "verdict", "added_at")},
        **tell.about(candidacy),
    )
    uow.emit(GOVERNANCE, "assent.governance.comment.added.v1", str(added.id), 1, added)
    if verdict is None:
        # With a verdict it is in the record of the decision.
        details = {"comment": str(added.id), "review": str(review), "task": str(task) if task else None, "body": body}
        uow.audit(by.subject, "comment.added", str(candidacy.id), details)
    return dict(row)


async def page(
    connection: asyncpg.Connection, review: UUID, *, task: UUID | None, after: UUID | None, limit: int
) -> list[Mapping[str, Any]]:
    """Oldest first."""
    return list(await connection.fetch(OF_REVIEW, review, task, after, limit))
