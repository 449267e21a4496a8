"""`POST /v1/gate`."""

from typing import Annotated
from uuid import UUID

from assent_common.database import Database
from assent_common.http.app import router
from assent_common.identity.roles import Reader
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from assent_workflow.gate import answer as gate

routes = router(tags=["gate"])


class Question(BaseModel):
    """What is to be deployed, what for, and where."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "model_version": "arn:aws:sagemaker:eu-central-1:123456789012:model-package/customer-churn/7",
                "use_case": "customer-retention",
                "environment": "production",
            }
        },
    )

    model_version: Annotated[str, Field(min_length=1, max_length=2048, description="Urn or id")]
    use_case: Annotated[str | None, Field(max_length=200, description="Key; without it any use case will do")] = None
    environment: Annotated[str | None, Field(max_length=200, description="Where to; every one asks the same")] = None


class Verdict(BaseModel):
    """Whether it may, and why or why not."""

    allow: bool
    reasons: list[str]
    #: The candidacy that decides; null where there is none.
    candidacy: UUID | None


@routes.post("/gate", summary="Ask whether a model version may be deployed")
async def ask_gate(question: Question, request: Request, _: Reader) -> Verdict:
    """Allowed is only what is accepted at this moment, for the content that is there now; the unknown is denied."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        allow, reasons, candidacy = await gate.answer(connection, question.model_version, question.use_case)
    return Verdict(allow=allow, reasons=reasons, candidacy=candidacy)
