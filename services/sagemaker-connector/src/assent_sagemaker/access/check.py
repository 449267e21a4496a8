"""Everything that can be told of a source's access at once: its permissions, and the fence."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from assent_common.database import Database

from assent_sagemaker.access import samples
from assent_sagemaker.access.attempt import Finding, Verdict
from assent_sagemaker.access.fence import Fence, Stands, fence
from assent_sagemaker.access.samples import Samples
from assent_sagemaker.access.trial import Trial
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.limiter import Limiter
from assent_sagemaker.aws.urgency import Urgency, urgent
from assent_sagemaker.sources import Source

WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Access:
    source: str
    checked_at: datetime
    #: In whose name the source is read; null where that could not be found out.
    principal: str | None
    permissions: Sequence[Finding]
    fence: Fence
    warnings: Sequence[str]
    #: Whether everything that is needed works.
    works: bool
    #: Whether only passing faults stand in the way of saying so.
    unavailable: bool


class Checker:
    """Tries the permissions of sources, each in its own name."""

    def __init__(self, database: Database, clients: Clients, limiter: Limiter) -> None:
        self._database = database
        self._clients = clients
        self._limiter = limiter

    async def check(self, source: Source) -> Access:
        """As much as AWS answers within a minute."""
        now = self._database.clock.now()
        trial = Trial(source, Account.of(source, self._clients, self._limiter))
        found = Fence(Stands.UNKNOWN, [])
        timed_out = False
        try:
            # Somebody waits for it.
            with urgent(Urgency.EVENT):
                async with asyncio.timeout(WITHIN_S):
                    named = await self._samples(trial)
                    await trial.run(named)
                    if trial.principal:
                        found = await fence(trial.account, trial.principal, named, now)
        except TimeoutError:
            timed_out = True
            trial.warnings.append(f"not everything was tried: AWS did not answer it all within {WITHIN_S:.0f} s")
        lacking = [each for each in trial.findings if each.needed and each.verdict is not Verdict.WORKS]
        return Access(
            source=source.name,
            checked_at=now,
            principal=trial.principal,
            permissions=trial.findings,
            fence=found,
            warnings=trial.warnings,
            works=trial.principal is not None and not lacking and not timed_out,
            unavailable=timed_out or (bool(lacking) and all(each.passing for each in lacking)),
        )

    async def _samples(self, trial: Trial) -> Samples:
        async with self._database.connection() as connection:
            documents = await samples.kept(connection, trial.source.name)
        return Samples.of(documents or await samples.described(trial.account))
