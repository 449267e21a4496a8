"""S3, SQS and STS, as far as a registry's reader needs them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from assent_local.simulator import Simulator, running
from botocore.exceptions import ClientError

from .conftest import register


async def test_an_object_comes_back_as_it_was_put(client: Any) -> None:
    s3 = await client("s3")
    await s3.create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    key = "churn/ünï cödé+plus/evaluation.json"

    put = await s3.put_object(Bucket="models", Key=key, Body=b'{"accuracy": 0.9}', ContentType="application/json")

    found = await s3.get_object(Bucket="models", Key=key)
    assert await found["Body"].read() == b'{"accuracy": 0.9}'
    assert found["ETag"] == put["ETag"]
    assert found["ContentType"] == "application/json"
    part = await s3.get_object(Bucket="models", Key=key, Range="bytes=2-9")
    assert await part["Body"].read() == b"accuracy"
    head = await s3.head_object(Bucket="models", Key=key)
    assert head["ContentLength"] == 17


async def test_objects_are_listed_by_prefix_in_pages(client: Any) -> None:
    s3 = await client("s3")
    await s3.create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    for key in ("a/1", "a/2", "a/3 & more", "b/1"):
        await s3.put_object(Bucket="models", Key=key, Body=b"x")

    first = await s3.list_objects_v2(Bucket="models", Prefix="a/", MaxKeys=2)
    rest = await s3.list_objects_v2(Bucket="models", Prefix="a/", ContinuationToken=first["NextContinuationToken"])

    assert [each["Key"] for each in first["Contents"]] == ["a/1", "a/2"]
    assert [each["Key"] for each in rest["Contents"]] == ["a/3 & more"]


async def test_what_s3_does_not_have_it_says_so(client: Any) -> None:
    s3 = await client("s3")
    await s3.create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})

    with pytest.raises(ClientError, match="NoSuchKey"):
        await s3.get_object(Bucket="models", Key="none")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        await s3.put_object(Bucket="none", Key="none", Body=b"x")
    with pytest.raises(ClientError, match="404"):
        await s3.head_object(Bucket="models", Key="none")


async def test_a_message_is_hidden_from_others_until_it_is_given_back(client: Any) -> None:
    sqs = await client("sqs")
    url = (await sqs.create_queue(QueueName="events", Attributes={"VisibilityTimeout": "60"}))["QueueUrl"]
    await sqs.send_message(QueueUrl=url, MessageBody="hello")

    (message,) = (await sqs.receive_message(QueueUrl=url))["Messages"]
    assert "Messages" not in await sqs.receive_message(QueueUrl=url)
    await sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    (again,) = (await sqs.receive_message(QueueUrl=url))["Messages"]

    assert again["Body"] == "hello"
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    entries = [{"Id": "1", "ReceiptHandle": again["ReceiptHandle"]}]
    assert len((await sqs.delete_message_batch(QueueUrl=url, Entries=entries))["Successful"]) == 1
    counted = (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]))["Attributes"]
    assert counted["ApproximateNumberOfMessages"] == counted["ApproximateNumberOfMessagesNotVisible"] == "0"


async def test_a_long_poll_ends_with_the_first_message(client: Any) -> None:
    sqs, sender = await client("sqs"), await client("sqs")
    url = (await sqs.create_queue(QueueName="events"))["QueueUrl"]

    async with asyncio.timeout(5):
        poll = asyncio.create_task(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20))
        await sender.send_message(QueueUrl=url, MessageBody="hello")
        received = await poll

    assert [message["Body"] for message in received["Messages"]] == ["hello"]


async def test_who_hung_up_receives_nothing(client: Any, simulator: Simulator) -> None:
    left, stays = await client("sqs"), await client("sqs")
    url = (await stays.create_queue(QueueName="events"))["QueueUrl"]
    poll = asyncio.create_task(left.receive_message(QueueUrl=url, WaitTimeSeconds=20))
    async with asyncio.timeout(5):
        while not simulator.calls("ReceiveMessage"):
            await asyncio.sleep(0.01)
        poll.cancel()
        await asyncio.gather(poll, return_exceptions=True)
        # The server hears of it when it next looks at the connection: another round trip is later than that.
        await stays.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        await stays.send_message(QueueUrl=url, MessageBody="hello")
        received = await stays.receive_message(QueueUrl=url, WaitTimeSeconds=2)

    assert [message["Body"] for message in received["Messages"]] == ["hello"]


async def test_a_queue_that_is_not_there_is_named_by_its_code(client: Any, simulator: Simulator) -> None:
    sqs = await client("sqs")

    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        await sqs.receive_message(QueueUrl=f"{simulator.url}/123456789012/none")
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        await sqs.get_queue_url(QueueName="none")


async def test_an_assumed_role_acts_in_its_own_account(client: Any, simulator: Simulator) -> None:
    sts = await client("sts")
    role = "arn:aws:iam::999988887777:role/assent-reader"
    simulator.dial(external_ids={role: "shared secret"})

    with pytest.raises(ClientError, match="AccessDenied"):
        await sts.assume_role(RoleArn=role, RoleSessionName="assent", ExternalId="guessed")
    assumed = await sts.assume_role(RoleArn=role, RoleSessionName="assent", ExternalId="shared secret")

    keys = assumed["Credentials"]
    there = {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }
    assert (await (await client("sts", **there)).get_caller_identity())["Account"] == "999988887777"
    assert (await sts.get_caller_identity())["Account"] == "123456789012"
    theirs, ours = await client("sagemaker", **there), await client("sagemaker")
    group = await theirs.create_model_package_group(ModelPackageGroupName="churn")
    assert ":999988887777:" in group["ModelPackageGroupArn"]
    created_by = (await theirs.describe_model_package_group(ModelPackageGroupName="churn"))["CreatedBy"]
    assert created_by["IamIdentity"]["Arn"] == "arn:aws:sts::999988887777:assumed-role/assent-reader/assent"
    assert (await ours.list_model_package_groups())["ModelPackageGroupSummaryList"] == []


@pytest.fixture
async def with_events() -> AsyncIterator[Simulator]:
    async with running(events_queue="registry-events") as simulator:
        yield simulator


class TestEvents:
    @pytest.fixture
    def simulator(self, with_events: Simulator) -> Simulator:
        return with_events

    async def test_a_registration_and_an_update_are_told(self, sagemaker: Any, client: Any) -> None:
        sqs = await client("sqs")
        await sagemaker.create_model_package_group(ModelPackageGroupName="churn")
        arn = await register(sagemaker, "churn")
        await sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", SourceUri="x")
        card = {"ModelCardContent": "{}", "ModelCardStatus": "Draft"}
        await sagemaker.update_model_package(ModelPackageArn=arn, ModelCard=card)

        url = (await sqs.get_queue_url(QueueName="registry-events"))["QueueUrl"]
        received = await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)

        events = [json.loads(message["Body"]) for message in received["Messages"]]
        assert len(events) == 2  # a card alone tells nobody
        registered, updated = events
        assert registered["detail-type"] == updated["detail-type"] == "SageMaker Model Package State Change"
        assert registered["resources"] == [arn]
        assert "UpdatedModelPackageFields" not in registered["detail"]
        assert updated["detail"]["ModelApprovalStatus"] == "Approved"
        assert updated["detail"]["UpdatedModelPackageFields"] == ["ModelApprovalStatus", "sourceUri"]
