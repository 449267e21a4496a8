"""What goes wrong, as it is dialled in."""

import asyncio
import random
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from assent_local.simulator.caller import Caller
from assent_local.simulator.errors import AwsError
from assent_local.simulator.iam import Statement

Rate = Annotated[float, Field(ge=0, le=1)]
#: By operation; `*` is every operation that has no rate of its own.
Rates = dict[str, Rate]


class S3Fault(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    #: `bucket/key…`: where the objects lie that it befalls.
    prefix: str
    kind: Literal["access_denied", "key_denied", "not_found", "server_error", "slow", "truncated"]
    delay_s: float = Field(default=1.0, ge=0)
    rate: Rate = 1.0


class Faults(BaseModel):
    """The dials, as `/_simulator/faults` reads and writes them. All at rest by default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency_ms: float = Field(default=0, ge=0)
    jitter_ms: float = Field(default=0, ge=0)
    throttle: Rates = {}
    #: Answered by HTTP 500 with a page that is no JSON.
    errors: Rates = {}
    #: SageMaker did as it was told, but the connection breaks off in the middle of its answer.
    cuts: Rates = {}
    #: Operations that IAM does not let anybody call: `Search`.
    denied: frozenset[str] = frozenset()
    #: What is denied to some, of some resources or under conditions. A key is denied as `kms:Decrypt`.
    deny: tuple[Statement, ...] = ()
    #: How many of the next requests with a NextToken find it expired.
    expired_tokens: int = Field(default=0, ge=0)
    #: How often a page comes empty, with a token to go on by.
    empty_pages: Rate = 0
    search_lag_s: float = Field(default=0, ge=0)
    #: Search sees nothing new until this is false again.
    search_frozen: bool = False
    #: Values that the service is too old to know: `Both`, `CrossAccount`.
    unknown_values: frozenset[str] = frozenset()
    #: So many more requests are answered; those after them wait until the dials are set again.
    answers: int | None = Field(default=None, ge=0)
    s3: tuple[S3Fault, ...] = ()
    #: By role: without this external id, it cannot be assumed.
    external_ids: dict[str, str] = {}


class ServerFault(Exception):
    """An answer that does not come from the service at all, but from what stands before it."""


class Dials:
    """The faults of this moment, and the dice. The dice are the same in each run."""

    def __init__(self, faults: Faults) -> None:
        self._silence = asyncio.Event()
        self.set(faults)
        self._random = random.Random(7)  # noqa: S311 - dice, not secrets

    @property
    def faults(self) -> Faults:
        return self._faults.model_copy(update={"expired_tokens": self._expired_tokens, "answers": self._answers})

    def set(self, faults: Faults) -> None:
        self._faults = faults
        self._expired_tokens = faults.expired_tokens
        self._answers = faults.answers
        self._silence.set()
        self._silence = asyncio.Event()

    async def before(self, service: str, operation: str, caller: Caller) -> None:
        """Take the time that the operation takes, and raise what befalls it."""
        if self._answers is not None:
            if self._answers == 0:
                await self._silence.wait()
                raise ServerFault
            self._answers -= 1
        faults = self._faults
        if faults.latency_ms or faults.jitter_ms:
            await asyncio.sleep((faults.latency_ms + self._random.random() * faults.jitter_ms) / 1000)
        if operation in faults.denied:
            raise AwsError(
                "AccessDeniedException",
                f"User: {caller.arn} is not authorized to perform: {service}:{operation} "
                f"because no identity-based policy allows the {service}:{operation} action",
            )
        if self._hits(faults.throttle, operation):
            raise AwsError("ThrottlingException", "Rate exceeded")
        if self._hits(faults.errors, operation):
            raise ServerFault

    def breaks_off(self, operation: str) -> bool:
        return self._hits(self._faults.cuts, operation)

    def unknown_value(self, request: Mapping[str, Any]) -> str | None:
        if not self._faults.unknown_values:
            return None
        return next(
            (
                name
                for name, value in request.items()
                if isinstance(value, str) and value in self._faults.unknown_values
            ),
            None,
        )

    def token_expired(self) -> bool:
        if not self._expired_tokens:
            return False
        self._expired_tokens -= 1
        return True

    def page_comes_empty(self) -> bool:
        return self._chance(self._faults.empty_pages)

    def s3_fault(self, bucket: str, key: str) -> S3Fault | None:
        path = f"{bucket}/{key}"
        return next(
            (fault for fault in self._faults.s3 if path.startswith(fault.prefix) and self._chance(fault.rate)), None
        )

    @property
    def search_lag_s(self) -> float:
        return self._faults.search_lag_s

    @property
    def search_frozen(self) -> bool:
        return self._faults.search_frozen

    def external_id(self, role: str) -> str | None:
        return self._faults.external_ids.get(role)

    def _hits(self, rates: Rates, operation: str) -> bool:
        return bool(rates) and self._chance(rates.get(operation, rates.get("*", 0)))

    def _chance(self, rate: float) -> bool:
        return rate > 0 and self._random.random() < rate
