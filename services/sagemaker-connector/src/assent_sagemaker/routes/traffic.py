"""What was asked of AWS, as the routes show it."""

from pydantic import BaseModel


class TrafficView(BaseModel):
    """What one reading asked of AWS."""

    #: By operation: `search`, `list_model_packages`, `get_object`, …
    calls: dict[str, int] = {}
    #: By operation: how often AWS said that it was too much.
    throttled: dict[str, int] = {}
    #: Calls a second that were allowed in the end, by family of operations.
    rates: dict[str, float] = {}
