"""The duty that takes events off the queues. A message is deleted only when what it names was looked at."""

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from assent_common import telemetry
from assent_common.clock import Clock
from assent_common.database import Database, is_transient
from assent_common.health import Health
from assent_common.supervise import pause

from assent_sagemaker import metrics
from assent_sagemaker.aws import queue
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.errors import AwsError
from assent_sagemaker.aws.queue import Message
from assent_sagemaker.aws.urgency import Urgency, urgent
from assent_sagemaker.hints import reading, store
from assent_sagemaker.hints.reading import Hint, Unreadable
from assent_sagemaker.hints.store import Pointer
from assent_sagemaker.sources import Source

RECEIVES_AT_ONCE = 3
"""Of one queue: so many batches are in work at the most; what comes beyond waits on the queue."""

LOOK_EVERY_S = 1.0
ASK_EVERY_S = 0.1
#: What takes longer becomes visible on the queue again, and comes once more.
DONE_WITHIN_S = queue.HIDDEN_S - 10.0
LONGEST_BACKOFF_S = 60.0


class Receiving:
    """One reader for each queue that the sources name, whichever process reads the sources themselves."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        account: Callable[[Source], Account],
        database: Database,
        health: Health,
        clock: Clock,
        *,
        told: Callable[[], None],
    ) -> None:
        """`told` is called when there are hints to look at."""
        self._sources = sources
        self._account = account
        self._database = database
        self._health = health
        self._clock = clock
        self._told = told

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`, with the sources of each moment."""
        readers: dict[str, asyncio.Task[None]] = {}
        try:
            while not stopping.is_set():
                wanted = {source.events_queue_url for source in self._sources.values() if source.events_queue_url}
                for url in readers.keys() - wanted:
                    readers.pop(url).cancel()
                for url in wanted - readers.keys():
                    readers[url] = asyncio.create_task(self._read(url))
                for url, reader in list(readers.items()):
                    if reader.done():
                        del readers[url]
                        reader.result()
                await pause(stopping, LOOK_EVERY_S)
        finally:
            for reader in readers.values():
                reader.cancel()
            await asyncio.gather(*readers.values(), return_exceptions=True)

    async def _read(self, url: str) -> None:
        """One queue, for as long as a source names it."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(RECEIVES_AT_ONCE):
                tasks.create_task(self._receive_again_and_again(url))

    async def _receive_again_and_again(self, url: str) -> None:
        name = f"events:{url.rpartition('/')[2]}"
        failures = 0
        while True:
            try:
                with urgent(Urgency.EVENT):
                    await self._receive(url)
            except AwsError as error:
                failures += 1
                # Polls go on meanwhile.
                self._health.failing(name, str(error))
                await asyncio.sleep(min(2.0**failures, LONGEST_BACKOFF_S))
            except Exception as error:
                if not is_transient(error):
                    raise
                telemetry.logger().warning("events_wait", queue=url, reason=repr(error))
                await asyncio.sleep(1)
            else:
                failures = 0
                self._health.recovered(name)

    async def _receive(self, url: str) -> None:
        mine = [source for source in self._sources.values() if source.events_queue_url == url]
        if not mine:
            await asyncio.sleep(LOOK_EVERY_S)
            return
        account = queue.in_its_region(self._account(_nearest(mine, url)), url)
        messages = await queue.receive(account, url)
        if messages:
            of_message = await self._note(mine, messages)
            done = await self._until_seen(of_message)
            await queue.delete(account, url, [message.receipt for message in done])

    async def _note(self, sources: Sequence[Source], messages: Sequence[Message]) -> dict[Message, list[Pointer]]:
        """What each message says to look at, kept; nothing for what is of no concern, or could not be read."""
        named: dict[Message, list[tuple[str, str, str]]] = defaultdict(list)
        counts: Counter[str] = Counter()
        async with self._database.transaction() as uow:
            connection = await uow.sql()
            now = self._clock.now()
            for message in messages:
                named[message] = []
                try:
                    hint = reading.read(message.body)
                except Unreadable as error:
                    counts["unreadable"] += 1
                    digest = hashlib.sha256(message.body.encode("utf-8", "replace")).hexdigest()
                    await store.unreadable(connection, sources[0].name, digest, now, str(error), message.body)
                    continue
                of = _whose(hint, sources) if hint else []
                counts["noted" if of else "ignored"] += 1
                named[message] = [(source.name, hint.kind, hint.ref) for source in of if hint]
            every = [each for of in named.values() for each in of]
            pointers = await store.tell(connection, every, now) if every else []
        for outcome, count in counts.items():
            metrics.HINTS.labels(outcome).inc(count)
        if pointers:
            self._told()
        by_object = {pointer[:3]: pointer for pointer in pointers}
        return {message: [by_object[each] for each in of] for message, of in named.items()}

    async def _until_seen(self, of_message: Mapping[Message, Sequence[Pointer]]) -> list[Message]:
        """The messages whose objects were looked at, by whichever process holds their sources."""
        waiting = {message: pointers for message, pointers in of_message.items() if pointers}
        done = [message for message in of_message if message not in waiting]
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + DONE_WITHIN_S
        while waiting and loop.time() < ends_at:
            await asyncio.sleep(ASK_EVERY_S)
            async with self._database.connection() as connection:
                for message, pointers in list(waiting.items()):
                    if not await store.waiting(connection, pointers):
                        del waiting[message]
                        done.append(message)
        return done


def _nearest(sources: Sequence[Source], url: str) -> Source:
    """The one in whose name the queue is read: of the account that owns it, where there is one."""
    owner = queue.account_of(url)
    return next((source for source in sources if source.account == owner), sources[0])


def _whose(hint: Hint, sources: Sequence[Source]) -> list[Source]:
    """Those that read what the hint names. Which account the process's own credentials are of is not known."""
    return [s for s in sources if s.region == hint.region and s.account in (None, hint.account)]
