"""What each service says of itself is true: its OpenAPI is one, and no answer is off it, whatever it is asked.

The requests are made up from the document itself, valid and broken ones (schemathesis).
"""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import schemathesis
from assent_local.ports import free_port
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contract import services
from tests.support.wait import until

CHECKS = [
    *(not_a_server_error, status_code_conformance, content_type_conformance),
    *(response_headers_conformance, response_schema_conformance),
]
#: A role that may do most, so that requests get past the door.
ROLES = {"catalog-api": "business_owner", "workflow": "admin", "sagemaker-connector": "admin"}
EXAMPLES = int(os.environ.get("ASSENT_FUZZ_EXAMPLES", "25"))
#: Streams without end.
NOT_ASKED = {"/v1/events"}


@pytest.fixture(params=list(services.PACKAGES))
async def service(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[tuple[str, str]]:
    """A service's name and where it is served."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.contract.served", request.param, str(port)),
        env={**os.environ, "ASSENT_DATABASE_URL": database_url},
        stdout=DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(timeout=60) as client:

        async def answers() -> bool:
            try:
                return (await client.get(f"{url}/health/live")).status_code == 200
            except httpx.TransportError:
                return False

        await until(answers, within_s=60)
    yield request.param, url
    process.kill()
    await process.wait()


async def test_the_document_is_valid_and_every_operation_reads_well(service: tuple[str, str]) -> None:
    _, url = service
    async with httpx.AsyncClient(timeout=60) as client:
        document = (await client.get(f"{url}/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    validate(document)
    operations = [
        (path, method, operation) for path, item in document["paths"].items() for method, operation in item.items()
    ]
    assert len(operations) > 10
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations:
        assert operation.get("summary"), f"{method} {path} has no summary"
        if path.startswith("/v1/"):
            assert {"400", "401", "403", "422", "429", "503"} <= set(operation["responses"]), f"{method} {path}"
            assert operation["tags"], f"{method} {path} has no tag"


async def test_no_answer_is_off_the_document(service: tuple[str, str]) -> None:
    name, url = service
    tried = await asyncio.to_thread(_try_everything, url, ROLES[name])
    assert tried > 10


def _try_everything(url: str, role: str) -> int:
    """How many operations were tried."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    tried = 0
    failures: list[FailureGroup] = []
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]
        if operation.path in NOT_ASKED:
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {role}"}, timeout=30)

        try:
            ask()
        except FailureGroup as failure:
            failures.append(failure)
        tried += 1
    if failures:
        raise BaseExceptionGroup(f"{len(failures)} of {tried} operations", failures)
    return tried
