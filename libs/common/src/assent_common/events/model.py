"""What all event payloads have in common."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer

from assent_common.clock import to_utc


def rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


UtcTime = Annotated[
    datetime,
    AfterValidator(to_utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
]
"""A moment, aware, in UTC; RFC 3339 with microseconds and `Z` on the wire. A time without a zone is refused."""

Json = Any
"""Whatever JSON allows: kept as it came, never interpreted."""


class Payload(BaseModel):
    """The `data` of an event. Readers ignore fields they do not know: within a `.v1` fields are only added."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)
