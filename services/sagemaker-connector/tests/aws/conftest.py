"""moto's server as the second opinion on AWS."""

from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from typing import Any

import pytest
from assent_common.clock import SystemClock
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.limiter import Limiter
from assent_sagemaker.sources import Source
from botocore.session import get_session
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def registry(aws: str) -> Callable[[str], Any]:
    """A plain client of the service, with which the tests prepare what the connector will find."""

    session = get_session()

    @cache
    def client(service: str) -> Any:
        return session.create_client(
            service, region_name=REGION, endpoint_url=aws, aws_access_key_id="test", aws_secret_access_key="test"
        )

    return client


@pytest.fixture
async def clients(aws: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clients]:
    for service in ("SAGEMAKER", "S3", "STS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", aws)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    async with Clients(SystemClock()) as clients:
        yield clients


@pytest.fixture
def account(clients: Clients) -> Account:
    return Account.of(Source(name="default", region=REGION), clients, Limiter())
