"""The sources of this moment. A file of them is read again whenever it has changed, without a restart."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from assent_common import telemetry
from assent_common.health import Health
from assent_common.supervise import pause

from assent_sagemaker.sources import Source, SourcesInvalid

COMPONENT = "sources-file"
LOOK_EVERY_S = 3.0


class Roster(Mapping[str, Source]):
    """The sources by name, as they are at the moment at which one asks."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self.replace(sources)

    def replace(self, sources: Iterable[Source]) -> None:
        """A source that is as it was stays the very object that it was."""
        before: Mapping[str, Source] = getattr(self, "now", {})
        given = {source.name: source for source in sources}
        #: As they are now, in a mapping that never changes.
        self.now: Mapping[str, Source] = MappingProxyType(
            {name: before[name] if before.get(name) == source else source for name, source in given.items()}
        )

    def __getitem__(self, name: str) -> Source:
        return self.now[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.now)

    def __len__(self) -> int:
        return len(self.now)


class Rereading:
    """The duty that keeps a roster as its file says. A file that can't be used changes nothing, and is said."""

    def __init__(self, file: Path, load: Callable[[], list[Source]], roster: Roster, health: Health) -> None:
        self._file = file
        self._load = load
        self._roster = roster
        self._health = health
        #: Of the file as it was last tried.
        self._tried: str | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self._look()
            await pause(stopping, LOOK_EVERY_S)

    async def _look(self) -> None:
        try:
            digest = await asyncio.to_thread(self._digest)
            if digest == self._tried:
                return
            self._tried = digest
            # Thousands of sources take seconds to parse.
            sources = await asyncio.to_thread(self._load)
        except OSError as error:
            self._tried = None
            return self._refuse(f"{self._file}: {error.strerror}")
        except SourcesInvalid as error:
            return self._refuse(str(error))
        before = self._roster.now
        self._roster.replace(sources)
        self._health.working(COMPONENT)
        self._say(before, self._roster.now)

    def _digest(self) -> str:
        # Not its time: a mounted ConfigMap's files are links, whose targets may be of any age.
        return hashlib.sha256(self._file.read_bytes()).hexdigest()

    def _refuse(self, reason: str) -> None:
        component = self._health.components.get(COMPONENT)
        if component is None or component.detail != reason:
            telemetry.logger().error("sources_refused", reason=reason)
        self._health.failing(COMPONENT, reason)

    def _say(self, before: Mapping[str, Source], now: Mapping[str, Source]) -> None:
        added, dropped = sorted(now.keys() - before.keys()), sorted(before.keys() - now.keys())
        changed = sorted(name for name in now.keys() & before.keys() if now[name] is not before[name])
        if added or dropped or changed:
            telemetry.logger().info("sources_changed", added=added[:20], dropped=dropped[:20], changed=changed[:20])
