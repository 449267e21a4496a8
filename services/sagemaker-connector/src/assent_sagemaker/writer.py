"""One source's share of writing back: telling and answering its drifts, and saying what was decided."""

from collections.abc import Sequence
from dataclasses import dataclass

from assent_common import ids, telemetry
from assent_common.clock import Clock
from assent_common.database import Database, is_transient
from assent_common.health import Health
from assent_common.uow import UnitOfWork

from assent_sagemaker import approvals, attempts, metrics, state, write_back
from assent_sagemaker.attempts import WriteBack
from assent_sagemaker.aws.account import Account, Document
from assent_sagemaker.aws.describe import describe_model_package
from assent_sagemaker.aws.errors import AwsError, Denied, Gone, Refused
from assent_sagemaker.aws.update import update_approval, update_labels
from assent_sagemaker.aws.urgency import Urgency, urgent
from assent_sagemaker.drift import Approval
from assent_sagemaker.held import Held, LeaseLost
from assent_sagemaker.outstanding import Outstanding, outstanding
from assent_sagemaker.reading import Reader
from assent_sagemaker.sources import Source
from assent_sagemaker.sync.observe import Observer, Seen, Tags

ACTOR = "assent-sagemaker-connector"
PREFIX = "write-back:"
"""Of what a source's writing is called where its health is shown."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A source that this process holds."""

    source: Source
    account: Account
    held: Held


class Writer:
    def __init__(
        self, holding: Holding, database: Database, health: Health, clock: Clock, review_url: str | None
    ) -> None:
        self._source = holding.source
        self._account = holding.account
        self._held = holding.held
        self._database = database
        self._health = health
        self._clock = clock
        self._review_url = review_url
        self.name = PREFIX + self._source.name

    async def work(self, changed: Sequence[approvals.Row], due: Sequence[WriteBack]) -> None:
        """All of it, or as far as it gets before another process holds the source."""
        try:
            if changed:
                with telemetry.continuing(f"approvals of {self._source.name}", correlation=None, parent=None):
                    await self._answer(changed)
            for wanted in due:
                with (
                    telemetry.continuing(
                        f"write back {wanted.desired}", correlation=wanted.correlation_id, parent=wanted.traceparent
                    ),
                    urgent(Urgency.DECISION),
                ):
                    await self._write(wanted)
        except LeaseLost:
            telemetry.logger().warning("lease_lost", duty=self.name)
        except Exception as error:
            if not is_transient(error):
                raise
            telemetry.logger().warning("write_back_waits", source=self._source.name, reason=repr(error))

    async def _answer(self, changed: Sequence[approvals.Row]) -> None:
        """Tell drifts that began or ended by a decision, and have those put back that are to be."""
        keys = [row.key for row in changed]
        async with self._held.transaction() as uow:
            # Another version may be there under an ARN of old: then other candidacies count.
            await write_back.work_out(
                await uow.sql(), dict.fromkeys(keys), self._clock.now(), review_url=self._review_url
            )
        async with self._database.connection() as connection:
            known = await state.known(connection, keys)
        await self._observer().again(known.values())
        async with self._held.transaction() as uow:
            connection = await uow.sql()
            for row in sorted(changed, key=lambda row: row.key):
                if self._source.on_drift == "restore":
                    await write_back.put_back(
                        *(connection, await approvals.again(connection, row), self._clock.now()),
                        settings=self._source.writing,
                        review_url=self._review_url,
                    )
                await approvals.settled(connection, row, settings=self._source.writing)

    async def _write(self, wanted: WriteBack) -> None:
        """Safe to be cut off between any two steps and begun again: what stands there already is not written twice."""
        async with self._held.transaction() as uow:
            begun = await attempts.begin(await uow.sql(), wanted, self._clock.now())
        if begun is None:
            return
        try:
            before = await describe_model_package(self._account, wanted.urn)
            # What people did there is told before it is written over.
            await self._tell(before)
            if begun.cut_off:
                # What came of it is known by now.
                await self._note_writing(wanted, None)
            if not await self._is_still_wanted(wanted):
                return
            missing = outstanding(before, wanted, self._source.life_cycle)
            if not (missing.approval or missing.labels):
                await self._done(wanted, missing.note, wrote=begun.cut_off)
                return
            note = await self._update(wanted, before, missing)
            after = await describe_model_package(self._account, wanted.urn)
            await self._tell(after)
            if outstanding(after, wanted, {}).approval:
                await self._later(wanted, "SageMaker says something else after it was written")
            else:
                await self._done(wanted, note, wrote=True)
        except (Denied, Refused) as error:
            await self._failed(wanted, error)
        except Gone as error:
            await self._gone(wanted, error)
        except AwsError as error:
            self._health.failing(self.name, str(error))
            await self._later(wanted, str(error))

    async def _is_still_wanted(self, wanted: WriteBack) -> bool:
        """By what is known now. An approval is for the content that was judged; a drift that is over stays so."""
        if wanted.restores:
            async with self._held.transaction() as uow:
                connection = await uow.sql()
                if not await approvals.drifts(connection, wanted.key):
                    await attempts.done(connection, wanted, self._clock.now(), note="it was put back by somebody else")
                    return False
        if wanted.state == "void":
            return False
        if wanted.desired == "Approved" and wanted.content_hash is not None:
            async with self._database.connection() as connection:
                content_hash = await state.content_hash(connection, wanted.key)
            if content_hash != wanted.content_hash:
                await self._later(wanted, "its content is not what was judged: waiting for the workflow to see that")
                return False
        return True

    async def _update(self, wanted: WriteBack, before: Document, missing: Outstanding) -> str | None:
        """The approval first: it is what counts. What was left out of the labels, and why."""
        # Of what was read before: after a change by somebody else, SageMaker must not take it for the same call.
        base = f"{wanted.urn}#{wanted.revision}#{before.get('LastModifiedTime')}"
        if missing.approval:
            await self._note_writing(wanted, wanted.desired)
            try:
                await update_approval(
                    *(self._account, wanted.urn),
                    approval=wanted.desired,
                    description=wanted.description,
                    client_token=str(ids.of_urn(f"{base}#approval")),
                )
            except (Denied, Refused, Gone):
                await self._note_writing(wanted, None)
                raise
        if not missing.labels:
            return missing.note
        try:
            await update_labels(
                *(self._account, wanted.urn),
                properties=missing.properties,
                stage=missing.stage,
                client_token=str(ids.of_urn(f"{base}#labels")),
            )
        except (Denied, Refused) as error:
            return f"its labels were not written: {error}"
        return missing.note

    async def _tell(self, document: Document) -> None:
        await self._observer().packages([Seen(document, Tags.UNREAD)], confirmed=True)

    async def _note_writing(self, wanted: WriteBack, approval: Approval | None) -> None:
        async with self._held.transaction() as uow:
            await approvals.writing(await uow.sql(), wanted.key, approval)

    async def _done(self, wanted: WriteBack, note: str | None, *, wrote: bool) -> None:
        async with self._held.transaction() as uow:
            connection = await uow.sql()
            await approvals.writing(connection, wanted.key, None)
            ended = await attempts.done(connection, wanted, self._clock.now(), note=note)
            if ended and wrote:
                self._audit(uow, wanted)
        metrics.WRITE_BACKS.labels("done").inc()
        self._health.recovered(self.name)
        telemetry.logger().info("written_back", urn=wanted.urn, approval=wanted.desired, note=note)

    async def _failed(self, wanted: WriteBack, error: AwsError) -> None:
        async with self._held.transaction() as uow:
            await attempts.failed(
                *(await uow.sql(), wanted, self._clock.now()), error=str(error), settings=self._source.writing
            )
        metrics.WRITE_BACKS.labels("failed").inc()
        telemetry.logger().error("write_back_failed", urn=wanted.urn, approval=wanted.desired, reason=str(error))

    async def _gone(self, wanted: WriteBack, error: Gone) -> None:
        """An acceptance of what is not there is a failure; anything else has nothing left to take back."""
        if wanted.desired == "Approved":
            await self._failed(wanted, error)
            return
        async with self._held.transaction() as uow:
            await attempts.of_gone(await uow.sql(), wanted, self._clock.now(), error=str(error))

    async def _later(self, wanted: WriteBack, why: str) -> None:
        async with self._held.transaction() as uow:
            await attempts.not_yet(await uow.sql(), wanted, why)
        metrics.WRITE_BACKS.labels("retried").inc()
        telemetry.logger().warning("write_back_retried", urn=wanted.urn, approval=wanted.desired, reason=why)

    def _observer(self) -> Observer:
        return Observer(self._source.name, self._database, self._held.transaction, Reader(self._account), self._clock)

    def _audit(self, uow: UnitOfWork, wanted: WriteBack) -> None:
        uow.audit(
            ACTOR,
            "write_back",
            wanted.urn,
            {
                "approval": wanted.desired,
                "description": wanted.description,
                "status": wanted.status,
                "use_cases": wanted.use_cases,
                "candidacy": str(wanted.candidacy) if wanted.candidacy else None,
                "use_case": wanted.use_case,
                "revision": wanted.revision,
            },
        )
