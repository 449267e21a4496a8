"""SQS: queues with visibility timeouts and long polls. What was sent and not deleted survives a restart."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from assent_common import ids
from assent_common.clock import Clock

from assent_local.simulator.caller import Caller, Place
from assent_local.simulator.errors import AwsError
from assent_local.simulator.store import Document, Kind, Store

_LONGEST_POLL_S = 20
_BATCH_MAX = 10


@dataclass(slots=True)
class Message:
    id: str
    body: str
    sent_ms: int
    visible_at: float
    receives: int = 0
    receipt: str = ""


class Queue:
    """Messages in the order of their coming. Times are the loop's."""

    def __init__(self, visibility_s: float) -> None:
        self.visibility_s = visibility_s
        self.messages: dict[str, Message] = {}
        self.arrived = asyncio.Event()

    def add(self, message: Message) -> None:
        self.messages[message.id] = message
        self.arrived.set()

    def take(self, count: int, visibility_s: float, now: float) -> list[Message]:
        visible = [message for message in self.messages.values() if message.visible_at <= now][:count]
        for message in visible:
            message.visible_at = now + visibility_s
            message.receives += 1
            message.receipt = f"{message.id}:{ids.new().hex}"
        return visible

    def next_visible_at(self) -> float | None:
        return min((message.visible_at for message in self.messages.values()), default=None)


class Queues:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._queues: dict[tuple[Place, str], Queue] = {}
        for place in list(store.places(Kind.QUEUE)):
            for name, record in store.all(Kind.QUEUE, place).items():
                self._queues[place, name] = Queue(float(record.document.get("VisibilityTimeout", 30)))
            for key, record in store.all(Kind.MESSAGE, place).items():
                name, _, message_id = key.rpartition("/")
                self._queues[place, name].add(Message(message_id, visible_at=0, **record.document))
        self.operations = {
            "CreateQueue": self.create,
            "GetQueueUrl": self.url,
            "SendMessage": self.send_message,
            "DeleteMessage": self.delete,
            "DeleteMessageBatch": self.delete_batch,
            "ChangeMessageVisibility": self.change_visibility,
            "GetQueueAttributes": self.attributes,
        }

    def make(self, place: Place, name: str, attributes: Mapping[str, str] | None = None) -> None:
        """A queue of this name, if there is none yet."""
        if (place, name) not in self._queues:
            self._store.put(Kind.QUEUE, place, name, dict(attributes or {}))
            self._queues[place, name] = Queue(float((attributes or {}).get("VisibilityTimeout", 30)))

    def send(self, place: Place, name: str, body: str, delay_s: float = 0) -> Message | None:
        """The message sent; none where there is no such queue."""
        queue = self._queues.get((place, name))
        if queue is None:
            return None
        sent_ms = int(self._clock.now().timestamp() * 1000)
        message = Message(str(ids.new()), body, sent_ms, asyncio.get_running_loop().time() + delay_s)
        self._store.put(Kind.MESSAGE, place, f"{name}/{message.id}", {"body": body, "sent_ms": sent_ms})
        queue.add(message)
        return message

    def create(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        self.make(caller.place, request["QueueName"], request.get("Attributes"))
        return self.url(caller, request)

    def url(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        account = request.get("QueueOwnerAWSAccountId", caller.place.account)
        if (Place(account, caller.place.region), request["QueueName"]) not in self._queues:
            raise _no_such_queue()
        return {"QueueUrl": f"{request['Endpoint']}/{account}/{request['QueueName']}"}

    def send_message(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        place, name, _ = self._find(caller, request)
        message = self.send(place, name, request["MessageBody"], request.get("DelaySeconds", 0))
        if message is None:
            raise _no_such_queue()
        return {"MessageId": message.id, "MD5OfMessageBody": _md5(message.body)}

    async def receive(
        self, caller: Caller, request: Mapping[str, Any], gone: Callable[[], Coroutine[Any, Any, None]]
    ) -> Document:
        """Wait until there is something, the time is over or the caller is gone; who is gone receives nothing."""
        _, _, queue = self._find(caller, request)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(request.get("WaitTimeSeconds", 0), _LONGEST_POLL_S)
        count = min(request.get("MaxNumberOfMessages", 1), _BATCH_MAX)
        visibility_s = request.get("VisibilityTimeout", queue.visibility_s)
        left = asyncio.create_task(gone())
        try:
            while True:
                queue.arrived.clear()
                messages = queue.take(count, visibility_s, loop.time())
                if messages or loop.time() >= deadline:
                    return {"Messages": [_received(message) for message in messages]} if messages else {}
                until = min(deadline, queue.next_visible_at() or deadline)
                arrival = asyncio.ensure_future(queue.arrived.wait())
                await asyncio.wait(
                    {left, arrival}, timeout=max(until - loop.time(), 0), return_when=asyncio.FIRST_COMPLETED
                )
                arrival.cancel()
                if left.done():
                    return {}
        finally:
            left.cancel()

    def delete(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        place, name, queue = self._find(caller, request)
        message_id, _, _ = request["ReceiptHandle"].partition(":")
        # An old receipt still deletes, and one of a message that is gone is no error: both as with the real one.
        if queue.messages.pop(message_id, None):
            self._store.remove(Kind.MESSAGE, place, f"{name}/{message_id}")
        return {}

    def delete_batch(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        if len(request["Entries"]) > _BATCH_MAX:
            raise AwsError("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "At most 10 entries a batch.")
        for entry in request["Entries"]:
            self.delete(caller, {"QueueUrl": request["QueueUrl"], "ReceiptHandle": entry["ReceiptHandle"]})
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}

    def change_visibility(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        _, _, queue = self._find(caller, request)
        message = queue.messages.get(request["ReceiptHandle"].partition(":")[0])
        if message is None or message.receipt != request["ReceiptHandle"]:
            raise AwsError("InvalidParameterValue", "The receipt handle has expired.")
        message.visible_at = asyncio.get_running_loop().time() + request["VisibilityTimeout"]
        queue.arrived.set()
        return {}

    def attributes(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        place, name, queue = self._find(caller, request)
        now = asyncio.get_running_loop().time()
        hidden = sum(1 for message in queue.messages.values() if message.visible_at > now)
        all_attributes = {
            "QueueArn": f"arn:{place.partition}:sqs:{place.region}:{place.account}:{name}",
            "ApproximateNumberOfMessages": str(len(queue.messages) - hidden),
            "ApproximateNumberOfMessagesNotVisible": str(hidden),
            "VisibilityTimeout": str(int(queue.visibility_s)),
        }
        wanted = request.get("AttributeNames", [])
        return {"Attributes": {k: v for k, v in all_attributes.items() if k in wanted or "All" in wanted}}

    def _find(self, caller: Caller, request: Mapping[str, Any]) -> tuple[Place, str, Queue]:
        account, name = f"/{urlsplit(str(request['QueueUrl'])).path}".split("/")[-2:]
        place = Place(account, caller.place.region)
        queue = self._queues.get((place, name))
        if queue is None:
            raise _no_such_queue()
        return place, name, queue


def _no_such_queue() -> AwsError:
    return AwsError("QueueDoesNotExist", "The specified queue does not exist.")


def _received(message: Message) -> Document:
    return {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": _md5(message.body),
        "Body": message.body,
        "Attributes": {
            "SentTimestamp": str(message.sent_ms),
            "ApproximateReceiveCount": str(message.receives),
        },
    }


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
