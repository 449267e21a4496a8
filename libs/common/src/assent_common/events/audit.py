"""`assent.audit.v1`: witnesses of the services' audit logs. Keyed by the service's name."""

from assent_common.events.model import Payload, UtcTime


class AuditCheckpoint(Payload):
    """Where a service's audit log ended at a moment, signed: what stood there then cannot be changed unseen."""

    service: str
    #: How many records: the last one's `seq`.
    size: int
    #: The last one's hash, over itself and all before it.
    head: str
    at: UtcTime
    #: The four above as a compact JWS of `typ` `assent-audit-checkpoint+jwt`. Believe this, not those.
    signed: str


TYPES: dict[str, type[Payload]] = {"assent.audit.checkpoint.signed.v1": AuditCheckpoint}
