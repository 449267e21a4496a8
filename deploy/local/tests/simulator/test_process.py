"""The simulator in a process of its own: says when it is ready, keeps its state through kill -9, ends at once."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from .conftest import connect, register


async def test_what_was_answered_for_survives_a_kill(tmp_path: Path) -> None:
    arguments = ("--state", str(tmp_path / "state" / "sagemaker.db"), "--events-queue", "events")
    async with started(*arguments) as (process, url), connect("sagemaker", url) as sagemaker:
        await sagemaker.create_model_package_group(
            ModelPackageGroupName="churn", Tags=[{"Key": "team", "Value": "crm"}]
        )
        for _ in range(20):
            arn = await register(sagemaker, "churn")
        await sagemaker.delete_model_package(ModelPackageName="churn/19")
        await sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
        before = await _everything(sagemaker, url)
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async with started(*arguments) as (_, url), connect("sagemaker", url) as sagemaker:
        assert await _everything(sagemaker, url) == before
        assert before["messages"] == "21"
        assert len(before["found"]) == 19
        assert (await register(sagemaker, "churn")).endswith("/21")


async def test_it_does_not_wait_for_a_long_poll_to_end() -> None:
    async with started() as (process, url), connect("sqs", url) as sqs:
        queue = (await sqs.create_queue(QueueName="events"))["QueueUrl"]
        poll = asyncio.create_task(sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20))
        async with connect("sqs", url) as other:
            # The poll's connection was taken before this one's, and so was its request.
            await other.get_queue_url(QueueName="events")
        process.send_signal(signal.SIGTERM)
        # The poll itself would last for twenty.
        async with asyncio.timeout(10):
            code = await process.wait()
        await asyncio.gather(poll, return_exceptions=True)

    assert code == 0


async def test_the_company_is_not_moved_in_twice(tmp_path: Path) -> None:
    arguments = ("--state", str(tmp_path / "sagemaker.db"), "--company")
    counts = []
    for _ in range(2):
        async with started(*arguments) as (_, url), connect("sagemaker", url) as sagemaker:
            counts.append((await sagemaker.search(Resource="ModelPackage"))["TotalHits"]["Value"])
            if len(counts) == 1:
                await sagemaker.delete_model_package(ModelPackageName="product-photos/3")

    assert counts == [41, 40]


async def _everything(sagemaker: Any, url: str) -> dict[str, Any]:
    found = await sagemaker.search(Resource="ModelPackage", SortBy="ModelPackageVersion")
    groups = await sagemaker.search(Resource="ModelPackageGroup")
    async with connect("sqs", url) as sqs:
        queue = (await sqs.get_queue_url(QueueName="events"))["QueueUrl"]
        attributes = await sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
    return {
        "found": found["Results"],
        "groups": groups["Results"],
        "messages": attributes["Attributes"]["ApproximateNumberOfMessages"],
    }


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[tuple[Process, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "assent_local.simulator", "--json", *arguments, stdout=PIPE, env=dict(os.environ)
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            ready = json.loads(await process.stdout.readline())
        assert ready["ready"] is True
        yield process, ready["url"]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
