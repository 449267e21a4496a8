"""`/v1/gate`: ask, check an answer elsewhere, and see what was asked."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from assent_common import gate_answers, ids
from assent_common.database import Database
from assent_common.http.app import router
from assent_common.http.audit_log import PublicKeys
from assent_common.http.pages import CursorText, Limit, Page, paged, read_cursor
from assent_common.identity.roles import Reader
from assent_common.signing import Signer
from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from assent_workflow import metrics
from assent_workflow.gate import answer as gate
from assent_workflow.gate import log
from assent_workflow.gate.names import Question

routes = router(tags=["gate"])

# Index: the primary key, or gate_questions_version.
LIST = """
select id, asked_at, asked_by, model_version, artifact_digest, image, use_case, environment, allow, reasons, decided_by,
       candidacy
  from gate_questions
 where ($1::boolean is null or allow = $1) and ($2::text is null or decided_by = $2)
   and ($3::text is null or environment = $3) and ($4::uuid is null or id < $4)
 order by id desc
 limit $5
"""


class QuestionIn(BaseModel):
    """What is to be deployed, what for, and where. At least one of model version, artifact digest and image; whoever
    names several is told no unless all are of one version."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "model_version": "arn:aws:sagemaker:eu-central-1:123456789012:model-package/customer-churn/7",
                "artifact_digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "use_case": "customer-retention",
                "environment": "production",
            }
        },
    )

    model_version: Annotated[str | None, Field(min_length=1, max_length=2048, description="Urn or id")] = None
    artifact_digest: Annotated[
        str | None, Field(min_length=8, max_length=200, description="SHA-256, or the ETag that the registry recorded")
    ] = None
    image: Annotated[
        str | None, Field(min_length=1, max_length=1024, description="By digest (`…@sha256:…`), or as registered")
    ] = None
    use_case: Annotated[str | None, Field(max_length=200, description="Key; without it any use case will do")] = None
    environment: Annotated[str | None, Field(max_length=200, description="Where to, as the policy names it")] = None

    @model_validator(mode="after")
    def _names_something(self) -> "QuestionIn":
        if self.model_version is None and self.artifact_digest is None and self.image is None:
            raise ValueError("name a model_version, an artifact_digest or an image")
        return self


class GateVerdict(BaseModel):
    """Whether it may, and why or why not."""

    allow: bool
    reasons: list[str]
    #: After a no: the next step, by whom, and where.
    what_to_do: list[str] = []
    #: The candidacy that decides; null where there is none.
    candidacy: UUID | None
    #: The model version that decides.
    model_version: str | None = None
    environment: str | None = None
    #: Of this question, under which it is kept.
    question: UUID
    #: This answer, signed (JWS, Ed25519), good for five minutes: `assent gate verify`. Null without a key.
    signed: str | None = None


class Asked(BaseModel):
    """A question, and what was answered."""

    id: UUID
    asked_at: datetime
    asked_by: str
    model_version: str | None
    artifact_digest: str | None
    image: str | None
    use_case: str | None
    environment: str | None
    allow: bool
    reasons: list[str]
    decided_by: str | None
    candidacy: UUID | None


# By the short way (`http.lane`), and in JSON that is written at once: it is asked more often than all the rest.
@routes.post("/gate", summary="Ask whether a model version may be deployed", response_model=GateVerdict)
async def ask_gate(asked: QuestionIn, request: Request, who: Reader) -> Response:
    """Allowed is only what is accepted at this moment, for the content that is there now; the unknown is denied. The
    question is kept with its answer before it is answered."""
    question = Question(asked.model_version, asked.artifact_digest, asked.image, asked.use_case, asked.environment)
    database: Database = request.app.state.database
    id_ = ids.new()
    async with database.connection() as connection:
        closed = request.app.state.standing.closed if request.app.state.standing else None
        answered = gate.nobody_knows(closed) if closed else await gate.answer(connection, question)
        await log.keep(connection, id_, question, answered, by=who)
    metrics.GATE_ANSWERS.labels("allow" if answered.allow else "deny").inc()
    signer: Signer | None = request.app.state.signer
    signed = gate_answers.sign(signer, _claims(id_, question, answered), database.clock.now()) if signer else None
    verdict = {
        "allow": answered.allow,
        "reasons": answered.reasons,
        "what_to_do": answered.what_to_do,
        "candidacy": answered.candidacy,
        "model_version": answered.model_version,
        "environment": question.environment,
        "question": id_,
        "signed": signed,
    }
    return Response(orjson.dumps(verdict, default=str), media_type="application/json")


@routes.get("/gate/keys", summary="Read the public keys that sign the gate's answers")
async def get_gate_keys(request: Request, _: Reader) -> PublicKeys:
    """A JWKS, for who checks answers without asking."""
    signer: Signer | None = request.app.state.signer
    return PublicKeys(keys=signer.jwks()["keys"] if signer else [])


@routes.get("/gate/questions", summary="List what the gate was asked, newest first")
async def list_gate_questions(
    request: Request,
    _: Reader,
    allow: Annotated[bool | None, Query(description="Only what was allowed, or was not")] = None,
    model_version: Annotated[str | None, Query(max_length=2048, description="The urn that decided")] = None,
    environment: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[Asked]:
    """Kept for ninety days."""
    selection = [allow, model_version, environment]
    after = read_cursor(cursor, of=selection, shape=[UUID])
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(LIST, *selection, after[0] if after else None, limit + 1)
    questions = [Asked.model_validate(dict(row)) for row in rows]
    return paged(questions, limit, key=lambda question: [question.id], of=selection)


def _claims(id_: UUID, question: Question, answered: gate.Answer) -> dict[str, Any]:
    """What was asked as it was asked, and the version that decided."""
    named = {
        "artifact_digest": question.artifact_digest,
        "image": question.image,
        "use_case": question.use_case,
        "environment": question.environment,
    }
    return {
        "jti": str(id_),
        "allow": answered.allow,
        "reasons": answered.reasons,
        "model_version": answered.model_version or question.model_version,
        "candidacy": str(answered.candidacy) if answered.candidacy else None,
        **{name: value for name, value in named.items() if value is not None},
    }
