"""One person decides for another, for one role and for a while."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from assent_workflow.identities.model import Person


@dataclass(frozen=True, kw_only=True)
class Delegation:
    """Given by a holder of the role. The policy says for which tasks it counts: `Approval.substitutes`."""

    id: UUID
    role: str
    delegator: Person
    #: The one who stands in.
    substitute: Person
    begins_at: datetime
    ends_at: datetime
    reason: str
    revoked_at: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return self.revoked_at is None and self.begins_at <= at < self.ends_at
