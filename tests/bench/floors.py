"""The least that a client can do: bare aiobotocore, the records, their reports, and nothing else.

`python -m tests.bench.floors search URL` reads by Search, `describe` as everybody does it: List, then a Describe each.
"""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import uvloop
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from tests.bench.standin import REGION

AT_ONCE = 50
#: botocore's own pacing: without it, a bare client that is throttled just fails.
PATIENT = AioConfig(max_pool_connections=AT_ONCE, retries={"mode": "adaptive", "total_max_attempts": 50})


async def by_search(sagemaker: Any) -> AsyncIterator[list[Any]]:
    """Whole records, a page at a time."""
    token: dict[str, str] = {}
    while True:
        page = await sagemaker.search(
            Resource="ModelPackage", SortBy="CreationTime", SortOrder="Ascending", MaxResults=100, **token
        )
        yield [result["ModelPackage"] for result in page["Results"]]
        if "NextToken" not in page:
            return
        token = {"NextToken": page["NextToken"]}


async def by_describe(sagemaker: Any) -> AsyncIterator[list[Any]]:
    token: dict[str, str] = {}
    slots = asyncio.Semaphore(AT_ONCE)

    async def describe(arn: str) -> Any:
        async with slots:
            return await sagemaker.describe_model_package(ModelPackageName=arn)

    while True:
        page = await sagemaker.list_model_packages(ModelPackageType="Both", MaxResults=100, **token)
        arns = [summary["ModelPackageArn"] for summary in page["ModelPackageSummaryList"]]
        yield await asyncio.gather(*map(describe, arns))
        if "NextToken" not in page:
            return
        token = {"NextToken": page["NextToken"]}


async def run(how: str, url: str) -> tuple[int, float]:
    """How many versions were read with their reports, and in how many seconds."""
    async with AsyncExitStack() as stack:
        sagemaker, s3 = [
            await stack.enter_async_context(
                get_session().create_client(
                    service,
                    region_name=REGION,
                    endpoint_url=url,
                    aws_access_key_id="bench",
                    aws_secret_access_key="bench",
                    config=PATIENT,
                )
            )
            for service in ("sagemaker", "s3")
        ]
        slots = asyncio.Semaphore(AT_ONCE)
        read = 0

        async def report(record: Any) -> None:
            nonlocal read
            uri = record["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            async with slots:
                answer = await s3.get_object(Bucket=bucket, Key=key)
                json.loads(await answer["Body"].read())
            read += 1

        began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            async for records in by_search(sagemaker) if how == "search" else by_describe(sagemaker):
                for record in records:
                    tasks.create_task(report(record))
        return read, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("how", choices=["search", "describe"])
    parser.add_argument("url")
    given = parser.parse_args()
    read, seconds = uvloop.run(run(given.how, given.url))
    print(json.dumps({"read": read, "seconds": seconds}))  # noqa: T201 - whoever started it reads it


if __name__ == "__main__":
    main()
