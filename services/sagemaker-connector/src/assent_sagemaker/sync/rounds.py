"""What polls look at by turns: too much for each of them, and too soon forgotten if it waited for the reconcile."""

from datetime import datetime, timedelta

from pydantic import BaseModel

from assent_sagemaker import sources_state
from assent_sagemaker.sync.run import Run

GROUPS_EVERY = 5
"""Polls: so often one looks at a page of the groups, for changed tags, rather than at what was registered."""

OVERLAP = timedelta(minutes=5)
"""So far back polls look again, as long as they find something: an index that lags need not show changes in order."""

SAMPLE_EVERY = timedelta(minutes=10)


class Rounds(BaseModel):
    """How far the polls of a source have got round. None: they begin anew."""

    #: Up to which creation the groups were looked at; and the packages, where each poll looks at some of them.
    groups: datetime | None = None
    packages: datetime | None = None
    groups_at: datetime | None = None
    #: Of what serves, by kind: the newest modification seen, and the digests of the summaries looked at last.
    modified: dict[str, datetime] = {}
    looked_at: dict[str, list[str]] = {}
    #: Whose turn it is of what serves.
    serving: int = 0
    #: When a change that Search showed was compared with Describe.
    sampled_at: datetime | None = None
    #: The package that Search showed otherwise than Describe: nothing is believed before this one is right again.
    suspect: str | None = None

    def groups_are_due(self, run: Run) -> bool:
        every = run.source.poll_interval * GROUPS_EVERY
        return self.groups_at is None or run.clock.now() - self.groups_at >= every

    def sample_is_due(self, run: Run) -> bool:
        return self.sampled_at is None or run.clock.now() - self.sampled_at >= SAMPLE_EVERY


async def of(run: Run) -> Rounds:
    async with run.held.database.connection() as connection:
        return Rounds.model_validate(await sources_state.rounds(connection, run.source.name))


async def keep(run: Run, rounds: Rounds) -> None:
    async with run.transaction() as uow:
        await sources_state.keep_rounds(await uow.sql(), run.source.name, rounds.model_dump_json())
