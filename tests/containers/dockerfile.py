"""Reads a Dockerfile, and takes its build steps without an engine: the same commands, in a folder of the test's."""

import asyncio
import fnmatch
import json
import os
import re
import shlex
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STEP_WITHIN_S = 300.0
#: Where uv is, in the version of the lock file.
TOOLS = Path(sys.executable).parent


@dataclass
class Stage:
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def of(self, keyword: str) -> list[str]:
        return [words for each, words in self.instructions if each == keyword]


Stages = dict[str, Stage]


def parse(text: str) -> Stages:
    stages: Stages = {}
    arguments: dict[str, str] = {}
    for keyword, words in _instructions(text):
        if keyword == "FROM":
            base, _, name = words.split()
            stages[name] = Stage(arguments.get(base.strip("${}"), base))
        elif not stages:
            name, _, value = words.partition("=")
            arguments[name] = value
        else:
            stages[next(reversed(stages))].instructions.append((keyword, words))
    return stages


def lineage(stages: Stages, name: str) -> list[Stage]:
    """The stages that one is built upon, itself last."""
    stage = stages[name]
    return [*(lineage(stages, stage.base) if stage.base in stages else []), stage]


def command(stages: Stages, name: str) -> list[str]:
    """What the image runs."""
    said = [words for stage in lineage(stages, name) for words in stage.of("CMD")]
    made: list[str] = json.loads(said[-1])
    return made


def environment(stages: Stages, name: str) -> dict[str, str]:
    pairs = [pair for stage in lineage(stages, name) for words in stage.of("ENV") for pair in shlex.split(words)]
    return {pair.split("=", 1)[0]: pair.split("=", 1)[1] for pair in pairs}


class Build:
    """Takes the steps of any number of targets: what they share is done once, as an engine does it.

    `COPY` from the context and `RUN` happen; what is copied from one stage into the next is there already, because all
    stages share one folder. `$APP` is the only path that each target has for itself.
    """

    def __init__(self, stages: Stages, context: Path, folder: Path) -> None:
        self._stages = stages
        self._context = context
        self._ignored = _ignored_everywhere(context / ".dockerignore")
        self._folder = folder
        self._source = folder / "src"
        self._source.mkdir()
        self._done: set[str] = set()

    async def target(self, name: str) -> Path:
        """The environment that the target's image has at `$APP`."""
        app = self._folder / name
        await self._stage(name, app)
        return app

    async def _stage(self, name: str, app: Path) -> None:
        if name in self._done or name not in self._stages:
            return
        stage = self._stages[name]
        await self._stage(stage.base, app)
        for keyword, words in stage.instructions:
            for other in re.findall(r"(?:--|[,])from=([\w-]+)", words):
                await self._stage(other, app)
            if keyword == "COPY" and not words.startswith("--from"):
                self._copy(shlex.split(words))
            elif keyword == "RUN":
                await self._run(re.sub(r"--mount=\S+\s+", "", words), name, app)
        self._done.add(name)

    def _copy(self, words: Sequence[str]) -> None:
        *sources, destination = words
        for source in sources:
            here, there = self._context / source, self._source / destination
            if here.is_dir():
                shutil.copytree(here, there, ignore=self._ignored, dirs_exist_ok=True)
            else:
                into = there / here.name if destination.endswith("/") else there
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(here, into)

    async def _run(self, words: str, name: str, app: Path) -> None:
        set_here = {**environment(self._stages, name), "APP": str(app), "WHEELS": str(self._folder / "wheels")}
        ours = {key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "PYTHONPATH"}}
        process = await asyncio.create_subprocess_shell(
            words,
            cwd=self._source,
            env={**ours, **set_here, "PATH": f"{TOOLS}:{os.environ['PATH']}"},
            stdout=PIPE,
            stderr=STDOUT,
        )
        async with asyncio.timeout(STEP_WITHIN_S):
            said, _ = await process.communicate()
        assert process.returncode == 0, f"RUN {words}\n{said.decode()}"


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", "", lines).splitlines():
        if line.strip():
            keyword, _, words = line.strip().partition(" ")
            yield keyword, words.strip()


def _ignored_everywhere(dockerignore: Path) -> Callable[[str, list[str]], set[str]]:
    names = [line.removeprefix("**/") for line in dockerignore.read_text().splitlines() if line.startswith("**/")]

    def ignored(_: str, children: list[str]) -> set[str]:
        return {child for child in children if any(fnmatch.fnmatch(child, name) for name in names)}

    return ignored
