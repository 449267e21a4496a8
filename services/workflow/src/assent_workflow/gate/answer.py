"""May it be deployed? Decided by one statement on the primary, no cache; whatever is not known is no."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
import orjson

from assent_workflow.gate import advice
from assent_workflow.gate.advice import ELSEWHERE
from assent_workflow.gate.names import Question, image_digest, mismatches, spellings

#: More versions than that are not told apart by a name that they share.
MOST = 20

# What the caller's names are held against is read only where he gave some ($2): it is most of a row.
_ASK = """
select v.urn, v.live, v.content_hash as content_now, v.created_at as created_now, now() as asked_at,
       case when $2 then jsonb_build_object(
           'artifacts', v.record->'artifacts', 'image', v.record->'image', 'image_digest', v.record->'image_digest',
           'images', v.content->'images') end as known,
       c.id, c.use_case, c.status, c.reason, c.content_hash, c.version_created_at, c.expires_at, c.review,
       c.environments,
       case c.status when 'under_review' then array(
           select t.role from tasks t where t.candidacy = c.id and t.status = 'open' order by t.due_at, t.id
       ) end as open_to
  from {versions} v
  left join candidacies c on c.model_version = v.urn and ($1::text is null or c.use_case = $1)
 order by (c.status = 'accepted') desc nulls last, v.live desc, c.changed_at desc, v.urn
"""
# Index: model_versions primary key or model_versions_id, then candidacies_model_version.
BY_NAME = _ASK.format(versions="(select * from model_versions where urn = $3 or id = $4)")
# Index: model_versions_artifacts.
BY_ARTIFACT = _ASK.format(
    versions="""(
       select * from model_versions
        where record->'artifacts' @> $3::jsonb or record->'artifacts' @> $4::jsonb or record->'artifacts' @> $5::jsonb
        order by live desc, urn limit 200)"""
)
# Index: model_versions_image, model_versions_image_digest.
BY_IMAGE = _ASK.format(
    versions="""(
       select * from model_versions
        where live and (record->>'image' = $3 or record->>'image_digest' = $4)
        order by urn limit 21)"""
)

# Index: the unique key.
KNOWS_USE_CASE = "select exists (select from use_cases where key = $1)"


class Answer(NamedTuple):
    allow: bool
    reasons: list[str]
    #: What somebody can do about a no.
    what_to_do: list[str]
    #: The version that decides, and its candidacy.
    model_version: str | None
    candidacy: UUID | None
    asked_at: datetime | None


async def answer(connection: asyncpg.Connection, question: Question) -> Answer:
    """Allow only for a candidacy that is accepted in the database at this moment, for the content that is there now,
    and only for what the caller says he is about to deploy."""
    rows = await _rows(connection, question)
    if not rows:
        reason = f"the {question.named()} is not known"
        return Answer(False, [reason], [advice.UNKNOWN], None, None, None)
    asked_at: datetime = rows[0]["asked_at"]
    if question.model_version is None and question.artifact_digest is None:
        answered = _by_image_alone(question, rows, asked_at)
    else:
        answered = _best(question, rows, asked_at)
    if answered.allow or answered.candidacy is not None or question.use_case is None:
        return answered
    if await connection.fetchval(KNOWS_USE_CASE, question.use_case):
        return answered
    # It was a no, and is one for a better reason.
    reason = f"the use case {question.use_case} is not known"
    return answered._replace(reasons=[reason, *answered.reasons], what_to_do=[advice.NO_SUCH_USE_CASE])


def nobody_knows(why: str) -> Answer:
    """Of a database of which nobody knows yet whether it is the present one."""
    return Answer(False, [why], [advice.WAIT], None, None, None)


def _best(question: Question, rows: Sequence[asyncpg.Record], asked_at: datetime) -> Answer:
    """One acceptance is enough: all these rows are of the same name, or the same bytes."""
    objections = []
    for row in rows:
        found = [*mismatches(question, row["known"] or {}), *_objections(question, row)]
        if not found:
            until = row["expires_at"].date().isoformat()
            where = f" in {', '.join(row['environments'])}" if row["environments"] is not None else ""
            allowed = [f"accepted for the use case {row['use_case']}{where} until {until}"]
            return Answer(True, allowed, [], row["urn"], row["id"], asked_at)
        objections.append((row, found))
    first, reasons = objections[0]
    if question.use_case is None:
        reasons = list(dict.fromkeys(reason for _, found in objections for reason in found))
    do = list(dict.fromkeys(step for row, found in objections[:3] for step in advice.steps(question, row, found)))
    return Answer(False, reasons, do, first["urn"], first["id"], asked_at)


def _by_image_alone(question: Question, rows: Sequence[asyncpg.Record], asked_at: datetime) -> Answer:
    """An image may serve many models: then it does not say which is to be deployed, and each must be allowed."""
    versions = list(dict.fromkeys(row["urn"] for row in rows))
    if len(versions) > MOST:
        reason = f"more than {MOST} model versions run in the image {question.image}: it does not tell which is meant"
        return Answer(False, [reason], [advice.NAME_THE_VERSION], None, None, asked_at)
    answers = [_best(question, [row for row in rows if row["urn"] == urn], asked_at) for urn in versions]
    denied = [each for each in answers if not each.allow]
    if not denied:
        return answers[0]
    if len(versions) == 1:
        return denied[0]
    reasons = [f"{each.model_version}: {reason}" for each in denied for reason in each.reasons]
    return Answer(
        *(False, reasons, [advice.NAME_THE_VERSION, *denied[0].what_to_do]),
        *(denied[0].model_version, denied[0].candidacy, asked_at),
    )


async def _rows(connection: asyncpg.Connection, question: Question) -> list[asyncpg.Record]:
    how: tuple[object, ...]
    if question.model_version is not None:
        statement, how = BY_NAME, (question.model_version, _uuid(question.model_version))
    elif question.artifact_digest is not None:
        wanted = [orjson.dumps([{"digest": each}]).decode() for each in spellings(question.artifact_digest)]
        statement, how = BY_ARTIFACT, tuple(wanted)
    else:
        assert question.image is not None
        statement, how = BY_IMAGE, (question.image, image_digest(question.image))
    more = question.artifact_digest is not None or question.image is not None
    rows: list[asyncpg.Record] = await connection.fetch(statement, question.use_case, more, *how)
    return rows


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _objections(question: Question, row: asyncpg.Record) -> list[str]:
    if row["id"] is None:
        purpose = f"for the use case {question.use_case}" if question.use_case else "for any use case"
        return [f"nobody has put this model version forward {purpose}"]
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
    if row["environments"] is not None and question.environment not in row["environments"]:
        asked = f"not in {question.environment}" if question.environment else "and it was not said where it is to run"
        objections.append(f"it is {ELSEWHERE} {', '.join(row['environments'])} alone, {asked}")
    return objections
