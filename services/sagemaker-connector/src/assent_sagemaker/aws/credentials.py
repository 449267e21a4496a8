"""Whose name a call is made in: AWS's own chain, or a role assumed for a source.

Clients are shared by all sources of a region; the credentials of a call come from a context variable that is read when
the request is signed. 200 accounts over one client, each request signed with the right key; a client each would be
0.7 MB each.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from assent_common.clock import Clock, to_utc
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError

from assent_sagemaker.aws.errors import AwsError, Denied, translated

log = structlog.get_logger(__name__)


class Credentials(Protocol):
    async def frozen(self) -> ReadOnlyCredentials:
        """Good for a call that is made now. May call STS. Raises AwsError."""
        ...

    def forget(self) -> None:
        """The service refuses what `frozen` gave: get others next time."""
        ...


_current: ContextVar[Credentials] = ContextVar("assent_aws_credentials")


@contextmanager
def acting_as(credentials: Credentials) -> Iterator[None]:
    """Every request signed within is signed with these; tasks started within inherit them."""
    token = _current.set(credentials)
    try:
        yield
    finally:
        _current.reset(token)


class CredentialsOfTheCall:
    """What the shared clients believe to be their credentials (botocore's interface, as aiobotocore awaits it)."""

    method = "assent"

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        credentials = _current.get(None)
        if credentials is None:
            raise NoCredentialsError
        return await credentials.frozen()

    async def get_account_id(self) -> str | None:
        account_id: str | None = (await self.get_frozen_credentials()).account_id
        return account_id

    def get_deferred_property(self, name: str) -> Callable[[], Awaitable[str | None]]:
        if name != "account_id":
            raise AttributeError(name)
        return self.get_account_id

    async def load_credentials(self) -> "CredentialsOfTheCall":
        """botocore asks its `credential_provider` component for credentials by this name."""
        return self


class OwnChain:
    """AWS's own chain (environment, profile, container, instance), which refreshes itself."""

    def __init__(self, resolver: Any) -> None:
        """`resolver` is botocore's own: it finds the credentials once, at the first call."""
        self._resolver = resolver
        self._found: Any = None
        self._lock = asyncio.Lock()

    async def frozen(self) -> ReadOnlyCredentials:
        async with self._lock:
            found = self._found
            if found is None:
                with translated("credentials"):
                    found = self._found = await self._resolver.load_credentials()
        if found is None:
            raise Denied("credentials", "NoCredentials", "AWS's own settings name no credentials")
        frozen: ReadOnlyCredentials = await found.get_frozen_credentials()
        return frozen

    def forget(self) -> None:
        self._found = None


class AssumeRole(Protocol):
    async def __call__(self, **parameters: Any) -> dict[str, Any]:
        """STS's AssumeRole, called in the name of whoever may assume."""
        ...


class AssumedRole:
    """A role with its external id, assumed again at half of its life, give or take, and by one call at a time.

    While a new one can't be had, the old one is used to its end.
    """

    def __init__(
        self,
        assume: AssumeRole,
        *,
        role_arn: str,
        external_id: str | None,
        clock: Clock,
        jitter: random.Random,
    ) -> None:
        self._assume = assume
        self._request = {"RoleArn": role_arn, "RoleSessionName": "assent"}
        if external_id:
            self._request["ExternalId"] = external_id
        self._clock = clock
        self._jitter = jitter
        self._held: ReadOnlyCredentials | None = None
        self._refresh_at: datetime | None = None
        self._expires_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def frozen(self) -> ReadOnlyCredentials:
        if not self._is_due() and self._held:
            return self._held
        if self._lock.locked() and self._held and self._is_good():
            return self._held
        async with self._lock:
            if self._is_due() or self._held is None:
                await self._refresh()
            assert self._held
            return self._held

    def forget(self) -> None:
        self._held = self._refresh_at = self._expires_at = None

    async def _refresh(self) -> None:
        try:
            with translated("AssumeRole"):
                response = await self._assume(**self._request)
        except AwsError as error:
            if self._held and self._is_good():
                log.warning("role_not_refreshed", role=self._request["RoleArn"], reason=str(error))
                self._refresh_at = self._clock.now() + _TRY_AGAIN_AFTER
                return
            raise
        given = response["Credentials"]
        now, self._expires_at = self._clock.now(), to_utc(given["Expiration"])
        self._held = ReadOnlyCredentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        # 1,000 roles assumed at one start must not all come due in one second.
        self._refresh_at = now + (self._expires_at - now) * self._jitter.uniform(0.45, 0.55)

    def _is_due(self) -> bool:
        return self._refresh_at is None or self._clock.now() >= self._refresh_at

    def _is_good(self) -> bool:
        return self._expires_at is not None and self._clock.now() < self._expires_at - _MARGIN


_MARGIN = timedelta(seconds=60)
_TRY_AGAIN_AFTER = timedelta(seconds=30)
