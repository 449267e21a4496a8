"""The reports that are due: those that a run did not wait for, those that could not be read, and those of which it is
time to see whether they are still the same."""

import asyncio
from collections.abc import Callable, Iterable

from assent_common.clock import Clock
from assent_common.database import Database

from assent_sagemaker import state
from assent_sagemaker.backlog import Backlog
from assent_sagemaker.mapping.documents import ModelPackage
from assent_sagemaker.reading import SOON_S, Reader
from assent_sagemaker.sync.observe import Observer
from assent_sagemaker.writer import Holding


def backlog(holdings: Callable[[], Iterable[Holding]], database: Database, clock: Clock) -> Backlog[state.Known]:
    async def read(holding: Holding, versions: list[state.Known]) -> None:
        await _read_and_tell(holding, versions, database, clock)

    return Backlog("reports", state.take_reports_due, read, holdings, database, clock)


async def _read_and_tell(holding: Holding, versions: list[state.Known], database: Database, clock: Clock) -> None:
    reader = Reader(holding.account)
    observer = Observer(holding.source.name, database, holding.held.transaction, reader, clock)
    reading = {
        asyncio.create_task(reader.read(ModelPackage.from_document(known.document), known.reports)): known
        for known in versions
    }
    try:
        while reading:
            # Those that S3 keeps waiting do not hold up the others.
            done, _ = await asyncio.wait(reading, timeout=SOON_S)
            found = {reading.pop(task).key: task.result() for task in done}
            await observer.again([known for known in versions if known.key in found], found)
    finally:
        for task in reading:
            task.cancel()
