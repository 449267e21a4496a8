"""One source's way from SageMaker's documents to records and events."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from assent_common import telemetry
from assent_common.clock import Clock
from assent_common.database import Database
from assent_common.uow import UnitOfWork

from assent_sagemaker import arns, lineages, metrics, state, training_jobs
from assent_sagemaker.lineages import Question
from assent_sagemaker.mapping import jobs
from assent_sagemaker.mapping.deployments import Deployed
from assent_sagemaker.mapping.documents import ModelPackage, ModelPackageGroup, Unmappable
from assent_sagemaker.mapping.groups import model
from assent_sagemaker.mapping.packages import model_version
from assent_sagemaker.reading import Reader
from assent_sagemaker.reports import Found, Reports, are_of
from assent_sagemaker.sync import changes
from assent_sagemaker.sync.changes import Observation

BATCH = 100

Transaction = Callable[[], AbstractAsyncContextManager[UnitOfWork]]


class Tags(Enum):
    #: The document itself has them.
    WITHIN = "within"
    #: They could not be read: those last read stand.
    UNREAD = "unread"


class Seen(NamedTuple):
    """A document that a source gave, and what came beside it."""

    document: Mapping[str, Any]
    tags: Mapping[str, str] | Tags = Tags.WITHIN
    summary_hash: str | None = None


class Result(NamedTuple):
    changed: set[str]
    #: ARNs of what is gone as far as we know: only Describe can say that it is there again.
    doubtful: list[str]


class Parsed(NamedTuple):
    """A package as a source gave it, understood."""

    key: str
    #: The key of its group, if it has one.
    group: str | None
    package: ModelPackage
    document_hash: str
    tags: Mapping[str, str] | None
    summary_hash: str | None


class Read(NamedTuple):
    """A batch of packages, and what their reports said, by key: of those alone that are new or changed, and that S3 did
    not keep waiting."""

    parsed: Sequence[Parsed]
    found: Mapping[str, Found]

    def only(self, keys: Collection[str]) -> "Read":
        return Read([one for one in self.parsed if one.key in keys], self.found)


class Observer:
    """Keeps what it is shown, in one transaction a batch, and tells what changed."""

    def __init__(
        self,
        source: str,
        database: Database,
        transaction: Transaction,
        reader: Reader,
        clock: Clock,
        counts: Counter[str] | None = None,
    ) -> None:
        self._source = source
        self._database = database
        self._transaction = transaction
        self._reader = reader
        self._clock = clock
        self.counts = counts if counts is not None else Counter()

    async def groups(self, seen: Iterable[Seen]) -> set[str]:
        """Groups, and the versions that inherit changed tags from them. The keys of the groups that changed."""
        parsed = []
        for one in seen:
            document, tags = _without_tags(one)
            try:
                parsed.append((ModelPackageGroup.from_document(document), tags, one.summary_hash))
            except Unmappable as error:
                self._skip(error)
        if not parsed:
            return set()
        known = await self._known(arns.key(group.model_package_group_arn) for group, _, _ in parsed)
        observations = []
        for group, told, summary_hash in parsed:
            before = known.get(arns.key(group.model_package_group_arn))
            tags = told if told is not None else before.tags if before else {}
            try:
                payload = model(group, source=self._source, tags=tags)
            except Unmappable as error:
                self._skip(error)
                continue
            observations.append(
                Observation(payload, group.raw, changes.document_digest(group.raw), tags, summary_hash=summary_hash)
            )
        mine = [self._as_spelled(o, known.get(o.key)) for o in observations if self._is_mine(known.get(o.key))]
        self.counts["read"] += len(mine)
        changed = await self._apply(mine, known)
        for observation in mine:
            before = known.get(observation.key)
            if before is not None and before.tags != observation.tags:
                async for versions in self._versions_of(observation.key):
                    await self.again(versions)
        return changed

    async def packages(self, seen: Sequence[Seen], *, confirmed: bool) -> Result:
        """Model packages, with their reports as far as S3 gives them soon enough.

        Unless `confirmed`, what is known to be gone is not believed to be back.
        """
        return await self.keep(await self.read(seen), confirmed=confirmed)

    async def read(self, seen: Sequence[Seen]) -> Read:
        """The first half of `packages`, which keeps nothing: several batches may be read at once."""
        parsed = [one for each in seen if (one := self._parse(each))]
        known = await self._known(one.key for one in parsed)
        now = self._clock.now()
        news = [one for one in parsed if self._is_mine(was := known.get(one.key)) and _is_news(one, was, now)]
        found = await self._reader.read_soon({o.key: (o.package, _standing(o, known.get(o.key))) for o in news})
        return Read(parsed, found)

    async def keep(self, read: Read, *, confirmed: bool) -> Result:
        """The second half, in one transaction."""
        if not read.parsed:
            return Result(set(), [])
        doubtful = []
        believed = []
        reports = {}
        async with self._transaction() as uow:
            known = await state.locked(await uow.sql(), [one.key for one in read.parsed])
            for one in read.parsed:
                before = known.get(one.key)
                if not self._is_mine(before) or _is_older(one.package, before):
                    continue
                if before is not None and not before.live and not confirmed:
                    doubtful.append(one.package.model_package_arn)
                    continue
                believed.append(one)
                reports[one.key] = self._reports(one, before, read.found.get(one.key))
            self.counts["read"] += len(believed)
            return Result(await self._tell(uow, believed, known, reports), doubtful)

    async def again(self, versions: Collection[state.Known], found: Mapping[str, Found] | None = None) -> set[str]:
        """Versions by the documents kept of them: what they are told with changed, or their reports were read (`found`,
        by key)."""
        believed = []
        reports = {}
        async with self._transaction() as uow:
            known = await state.locked(await uow.sql(), [version.key for version in versions])
            for before in known.values():
                one = self._parse(Seen(before.document, before.tags, before.summary_hash))
                if one is not None and before.live:
                    believed.append(one)
                    reports[one.key] = self._reports(one, before, (found or {}).get(one.key))
            return await self._tell(uow, believed, known, reports)

    async def deployments(self, seen: Iterable[tuple[Deployed, str | None]]) -> set[str]:
        """Deployments, each with the digest of its summary in the listing."""
        observations = []
        for deployed, summary in seen:
            document = deployed.observed.raw
            observations.append(
                Observation(
                    *(deployed.observed, document, changes.document_digest(document)),
                    summary_hash=summary,
                    unmatched=deployed.unmatched,
                )
            )
        known = await self._known(observation.key for observation in observations)
        return await self._apply([o for o in observations if self._is_mine(known.get(o.key))], known)

    async def _tell(
        self,
        uow: UnitOfWork,
        parsed: Sequence[Parsed],
        known: Mapping[str, state.Known],
        reports: Mapping[str, Reports],
    ) -> set[str]:
        """`known` are locked: what another one learned meanwhile is not written over."""
        connection = await uow.sql()
        groups = await state.groups(connection, {one.group for one in parsed if one.group})
        made_by = {one.key: jobs.reference(one.package) for one in parsed}
        questions = [Question(one.key, one.package) for one in parsed if made_by[one.key] is None]
        answers = await lineages.noted(connection, self._source, questions, self._clock.now())
        made_by |= {key: lineage.reference for key, lineage in answers.items()}
        named = [reference for reference in made_by.values() if reference]
        known_jobs = await training_jobs.noted(connection, self._source, named, self._clock.now())
        observations = []
        for one in parsed:
            group = groups.get(one.group) if one.group else None
            before = known.get(one.key)
            tags = one.tags if one.tags is not None else before.tags if before else {}
            job = made_by[one.key]
            try:
                payload = model_version(
                    one.package,
                    source=self._source,
                    tags=group.tags if group else tags,
                    outcomes=reports[one.key].outcomes,
                    job=known_jobs[job.key] if job else jobs.NOT_READ,
                    lineage=answers.get(one.key, jobs.NOT_ASKED),
                    model=group.urn if group else None,
                )
            except Unmappable as error:
                self._skip(error)
                continue
            observation = Observation(
                *(payload, one.package.raw, one.document_hash, tags, reports[one.key], one.summary_hash),
                training_job=job.key if job else None,
            )
            observations.append(self._as_spelled(observation, before))
        return await self._keep(uow, observations, known)

    async def _apply(self, observations: Sequence[Observation], known: Mapping[str, state.Known]) -> set[str]:
        if not observations:
            return set()
        async with self._transaction() as uow:
            return await self._keep(uow, observations, known)

    async def _keep(
        self, uow: UnitOfWork, observations: Sequence[Observation], known: Mapping[str, state.Known]
    ) -> set[str]:
        changed = await changes.apply(uow, self._source, observations, known, self._skip)
        self.counts["changed"] += len(changed)
        return changed

    def _reports(self, one: Parsed, before: state.Known | None, found: Found | None) -> Reports:
        """What is known of its reports from now on."""
        reports, now = _standing(one, before), self._clock.now()
        if found is not None and are_of(one.package, found):
            return reports.after(found, now)
        return reports.pending(one.package, now) if _is_news(one, before, now) else reports

    def _parse(self, seen: Seen) -> Parsed | None:
        document, tags = _without_tags(seen)
        try:
            package = ModelPackage.from_document(document)
            group = arns.group_of(arns.Arn.parse(package.model_package_arn))
        except (Unmappable, arns.NotAnArn) as error:
            self._skip(error)
            return None
        # A version takes no tags of its own: its model's apply, however the document came.
        own = {} if group else tags
        return Parsed(
            arns.key(package.model_package_arn),
            arns.key(str(group)) if group else None,
            *(package, changes.document_digest(package.raw), own, seen.summary_hash),
        )

    def _skip(self, error: Exception) -> None:
        self.counts["unmappable"] += 1
        metrics.UNMAPPABLE.labels(self._source).inc()
        telemetry.logger().warning("unmappable", source=self._source, reason=str(error)[:1000])

    def _is_mine(self, known: state.Known | None) -> bool:
        """Not another source's view of what that one has already: a shared group is one record."""
        return known is None or known.source == self._source or not known.live or known.is_adrift

    def _as_spelled(self, observation: Observation, known: state.Known | None) -> Observation:
        if known is None or known.urn == observation.payload.urn:
            return observation
        return observation._replace(payload=observation.payload.model_copy(update={"urn": known.urn}))

    async def _known(self, keys: Iterable[str]) -> dict[str, state.Known]:
        async with self._database.connection() as connection:
            return await state.known(connection, list(keys))

    async def _versions_of(self, model: str) -> AsyncIterator[list[state.Known]]:
        after = ""
        while True:
            async with self._database.connection() as connection:
                versions = await state.of_model(connection, model, after=after, limit=BATCH)
            if not versions:
                return
            yield versions
            after = versions[-1].key


def batches(things: Collection[Any]) -> Iterable[list[Any]]:
    every = list(things)
    return (every[start : start + BATCH] for start in range(0, len(every), BATCH))


def _without_tags(seen: Seen) -> tuple[dict[str, Any], Mapping[str, str] | None]:
    """The document the same whichever operation it came from, and its tags; None where they could not be read."""
    document = dict(seen.document)
    within = document.pop("Tags", None) or []
    match seen.tags:
        case Tags.WITHIN:
            return document, {tag["Key"]: tag.get("Value", "") for tag in within}
        case Tags.UNREAD:
            return document, None
        case tags:
            return document, tags


def _standing(one: Parsed, before: state.Known | None) -> Reports:
    """Another thing under the same ARN has its own reports."""
    return before.reports if before is not None and _is_same(one, before) else Reports()


def _is_news(one: Parsed, before: state.Known | None, now: datetime) -> bool:
    """Whether its reports are to be read because of what was seen of it just now."""
    if before is None or not _is_same(one, before) or before.document_hash != one.document_hash:
        return True
    return before.reports.lack(one.package) and not before.reports.are_due(now)


def _is_same(one: Parsed, before: state.Known) -> bool:
    return before.live and before.created_at == one.package.creation_time


def _is_older(package: ModelPackage, known: state.Known | None) -> bool:
    """Whether an index that lags shows a state from before the one that is kept."""
    if known is None:
        return False
    now = (package.creation_time, package.last_modified_time or package.creation_time)
    return now < (known.created_at, known.modified_at or known.created_at)
