"""An AWS account and region, as a source reaches it: every call of the connector goes through `Account.call`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assent_sagemaker.aws import traffic
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.credentials import Credentials, acting_as
from assent_sagemaker.aws.errors import AwsError, CredentialsExpired, Throttled, translated
from assent_sagemaker.aws.limiter import Family, Limiter
from assent_sagemaker.sources import Source

Document = Mapping[str, Any]
"""A response, or a part of one, as botocore parses it: Pascal-case keys, aware datetimes."""

_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    region: str
    credentials: Credentials
    clients: Clients
    limiter: Limiter

    @classmethod
    def of(cls, source: Source, clients: Clients, limiter: Limiter) -> "Account":
        """Sources that share a role share its account's rates; those without one share AWS's own."""
        if source.role_arn is None:
            return cls("own", source.region, clients.own, clients, limiter)
        credentials = clients.role(source.role_arn, source.external_id, source.region)
        return cls(source.role_arn.split(":")[4], source.region, credentials, clients, limiter)

    async def call(self, service: str, operation: str, family: Family, **parameters: Any) -> Document:
        """The response, as soon as the lane lets it through. Raises AwsError.

        botocore has by then tried faults and throttling four times. Throttled still, the call waits for its turn at
        half the pace, a few rounds; credentials that ran out are renewed once.
        """
        client = await self.clients.of(service, self.region)
        lane = self.limiter.lane(self.name, self.region, family)
        renewed = False
        throttled = 0
        while True:
            await lane.take()
            try:
                with acting_as(self.credentials), translated(operation):
                    response: Document = await getattr(client, operation)(**parameters)
            except Throttled:
                lane.was_throttled()
                traffic.count(operation, "throttled", family, lane.rate, throttled=1)
                throttled += 1
                if throttled == _ROUNDS:
                    raise
            except CredentialsExpired:
                if renewed:
                    raise
                renewed = True
                self.credentials.forget()
            except AwsError:
                traffic.count(operation, "refused", family, lane.rate)
                raise
            else:
                retried = response["ResponseMetadata"].get("RetryAttempts", 0)
                if retried:
                    lane.was_throttled()
                else:
                    lane.went_well()
                traffic.count(operation, "answered", family, lane.rate, throttled=retried)
                return response
