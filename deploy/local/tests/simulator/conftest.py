"""Real aiobotocore clients on a running simulator; every answer is held against botocore's own output shape."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from assent_local.simulator import Simulator, running
from botocore.validate import ParamValidator

REGION = "eu-central-1"

_session = get_session()
_validator = ParamValidator()

#: SageMaker leaves the name out of what it says of a versioned package, whatever its model requires.
_ABSENT = 'Missing required parameter in input: "ModelPackageName"'

Connect = Callable[..., AbstractAsyncContextManager[Any]]


def connect(service: str, url: str, *, region: str = REGION, **credentials: str) -> AbstractAsyncContextManager[Any]:
    signed = {"aws_access_key_id": "test", "aws_secret_access_key": "test", **credentials}
    config = AioConfig(retries={"total_max_attempts": 1})
    client: AbstractAsyncContextManager[Any] = _session.create_client(
        service, region_name=region, endpoint_url=url, config=config, **signed
    )
    return client


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running() as simulator:
        yield simulator


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[Callable[..., Any]]:
    """`await client("sagemaker")`: its answers are checked."""
    async with AsyncExitStack() as stack:

        async def client(service: str, **options: str) -> Any:
            connected = await stack.enter_async_context(connect(service, simulator.url, **options))
            if service != "s3":
                connected.meta.events.register("after-call", _hold_against_its_shape)
            return connected

        yield client


@pytest.fixture
async def sagemaker(client: Callable[..., Any]) -> Any:
    return await client("sagemaker")


async def _hold_against_its_shape(http_response: Any, model: Any, **_: Any) -> None:
    body = await http_response.content
    if http_response.status_code == 200 and model.output_shape is not None and body.startswith(b"{"):
        report = _validator.validate(json.loads(body), model.output_shape).generate_report()
        problems = [line for line in report.splitlines() if line and line != _ABSENT]
        assert not problems, f"{model.name}: {problems}"


def specification(image: str = "registry.example.com/xgboost:1.7") -> dict[str, Any]:
    return {
        "Containers": [{"Image": image, "ModelDataUrl": "s3://models/model.tar.gz", "Framework": "XGBOOST"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }


async def register(sagemaker: Any, group: str, **given: Any) -> str:
    """The ARN of one more version of the group."""
    request: Mapping[str, Any] = {"InferenceSpecification": specification(), **given}
    answer = await sagemaker.create_model_package(ModelPackageGroupName=group, **request)
    return str(answer["ModelPackageArn"])
