"""Notice what never arrived: compare what a source says it has with what this service holds, and ask for it.

A topic that was cut off before it was read, a restored database, an event lost in a fault: none of them raises an
error anywhere. Counting does.
"""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

import asyncpg
import httpx

from assent_common import telemetry
from assent_common.database import Database, is_transient
from assent_common.events.registry import SyncCompleted
from assent_common.identity.service_token import NoToken, ServiceToken
from assent_common.supervise import pause

TABLE_V1 = """
create table source_census (
    source    text   not null,
    kind      text   not null,
    sequence  bigint not null,
    live      bigint not null,
    sequences bigint not null,
    primary key (source, kind)
);
"""
TABLE_V1_DOWN = "drop table source_census;"

ANNOUNCE = """
insert into source_census as c (source, kind, sequence, live, sequences)
select $1, kind, $2, live, sequences from unnest($3::text[], $4::bigint[], $5::bigint[]) as a(kind, live, sequences)
on conflict (source, kind) do update
   set sequence = excluded.sequence, live = excluded.live, sequences = excluded.sequences
 where excluded.sequence > c.sequence
"""
ANNOUNCED = "select source, kind, live, sequences from source_census"

LOOK_EVERY_S = 5.0
ASK_AGAIN_S = 60.0


class Count(NamedTuple):
    live: int
    sequences: int


Held = Mapping[tuple[str, str], Count]
"""(source, kind) → what is held of it."""


async def announce(connection: asyncpg.Connection, event: SyncCompleted, sequence: int) -> None:
    """Keep what a source says it has. An older announcement changes nothing."""
    kinds = list(event.census)
    await connection.execute(
        ANNOUNCE,
        event.source,
        sequence,
        [kind.value for kind in kinds],
        [event.census[kind].live for kind in kinds],
        [event.census[kind].sequences for kind in kinds],
    )


def lacking(announced: Held, held: Held) -> set[str]:
    """The sources of which something is missing here, or stands here that should be gone."""
    nothing = Count(0, 0)
    return {
        source
        for (source, kind), there in announced.items()
        if (here := held.get((source, kind), nothing)).live != there.live or here.sequences < there.sequences
    }


class Watch:
    """The duty that asks the connector for a replay of a source that is lacking and stands still."""

    def __init__(
        self,
        database: Database,
        client: httpx.AsyncClient,
        *,
        held: str,
        connector_url: str,
        token: ServiceToken,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        """`held` is a statement that answers with source, kind, live, sequences of what this service holds."""
        self._database = database
        self._client = client
        self._held = held
        self._connector_url = connector_url.rstrip("/")
        self._token = token
        self._look_every_s = look_every_s
        self._asked_at: dict[str, float] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        before: tuple[Held, Held] | None = None
        while not stopping.is_set():
            await pause(stopping, self._look_every_s)
            try:
                async with self._database.connection() as connection:
                    now = await _counts(connection, ANNOUNCED), await _counts(connection, self._held)
            except Exception as error:
                if not is_transient(error):
                    raise
                continue
            # Only what stands still is lacking: else it is just on its way.
            if now == before:
                for source in lacking(*now):
                    await self._ask(source)
            before = now

    async def _ask(self, source: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._asked_at.get(source, float("-inf")) < ASK_AGAIN_S:
            return
        self._asked_at[source] = now
        try:
            token = await self._token.shown()
            answer = await self._client.post(
                f"{self._connector_url}/v1/sources/{quote(source, safe='')}/replay",
                headers={"Authorization": f"Bearer {token}"},
            )
            telemetry.logger().warning("asked_for_replay", source=source, status=answer.status_code)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                self._token.refused(token)
        except (httpx.HTTPError, NoToken) as error:
            telemetry.logger().warning("replay_not_asked_for", source=source, reason=repr(error))


async def _counts(connection: asyncpg.Connection, statement: str) -> Held:
    rows = await connection.fetch(statement)
    return {(row["source"], row["kind"]): Count(row["live"], row["sequences"]) for row in rows}
