"""An AWS account and region, as a source reaches it: every call of the connector goes through `Account.call`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assent_sagemaker.aws import traffic, urgency
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.credentials import Credentials, acting_as
from assent_sagemaker.aws.errors import AwsError, CredentialsExpired, Throttled, Unavailable, translated
from assent_sagemaker.aws.limiter import Family, Limiter
from assent_sagemaker.sources import Source

Document = Mapping[str, Any]
"""A response, or a part of one, as botocore parses it: Pascal-case keys, aware datetimes."""

_TRIES = {"throttled": 12, "failed": 4, "expired": 2, "refused": 1}


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    region: str
    credentials: Credentials
    clients: Clients
    limiter: Limiter

    @classmethod
    def of(cls, source: Source, clients: Clients, limiter: Limiter) -> "Account":
        """Sources of one account share its rates, whatever their roles; those without one share AWS's own."""
        if source.role_arn is None:
            return cls("own", source.region, clients.own, clients, limiter)
        credentials = clients.role(source.role_arn, source.external_id, source.region)
        return cls(source.role_arn.split(":")[4], source.region, credentials, clients, limiter)

    async def meet(self) -> None:
        """Make the clients that reading needs: each takes a tenth of a second, in which nothing else goes on."""
        for service in ("sagemaker", "s3"):
            await self.clients.of(service, self.region)

    async def call(self, service: str, operation: str, family: Family, **parameters: Any) -> Document:
        """The response, as soon as the lane lets it through. Raises AwsError.

        Passing faults are tried again a few times, throttled calls for as long as the lane takes to find its rate,
        what the service refuses never; credentials that ran out are renewed once. botocore tries nothing again by
        itself: the lane hears of every answer, and each is counted.
        """
        client = await self.clients.of(service, self.region)
        lane = self.limiter.lane(self.name, self.region, family)
        outcomes: Counter[str] = Counter()
        while True:
            turn = await lane.take(urgency.of_the_call())
            try:
                with acting_as(self.credentials), translated(operation):
                    response: Document = await getattr(client, operation)(**parameters)
            except AwsError as error:
                outcome = _outcome(error)
                if outcome == "throttled":
                    lane.was_throttled(turn)
                traffic.count(operation, outcome, family, lane.rate, throttled=int(outcome == "throttled"))
                outcomes[outcome] += 1
                if outcomes[outcome] >= _TRIES[outcome]:
                    raise
                if outcome == "expired":
                    self.credentials.forget()
                else:
                    await self.limiter.back_off(outcomes[outcome])
            else:
                lane.went_well(turn)
                traffic.count(operation, "answered", family, lane.rate)
                return response


def _outcome(error: AwsError) -> str:
    match error:
        case Throttled():
            return "throttled"
        case Unavailable():
            return "failed"
        case CredentialsExpired():
            return "expired"
        case _:
            return "refused"
