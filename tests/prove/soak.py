"""`make soak`: a mixed load for twenty minutes, and nothing may grow.

People who register, describe, put forward, decide and ask the gate, as in `make prove`; beside them readers who search,
list and count, and followers who come and go. Every few seconds it is noted what the processes hold. The first quarter
warms up. After it a straight line is laid through the notes: what rises by more than a tenth and a little, noise left
out, grows. In the end every acknowledged write is looked for.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Annotated

import httpx
import typer
from assent_common import telemetry

from tests.bench.report import Row, Table
from tests.prove import checker
from tests.prove.house import MODULES, House, a_house
from tests.prove.load import AGAIN, Load
from tests.prove.vitals import SIGNS, sample, trend

NOTED_EVERY_S = 5.0
WARM_UP = 0.25
READS = (
    ("catalog-api", "/v1/model-versions?limit=50&facets=status,type,source"),
    ("catalog-api", "/v1/search?q=story"),
    ("catalog-api", "/v1/use-cases?limit=50"),
    ("catalog-api", "/v1/models"),
    ("workflow", "/v1/tasks?status=open&limit=50"),
    ("workflow", "/v1/candidacies?limit=50"),
    ("workflow", "/v1/findings"),
    ("sagemaker-connector", "/v1/sync-runs"),
)
FOLLOWED = ("catalog-api", "workflow")

Notes = list[tuple[float, dict[str, tuple[float, ...]]]]


def main(
    seconds: Annotated[float, typer.Option("--for", help="For how long.")] = 1200.0,
    write: Annotated[Path | None, typer.Option(help="The page whose table is written anew.")] = None,
) -> None:
    """Exit 1 if something grew, or anything acknowledged is lost or doubled."""
    telemetry.configure("soak", "ERROR")
    wrong = asyncio.run(_soak(seconds, write))
    for why in wrong:
        print(f"BROKEN {why}", flush=True)  # noqa: T201 - for who waits
    sys.exit(1 if wrong else 0)


async def _soak(seconds: float, write: Path | None) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="assent-soak-", ignore_cleanup_errors=True) as folder:
        # Postgres does not run as root, and has to reach its disk.
        os.chmod(folder, 0o755)  # noqa: S103
        async with a_house(Path(folder)) as house:
            # People keep a token for as long as it is good: each has one, and not one for each request.
            house.token = cache(house.token)  # type: ignore[method-assign]
            load, enough = Load(house, "soak"), asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                noting = tasks.create_task(_note(house, seconds, enough))
                reading = tasks.create_task(_read(house, enough))
                following = [tasks.create_task(_follow(house, service, enough)) for service in FOLLOWED]
                tasks.create_task(load.run(enough))
            await house.well()
            await checker.settled(house, load, None)
            found = await checker.checked(house, load)
            began = {name: [child.restarts for child in house.children[name]] for name in MODULES}
    table, grown = _judged(noting.result())
    operations = load.ledger.operations
    table.add(Row("writes acknowledged, answers of the gate", f"{operations}, {operations / seconds:.1f} a second", ""))
    reads = reading.result()
    others = ", ".join(f"{what} {times}" for what, times in sorted(reads.items()) if what != "200")
    table.add(Row("reads beside them", f"{reads['200']}, {reads['200'] / seconds:.1f} a second", others))
    streams = sum((each.result() for each in following), Counter[str]())
    table.add(Row("streams of events that came and went", str(streams["200"]), ""))
    table.add(Row("lost, doubled", f"{len(found.lost)}, {len(found.doubled)}", "0"))
    died = [f"{name} died {times} times" for name, restarts in began.items() if (times := sum(restarts))]
    wrong = [*grown, *died, *found.lost, *found.doubled, *found.wrong]
    if write is not None:
        table.write(write)
    return wrong


async def _note(house: House, seconds: float, enough: asyncio.Event) -> Notes:
    notes: Notes = []
    began = time.monotonic()
    try:
        while (at := time.monotonic() - began) < seconds:
            notes.append((at, await sample(house)))
            await asyncio.sleep(NOTED_EVERY_S)
    finally:
        enough.set()
    return notes


async def _read(house: House, enough: asyncio.Event) -> Counter[str]:
    """One after the other, at once again: what is read grows with what is written."""
    done, dice = Counter[str](), random.Random(1)
    while not enough.is_set():
        service, path = dice.choice(READS)
        try:
            answer = await house.request("GET", service, path)
        except httpx.HTTPError as error:
            done[type(error).__name__] += 1
        else:
            assert answer.status_code in {200} | AGAIN, f"{path}: {answer.status_code} {answer.text}"
            done[str(answer.status_code)] += 1
        await asyncio.sleep(0.02)
    return done


async def _follow(house: House, service: str, enough: asyncio.Event) -> Counter[str]:
    """Who comes, listens for a while, and goes without a word."""
    done = Counter[str]()
    async with httpx.AsyncClient(timeout=httpx.Timeout(30)) as client:
        while not enough.is_set():
            headers = {"Authorization": f"Bearer {house.token('viewer')}"}
            try:
                async with client.stream("GET", f"{house.urls[service]}/v1/events", headers=headers) as stream:
                    assert stream.status_code in {200} | AGAIN, f"{service}: {stream.status_code}"
                    done[str(stream.status_code)] += 1
                    async with asyncio.timeout(3):
                        async for _ in stream.aiter_lines():
                            pass
            except (TimeoutError, httpx.HTTPError):
                done["ended"] += 1
    return done


def _judged(notes: Notes) -> tuple[Table, list[str]]:
    warm = notes[int(len(notes) * WARM_UP) :]
    table, grown = Table("soak", "Soak"), []
    minutes = notes[-1][0] / 60
    for name in MODULES:
        for number, sign in enumerate(SIGNS):
            line = trend([at for at, _ in warm], [signs[name][number] for _, signs in warm])
            unit = f" {sign.unit}" if sign.unit else ""
            said = f"{line.rise:+.1f} ± {line.noise:.1f}{unit} in {minutes * (1 - WARM_UP):.0f} minutes"
            highest = f"at most {line.highest:.0f}{unit} at once"
            table.add(Row(f"{name}: {sign.what}", f"{line.level:.0f}{unit}, {said}", highest))
            if line.grows(sign.tolerance):
                grown.append(f"{name}: {sign.what} grows, {said}")
    return table, grown


if __name__ == "__main__":
    typer.run(main)
