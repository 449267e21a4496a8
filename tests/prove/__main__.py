"""`python -m tests.prove`: try to break the promises, and say what came of it.

`make prove` tries each line of the matrix once; `make prove-long` goes on for an hour, with the dice thrown anew.
"""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from assent_common import telemetry

from tests.bench.report import Row, Table
from tests.prove import trials
from tests.prove.before import release_before, unpacked
from tests.prove.house import a_house
from tests.prove.matrix import BY_TESTS, IN_FULL, STORIES, Tests
from tests.prove.trouble import Outcome, Trial, reference_of, tried

AN_HOUR_S = 3600.0


@dataclass
class Proof:
    """What came of it all."""

    outcomes: list[Outcome] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    #: The trials that did not come to their end.
    broken: set[str] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)


def main(
    long: Annotated[bool, typer.Option("--long", help="Everything, more often, for an hour.")] = False,
    seconds: Annotated[float, typer.Option("--for", help="For how long, of the long run.")] = AN_HOUR_S,
    only: Annotated[list[str] | None, typer.Option(help="The names of the trials, e.g. T4.")] = None,
    seed: Annotated[int | None, typer.Option(help="What the dice begin with.")] = None,
    write: Annotated[Path | None, typer.Option(help="The page whose table is written anew.")] = None,
) -> None:
    """Exit 1 if a promise was broken."""
    telemetry.configure("prove", "ERROR")
    chosen = seed if seed is not None else random.SystemRandom().randrange(2**32)
    _say(f"seed {chosen}")
    proof = Proof()
    try:
        asyncio.run(_prove(proof, long, seconds, set(only or ()), chosen))
        if not only or any(name in BY_TESTS for name in only):
            _by_tests(proof, set(only or ()))
        if long and not only:
            _run_tests(proof, "T19, in full,", IN_FULL, ASSENT_STORIES=str(STORIES))
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say("ended early: what is not tried yet is said")
    tried_ones = {outcome.trial.id for outcome in proof.outcomes} | proof.broken
    proof.left_out += [f"{t.id}: {t.what}" for t in trials.ALL if not only and t.id not in tried_ones]
    table = _table(proof)
    if write is not None:
        table.write(write)
    for why in proof.failed:
        _say(f"BROKEN {why}")
    sys.exit(1 if proof.failed else 0)


async def _prove(proof: Proof, long: bool, seconds: float, only: set[str], seed: int) -> None:
    dice = random.Random(seed)
    ends_at = time.monotonic() + (seconds if long else 0)
    rounds = 0
    while rounds == 0 or time.monotonic() < ends_at:
        for of_each, of_before in ((1, False), (2, False), (2, True)):
            mine = [
                trial
                for trial in trials.ALL
                if (trial.of_each, trial.of_before) == (of_each, of_before) and (not only or trial.id in only)
            ]
            release = release_before() if of_before else None
            if not mine or (of_before and release is None):
                continue
            dice.shuffle(mine)
            await _in_a_house(mine, of_each, release, dice, long, proof, rounds, ends_at)
        rounds += 1


async def _in_a_house(
    mine: Sequence[Trial],
    of_each: int,
    release: str | None,
    dice: random.Random,
    long: bool,
    proof: Proof,
    round_: int,
    ends_at: float,
) -> None:
    with tempfile.TemporaryDirectory(prefix="assent-prove-", ignore_cleanup_errors=True) as folder:
        # Postgres does not run as root, and has to reach its disk.
        os.chmod(folder, 0o755)  # noqa: S103
        code = unpacked(release, Path(folder) / release) if release is not None else None
        async with a_house(Path(folder), of_each=of_each, code=code) as house:
            reference = await reference_of(house)
            for number, trial in enumerate(mine):
                if trial.needs_root and os.geteuid() != 0:
                    continue
                if round_ and time.monotonic() > ends_at:
                    return
                began = time.monotonic()
                prefix = f"r{round_}-{trial.id.lower()}-{number}"
                try:
                    outcome = await tried(trial, house, reference, prefix, dice.randrange(2**32), long=long)
                except Exception as error:  # noqa: BLE001 - whatever it was, a promise may be broken: said, and the rest goes on
                    proof.failed.append(f"{trial.id} {trial.what}: {error!r}")
                    proof.broken.add(trial.id)
                    _say(f"{trial.id} {trial.what}: BROKEN\n{traceback.format_exc()}\n{house.last_words()}")
                    await house.heal()
                    continue
                if release is not None:
                    outcome.notes.append(f"from {release}")
                proof.outcomes.append(outcome)
                found = outcome.found
                proof.failed += [f"{trial.id}: {why}" for why in (*found.lost, *found.doubled, *found.wrong)]
                _say(
                    f"{trial.id} {trial.what}: {outcome.faults} faults, {outcome.operations} acknowledged, "
                    f"{len(found.lost)} lost, {len(found.doubled)} doubled; {time.monotonic() - began:.0f} s "
                    f"{' '.join(outcome.notes)}"
                )


def _by_tests(proof: Proof, only: set[str]) -> None:
    """What has its proof in the suite already."""
    for name, tests in BY_TESTS.items():
        if not only or name in only:
            _run_tests(proof, name, tests)


def _run_tests(proof: Proof, name: str, tests: Tests, **environment: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "4", "-p", "no:randomly", *tests.tests],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    said = run.stdout.strip().splitlines()[-1:] or [""]
    _say(f"{name} {tests.what}: {said[0]}")
    if run.returncode != 0:
        proof.failed.append(f"{name} {tests.what}: {run.stdout[-3000:]}")


def _table(proof: Proof) -> Table:
    table = Table("prove", "Faults")
    recoveries = sorted(second for outcome in proof.outcomes for second in outcome.recoveries)
    total = sum(outcome.faults for outcome in proof.outcomes)
    operations = sum(outcome.operations for outcome in proof.outcomes)
    lost = sum(len(outcome.found.lost) for outcome in proof.outcomes)
    doubled = sum(len(outcome.found.doubled) for outcome in proof.outcomes)
    table.add(Row("faults", str(total), f"{len(proof.outcomes)} trials"))
    table.add(Row("operations acknowledged", str(operations), f"{sum(o.asked_again for o in proof.outcomes)} repeats"))
    table.add(Row("lost", str(lost), "0"))
    table.add(Row("doubled", str(doubled), "0"))
    if recoveries:
        median, worst = _share(recoveries, 0.5), _share(recoveries, 0.99)
        table.add(Row("until all is well again", f"p50 {median:.1f} s, p99 {worst:.1f} s", f"{len(recoveries)} times"))
    for why in sorted(proof.broken):
        table.add(Row("BROKEN", why, ""))
    for why in proof.left_out:
        table.add(Row("not tried", why, ""))
    return table


def _share(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - for who waits


if __name__ == "__main__":
    typer.run(main)
