"""`assent sync`: ask for a reading of a source, and follow it to its end."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from assent_local.connector import Connector, ConnectorUnavailable
from assent_local.exits import Exit

LOOK_EVERY_S = 0.3
SAY_EVERY_S = 2.0
PATIENCE_S = 15.0

Run = Mapping[str, Any]
Show = Callable[[Run], None]


async def sync(out: Console, connector: Connector, name: str, *, full: bool, as_json: bool) -> Exit:
    """Whole, or what changed since the last time. Who stops waiting leaves the run going."""
    mode = "full" if full else "incremental"
    run = await connector.post(f"/v1/sources/{quote(name, safe='')}/sync", mode=mode)
    try:
        with _display(out, as_json) as show:
            show(run)
            while run["finished_at"] is None:
                await asyncio.sleep(LOOK_EVERY_S)
                run = await _patiently(connector, run["id"])
                show(run)
    except asyncio.CancelledError:
        if not as_json:
            out.print(f"the run goes on; /v1/sync-runs/{run['id']} says how far it is", markup=False)
        raise
    if run["status"] == "completed":
        return Exit.OK
    if not as_json:
        out.print(f"{run['status']}: {run['error']}", markup=False, style="red")
    return Exit.FAILED


async def _patiently(connector: Connector, id_: str) -> Run:
    """The run, though the connector be away for some seconds: another may take the source over."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            run: Run = await connector.get(f"/v1/sync-runs/{id_}")
            return run
        except ConnectorUnavailable:
            if time.monotonic() > give_up_at:
                raise
            await asyncio.sleep(LOOK_EVERY_S)


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a run is, and how fast."""

    phase: str
    listed: int
    read: int
    changed: int
    removed: int
    calls: int
    throttled: int
    #: Objects read a second, since reading them began; none of a poll, which reads too few to tell.
    rate: float
    finished: bool

    @classmethod
    def of(cls, run: Run, reading_for_s: float) -> Self:
        counts, traffic = run["counts"], run["traffic"]
        read = counts.get("read", 0)
        return cls(
            phase=run["phase"] or run["status"],
            listed=counts.get("listed", 0),
            read=read,
            changed=counts.get("changed", 0),
            removed=counts.get("removed", 0),
            calls=sum(traffic["calls"].values()),
            throttled=sum(traffic["throttled"].values()),
            rate=read / reading_for_s if reading_for_s > 0 and run["mode"] == "full" else 0.0,
            finished=run["finished_at"] is not None,
        )

    @property
    def eta_s(self) -> float | None:
        if self.finished or not (self.rate and self.listed):
            return None
        return max(self.listed - self.read, 0) / self.rate

    def __str__(self) -> str:
        words = [f"{self.listed} listed", f"{self.read} read", f"{self.changed} changed", f"{self.removed} removed"]
        if self.rate:
            words.append(f"{self.rate:.0f}/s")
        words.append(f"{self.calls} calls")
        if self.throttled:
            words.append(f"{self.throttled} throttled")
        if self.eta_s is not None:
            words.append(f"{self.eta_s:.0f} s left")
        return ", ".join(words)


class _Watch:
    """Knows since when objects have been read: what is listed before says nothing about the rate."""

    def __init__(self) -> None:
        self._began: float | None = None

    def progressed(self, run: Run) -> Progressed:
        if self._began is None and run["counts"].get("read", 0):
            self._began = time.monotonic() - LOOK_EVERY_S
        return Progressed.of(run, time.monotonic() - self._began if self._began is not None else 0.0)


def _display(out: Console, as_json: bool) -> AbstractContextManager[Show]:
    if as_json:
        return _documents()
    return _bar(out) if out.is_terminal else _lines(out)


@contextmanager
def _documents() -> Iterator[Show]:
    """The run, one JSON document a line, whenever it is another."""
    last: Run = {}

    def show(run: Run) -> None:
        nonlocal last
        if run != last:
            print(json.dumps(run), flush=True)  # noqa: T201
            last = run

    yield show


@contextmanager
def _lines(out: Console) -> Iterator[Show]:
    """A line for each phase, and every other second."""
    watch = _Watch()
    phase, said_at = "", 0.0

    def show(run: Run) -> None:
        nonlocal phase, said_at
        at = watch.progressed(run)
        if at.phase != phase or time.monotonic() - said_at > SAY_EVERY_S:
            phase, said_at = at.phase, time.monotonic()
            out.print(f"{at.phase}: {at}", markup=False, soft_wrap=True)

    yield show


@contextmanager
def _bar(out: Console) -> Iterator[Show]:
    watch = _Watch()
    columns = (
        *(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}")),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out) as progress:
        task = progress.add_task("", total=None, words="")

        def show(run: Run) -> None:
            at = watch.progressed(run)
            progress.update(task, description=at.phase, total=at.listed or None, completed=at.read, words=str(at))

        yield show
