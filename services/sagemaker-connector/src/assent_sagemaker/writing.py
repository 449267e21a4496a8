"""The duty that brings one source's SageMaker to say what was decided."""

import asyncio

from assent_common import telemetry
from assent_common.clock import Clock
from assent_common.database import Database, is_transient
from assent_common.health import Health
from assent_common.leases import Lease
from assent_common.supervise import pause
from assent_common.uow import UnitOfWork

from assent_sagemaker import held, metrics, state, write_back
from assent_sagemaker.aws.account import Account, Document
from assent_sagemaker.aws.describe import describe_model_package
from assent_sagemaker.aws.errors import AwsError, Denied, Gone, Refused
from assent_sagemaker.aws.update import approval_description, update_approval
from assent_sagemaker.held import Held, LeaseLost
from assent_sagemaker.reports import Reader
from assent_sagemaker.sources import Source
from assent_sagemaker.sync.observe import Observer, Seen, Tags
from assent_sagemaker.write_back import WriteBack

ACTOR = "assent-sagemaker-connector"
LOOK_EVERY_S = 0.5
#: Nothing is written with less of the lease left.
MARGIN_S = 2.0


class WriteBackDuty:
    """Any number of processes may run it; one at a time writes to the source."""

    def __init__(self, source: Source, account: Account, database: Database, health: Health, clock: Clock) -> None:
        self._source = source
        self._account = account
        self._database = database
        self._health = health
        self._clock = clock
        self.name = f"write-back:{source.name}"
        self._lease = Lease(self.name, ttl_s=10.0)
        self._reader = Reader(account)

    async def run(self, stopping: asyncio.Event) -> None:
        try:
            while not stopping.is_set():
                try:
                    holding = await held.claim(self._database, self._lease)
                    if holding is not None:
                        await self._round(holding, stopping)
                except LeaseLost:
                    telemetry.logger().warning("lease_lost", duty=self.name)
                except Exception as error:
                    if not is_transient(error):
                        raise
                    telemetry.logger().warning("write_back_waits", source=self._source.name, reason=repr(error))
                await pause(stopping, LOOK_EVERY_S)
        finally:
            await self._release()

    async def _round(self, holding: Held, stopping: asyncio.Event) -> None:
        async with self._database.connection() as connection:
            due = await write_back.due(connection, self._source.name, self._clock.now())
            if not await write_back.is_anything_pending(connection, self._source.name):
                self._health.recovered(self.name)
        for wanted in due:
            if stopping.is_set() or await held.claim(self._database, self._lease) != holding:
                return
            with telemetry.continuing(
                f"write back {wanted.desired}", correlation=wanted.correlation_id, parent=wanted.traceparent
            ):
                await self._write(holding, wanted)

    async def _write(self, holding: Held, wanted: WriteBack) -> None:
        """Safe to be cut off between any two steps and begun again: what stands there already is not written twice."""
        async with holding.transaction() as uow:
            if not await write_back.begin_attempt(await uow.sql(), wanted, self._clock.now()):
                return
        try:
            document = await describe_model_package(self._account, wanted.urn)
            stands = _says(document, wanted)
            if not stands:
                if not await self._is_what_was_judged(holding, wanted, document):
                    return
                if self._lease.left_s < MARGIN_S:
                    return
                await update_approval(
                    *(self._account, wanted.urn),
                    approval=wanted.desired,
                    description=wanted.description,
                    client_token=wanted.token,
                )
                document = await describe_model_package(self._account, wanted.urn)
        except (Denied, Gone, Refused) as error:
            await self._failed(holding, wanted, str(error))
        except AwsError as error:
            self._health.failing(self.name, str(error))
            await self._later(holding, wanted, str(error))
        else:
            await self._done(holding, wanted, document, wrote=not stands or wanted.attempts > 0)

    async def _is_what_was_judged(self, holding: Held, wanted: WriteBack, document: Document) -> bool:
        """An approval is for the content that was judged. What is there now is told at once, should it differ."""
        if wanted.desired != "Approved" or wanted.content_hash is None:
            return True
        await self._tell(holding, document)
        async with self._database.connection() as connection:
            content_hash = await state.content_hash(connection, wanted.key)
        if content_hash == wanted.content_hash:
            return True
        await self._later(holding, wanted, "its content is not what was judged: waiting for the workflow to see that")
        return False

    async def _done(self, holding: Held, wanted: WriteBack, document: Document, *, wrote: bool) -> None:
        await self._tell(holding, document)
        async with holding.transaction() as uow:
            ended = await write_back.end(await uow.sql(), wanted, "done", self._clock.now())
            if ended and wrote:
                self._audit(uow, wanted)
        metrics.WRITE_BACKS.labels(self._source.name, "done").inc()
        self._health.recovered(self.name)
        telemetry.logger().info("written_back", urn=wanted.urn, approval=wanted.desired, use_case=wanted.use_case)

    async def _failed(self, holding: Held, wanted: WriteBack, why: str) -> None:
        async with holding.transaction() as uow:
            await write_back.end(await uow.sql(), wanted, "failed", self._clock.now(), why)
        metrics.WRITE_BACKS.labels(self._source.name, "failed").inc()
        telemetry.logger().error("write_back_failed", urn=wanted.urn, approval=wanted.desired, reason=why)

    async def _later(self, holding: Held, wanted: WriteBack, why: str) -> None:
        async with holding.transaction() as uow:
            await write_back.not_yet(await uow.sql(), wanted, why)
        metrics.WRITE_BACKS.labels(self._source.name, "retried").inc()
        telemetry.logger().warning("write_back_retried", urn=wanted.urn, approval=wanted.desired, reason=why)

    async def _tell(self, holding: Held, document: Document) -> None:
        """The fresh record goes the way of every change, so that the poll finds nothing new in it."""
        observer = Observer(
            *(self._source.name, self._database, holding.transaction, self._reader, self._clock), reports_at_once=1
        )
        await observer.packages([Seen(document, Tags.UNREAD)], confirmed=True)

    def _audit(self, uow: UnitOfWork, wanted: WriteBack) -> None:
        uow.audit(
            ACTOR,
            "write_back",
            wanted.urn,
            {
                "approval": wanted.desired,
                "description": wanted.description,
                "candidacy": str(wanted.candidacy),
                "use_case": wanted.use_case,
                "client_token": wanted.token,
            },
        )

    async def _release(self) -> None:
        try:
            async with asyncio.timeout(2), self._database.connection() as connection:
                await self._lease.release(connection)
        except Exception as error:
            if not is_transient(error):
                raise
            telemetry.logger().info("lease_not_released", reason=repr(error))


def _says(document: Document, wanted: WriteBack) -> bool:
    stands = document.get("ModelApprovalStatus"), document.get("ApprovalDescription")
    return stands == (wanted.desired, approval_description(wanted.description))
