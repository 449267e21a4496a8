"""The tables of `docs/performance.md`: each between two marks, written anew by the bench that it belongs to."""

import argparse
import os
import platform
import re
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil
from assent_common.clock import SystemClock

_MARKS = "<!-- {name} -->\n{text}\n<!-- end of {name} -->"


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    measured: str
    beside: str


@dataclass(slots=True)
class Table:
    name: str
    title: str
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Said at once: a bench takes minutes."""
        self.rows.append(row)
        print(f"{row.what}: {row.measured} · {row.beside}", flush=True)  # noqa: T201 - for who waits

    def write(self, page: Path) -> None:
        """Puts the table where its marks are in the page. ValueError without them."""
        lines = [
            f"Measured on {_machine()}, {SystemClock().now():%Y-%m-%d}, in one run of {_took()}. "
            "Medians, with the lowest and the highest.",
            "",
            "| what | measured | beside it |",
            "| --- | --- | --- |",
            *(f"| {row.what} | {row.measured} | {row.beside} |" for row in self.rows),
        ]
        marked = _MARKS.format(name=self.name, text="\n".join(lines))
        pattern = re.escape(_MARKS.format(name=self.name, text="\0")).replace("\0", "(?s:.*?)")
        text, found = re.subn(pattern, lambda _: marked, page.read_text(encoding="utf-8"))
        if not found:
            raise ValueError(
                f"{page} has no place for {self.name}: put {_MARKS.format(name=self.name, text='')!r} there"
            )
        page.write_text(text, encoding="utf-8")


def written_whole(parser: argparse.ArgumentParser, given: argparse.Namespace, parts: Collection[str]) -> None:
    """A part of a table takes the place of no whole one."""
    if given.write is not None and {*given.parts} != {*parts}:
        parser.error("--write is for whole tables: leave out --parts, or --write")


def spread(seconds: list[float]) -> str:
    middle = median(seconds)
    if len(seconds) == 1:
        return f"{middle:.2f} s"
    return f"{middle:.2f} s ({min(seconds):.2f}-{max(seconds):.2f})"


def _took() -> str:
    """Since this process began."""
    minutes, seconds = divmod(round(time.time() - psutil.Process().create_time()), 60)
    return f"{minutes} min {seconds} s"


def _machine() -> str:
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
