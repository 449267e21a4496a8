"""The queue of a source's events. Each operation raises AwsError."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.limiter import Family

AT_ONCE = 10
WAIT_S = 20
#: For so long nobody else is given what was received here.
HIDDEN_S = 60
_ADDRESS = re.compile(
    r"https?://(?:sqs\.(?P<region>[a-z0-9-]+)\.|(?P<old>[a-z0-9-]+)\.queue\.)?[^/]*/(?P<account>\d{12})/"
)


class Message(NamedTuple):
    receipt: str
    body: str


def account_of(url: str) -> str | None:
    """The account that owns a queue, by its address."""
    found = _ADDRESS.match(url)
    return found["account"] if found else None


def in_its_region(account: Account, url: str) -> Account:
    """The account as it reaches the queue, which may lie in another region than the source."""
    found = _ADDRESS.match(url)
    region = (found["region"] or found["old"]) if found else None
    return replace(account, region=region) if region else account


async def receive(account: Account, url: str) -> list[Message]:
    """Those that are there, or come within some seconds."""
    response = await account.call(
        *("sqs", "receive_message", Family.EVENTS),
        QueueUrl=url,
        MaxNumberOfMessages=AT_ONCE,
        WaitTimeSeconds=WAIT_S,
        VisibilityTimeout=HIDDEN_S,
    )
    return [Message(message["ReceiptHandle"], message["Body"]) for message in response.get("Messages", ())]


async def delete(account: Account, url: str, receipts: Sequence[str]) -> None:
    """What cannot be deleted comes again."""
    if receipts:
        entries = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)]
        await account.call("sqs", "delete_message_batch", Family.EVENTS, QueueUrl=url, Entries=entries)
