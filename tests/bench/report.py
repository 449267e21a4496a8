"""The tables of `docs/performance.md`: each between two marks, written anew by the bench that it belongs to."""

import os
import platform
import re
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

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
            f"Measured on {_machine()}, {SystemClock().now():%Y-%m-%d}. Medians, with the lowest and the highest.",
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


def spread(seconds: list[float]) -> str:
    middle = median(seconds)
    if len(seconds) == 1:
        return f"{middle:.2f} s"
    return f"{middle:.2f} s ({min(seconds):.2f}-{max(seconds):.2f})"


def _machine() -> str:
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
