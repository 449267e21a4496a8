"""One client per region and service, shared by all accounts."""

import asyncio
import random
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from assent_common.clock import Clock
from botocore.utils import parse_timestamp

from assent_sagemaker.aws.credentials import AssumedRole, Credentials, CredentialsOfTheCall, OwnChain, acting_as
from assent_sagemaker.aws.errors import translated
from assent_sagemaker.aws.objects import Objects

_SHARED = AioConfig(
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=100,
    # `Account.call` tries again, so that the limiter hears of each answer. botocore's `adaptive` would pace per client,
    # which is wrong for one that many accounts share.
    retries={"mode": "standard", "total_max_attempts": 1},
    # Sessions of S3 Express are kept per bucket and client, so one account's would serve another.
    s3={"disable_s3_express_session_auth": True},
    user_agent_extra="assent",
)
_CONFIGS = {
    # STS is called while another call is signed, and beside the limiter: it bears hundreds a second.
    "sts": _SHARED.merge(AioConfig(retries={"mode": "standard", "total_max_attempts": 4})),
}


class Clients:
    """An async context manager: leaving it closes every client. Endpoints come from AWS's own settings."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._session = AioSession()
        self._own = OwnChain(self._session.get_component("credential_provider"))
        self._session.register_component("credential_provider", CredentialsOfTheCall())
        self._session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
        self._clients: dict[tuple[str, str], Any] = {}
        self._roles: dict[tuple[str, str | None], Credentials] = {}
        self._making = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def of(self, service: str, region: str) -> Any:
        """The client; made at the first call, which takes some milliseconds. Raises Refused for a region of no sort."""
        if (made := self._clients.get((service, region))) is not None:
            return made
        async with self._making:
            if (service, region) not in self._clients:
                with translated("client"):
                    making = self._session.create_client(
                        service, region_name=region, config=_CONFIGS.get(service, _SHARED)
                    )
                    client = await self._stack.enter_async_context(making)
                self._clients[service, region] = Objects(client) if service == "s3" else client
        return self._clients[service, region]

    @property
    def own(self) -> Credentials:
        """AWS's own chain."""
        return self._own

    def role(self, role_arn: str, external_id: str | None, region: str) -> Credentials:
        """A role, assumed in the name of AWS's own chain; once for all the regions that it is good for.

        STS is asked in the region that needed the role first: unlike those of the global endpoint, credentials from
        there are good in every region of the partition, those that were opted in to among them.
        """
        if (role_arn, external_id) not in self._roles:

            async def assume(**parameters: Any) -> dict[str, Any]:
                sts = await self.of("sts", region)
                with acting_as(self._own):
                    response: dict[str, Any] = await sts.assume_role(**parameters)
                    return response

            self._roles[role_arn, external_id] = AssumedRole(
                assume, role_arn=role_arn, external_id=external_id, clock=self._clock, jitter=random.SystemRandom()
            )
        return self._roles[role_arn, external_id]


def _moment(told: Any) -> datetime:
    """In UTC at once: botocore makes of SageMaker's seconds a local time first, at thirty times the price."""
    if isinstance(told, int | float):
        try:
            return datetime.fromtimestamp(told, UTC)
        except (OverflowError, OSError, ValueError):
            # It says what is wrong with it.
            pass
    moment: datetime = parse_timestamp(told)
    return moment
