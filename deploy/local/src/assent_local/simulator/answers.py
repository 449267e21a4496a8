"""What is sent back, before HTTP has it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    #: How much of the body is really sent before the connection breaks.
    cut_at: int | None = None
