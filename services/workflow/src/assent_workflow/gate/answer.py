"""May it be deployed? One statement on the primary, no cache; whatever is not known is no."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

# Index: model_versions primary key or model_versions_id_key, then candidacies_model_version.
ASK = """
select v.live, v.content_hash as content_now, v.created_at as created_now, now() as asked_at,
       c.id, c.use_case, c.status, c.reason, c.content_hash, c.version_created_at, c.expires_at
  from model_versions v
  left join candidacies c on c.model_version = v.urn and ($3::text is null or c.use_case = $3)
 where v.urn = $1 or v.id = $2
 order by (c.status = 'accepted') desc, c.changed_at desc
"""


class Answer(NamedTuple):
    allow: bool
    reasons: list[str]
    candidacy: UUID | None


async def answer(connection: asyncpg.Connection, model_version: str, use_case: str | None) -> Answer:
    """Allow only for a candidacy that is accepted in the database at this moment, for the content that is there now."""
    try:
        id_ = UUID(model_version)
    except ValueError:
        id_ = None
    rows = await connection.fetch(ASK, model_version, id_, use_case)
    if not rows:
        return Answer(False, [f"the model version {model_version} is not known"], None)
    candidacies = [row for row in rows if row["id"] is not None]
    if not candidacies:
        purpose = f"for the use case {use_case}" if use_case else "for any use case"
        return Answer(False, [f"nobody has put this model version forward {purpose}"], None)
    objections = []
    for row in candidacies:
        found = _objections(row)
        if not found:
            until = row["expires_at"].date().isoformat()
            return Answer(True, [f"accepted for the use case {row['use_case']} until {until}"], row["id"])
        objections.append((row["id"], found))
    first, reasons = objections[0]
    return Answer(False, reasons if use_case else [reason for _, found in objections for reason in found], first)


def _objections(row: asyncpg.Record) -> list[str]:
    if row["status"] != "accepted":
        because = f": {row['reason']}" if row["reason"] else ""
        return [f"it is {row['status'].replace('_', ' ')} for the use case {row['use_case']}{because}"]
    asked_at: datetime = row["asked_at"]
    objections = []
    if not row["live"]:
        objections.append("its source no longer has it")
    if row["content_hash"] != row["content_now"]:
        objections.append("its content is not the one that was accepted")
    if abs((row["version_created_at"] - row["created_now"]).total_seconds()) >= 1:
        objections.append("it is another version under the name of the accepted one")
    if row["expires_at"] <= asked_at:
        objections.append(f"the acceptance expired at {row['expires_at'].isoformat()}")
    return objections
