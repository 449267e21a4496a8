"""Who did what, when, on what: append-only, chained, and witnessed by signed checkpoints that leave the database."""

from assent_common.audit.chain import (
    BEGINNING,
    GENESIS,
    SEALED_AT_ONCE,
    Fault,
    Head,
    Record,
    Tampered,
    Walk,
    faults,
    head,
    insert,
    is_guarded,
    line,
    seal,
    verify,
)

__all__ = [
    "BEGINNING",
    "GENESIS",
    "SEALED_AT_ONCE",
    "Fault",
    "Head",
    "Record",
    "Tampered",
    "Walk",
    "faults",
    "head",
    "insert",
    "is_guarded",
    "line",
    "seal",
    "verify",
]
