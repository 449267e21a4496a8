import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assent_common.clock import FrozenClock
from assent_sagemaker.aws.credentials import AssumedRole
from assent_sagemaker.aws.errors import Denied, Unavailable

ROLE = "arn:aws:iam::111122223333:role/assent-reader"


class Sts:
    """Gives a key an hour of life, numbered; fails while it is told to."""

    def __init__(self, clock: FrozenClock) -> None:
        self.clock = clock
        self.requests: list[dict[str, Any]] = []
        self.failing: Exception | None = None

    async def __call__(self, **parameters: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        self.requests.append(parameters)
        if self.failing:
            raise self.failing
        key = f"key-{len(self.requests)}"
        expires = self.clock.now() + timedelta(hours=1)
        return {"Credentials": {"AccessKeyId": key, "SecretAccessKey": "s", "SessionToken": "t", "Expiration": expires}}


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture
def sts(clock: FrozenClock) -> Sts:
    return Sts(clock)


@pytest.fixture
def role(sts: Sts, clock: FrozenClock) -> AssumedRole:
    return AssumedRole(sts, role_arn=ROLE, external_id="7f3c", clock=clock, jitter=random.Random(1))


async def key(role: AssumedRole) -> str:
    return str((await role.frozen()).access_key)


async def test_a_role_is_assumed_with_its_external_id_and_by_one_call_for_all(role: AssumedRole, sts: Sts) -> None:
    assert await asyncio.gather(*(key(role) for _ in range(50))) == ["key-1"] * 50
    assert sts.requests == [{"RoleArn": ROLE, "RoleSessionName": "assent", "ExternalId": "7f3c"}]


async def test_it_is_renewed_at_half_of_its_life(role: AssumedRole, sts: Sts, clock: FrozenClock) -> None:
    assert await key(role) == "key-1"
    clock.advance(timedelta(minutes=26))
    assert await key(role) == "key-1"
    clock.advance(timedelta(minutes=8))
    assert set(await asyncio.gather(*(key(role) for _ in range(50)))) <= {"key-1", "key-2"}
    assert await key(role) == "key-2"
    assert len(sts.requests) == 2


async def test_while_a_new_one_cannot_be_had_the_old_one_serves_to_its_end(
    role: AssumedRole, sts: Sts, clock: FrozenClock
) -> None:
    await key(role)
    sts.failing = TimeoutError()
    clock.advance(timedelta(minutes=40))
    assert await key(role) == "key-1"
    assert await key(role) == "key-1"
    assert len(sts.requests) == 2
    clock.advance(timedelta(minutes=20))
    with pytest.raises(Unavailable):
        await key(role)
    sts.failing = None
    assert await key(role) == "key-4"


async def test_refused_credentials_are_forgotten(role: AssumedRole) -> None:
    assert await key(role) == "key-1"
    role.forget()
    assert await key(role) == "key-2"


async def test_a_role_that_may_not_be_assumed_is_denied(role: AssumedRole, sts: Sts) -> None:
    sts.failing = Denied("AssumeRole", "AccessDenied", "not authorized")
    with pytest.raises(Denied):
        await key(role)
