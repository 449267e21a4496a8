"""Evidence on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

#: What a browser would run, or hold whole, is no reference.
NO_REFERENCE = frozenset({"javascript", "vbscript", "data", "blob", "about"})


def _reference(uri: str) -> str:
    if uri.partition(":")[0].lower() in NO_REFERENCE:
        raise ValueError("not a reference to something kept elsewhere")
    return uri


Reference = Annotated[
    str,
    StringConstraints(max_length=2048, pattern=r"^[A-Za-z][A-Za-z0-9+.\-]*:[^\s\x00-\x1f<>\"]+$"),
    AfterValidator(_reference),
]


class EvidenceIn(BaseModel):
    """Something kept elsewhere, and the digest by which it is known."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "Data protection impact assessment",
                "uri": "s3://governance/dpia/retention-2026.pdf",
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "media_type": "application/pdf",
                "note": "Signed on 3 November",
            }
        },
    )

    name: Annotated[str, Field(min_length=1, max_length=200)]
    uri: Reference
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), Field(description="Of what is there, in hex")]
    media_type: Annotated[
        str, StringConstraints(max_length=100, pattern=r"^[a-z0-9][a-z0-9.+\-]*/[a-z0-9][a-z0-9.+\-]*$")
    ]
    note: Annotated[str | None, Field(max_length=1000)] = None


class EvidenceOut(BaseModel):
    """What a judgement rests on. It is never changed."""

    id: UUID
    review: UUID
    #: The task whose decision it was given with.
    task: UUID | None
    name: str
    uri: str
    sha256: str
    media_type: str
    note: str | None
    attached_by: str
    attached_at: datetime
