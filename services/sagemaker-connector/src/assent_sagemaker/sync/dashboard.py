"""The models that serve, and the schedules that watch them: as Search shows them all at once, or a few one by one."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

from assent_sagemaker.aws.account import Document
from assent_sagemaker.aws.describe import describe_model
from assent_sagemaker.aws.errors import Denied, Gone, Refused
from assent_sagemaker.aws.search import named, search
from assent_sagemaker.mapping.deployments import Models
from assent_sagemaker.mapping.documents import Unmappable
from assent_sagemaker.mapping.safe import json_safe
from assent_sagemaker.mapping.serving import (
    DashboardModel,
    Model,
    MonitoringExecution,
    MonitoringSchedule,
    TransformJob,
)
from assent_sagemaker.sync.plan import Plan
from assent_sagemaker.sync.run import Run, in_parallel


class Dashboard:
    """What is known of an account's models so far. A model is never changed, but may be deleted and made again under
    its name: where what serves it has just changed, Describe is asked, for the index of Search lags."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._models: dict[str, Model | None] = {}
        self._schedules: dict[str, list[MonitoringSchedule]] = {}
        self._executions: dict[str, MonitoringExecution] = {}
        #: The last batch transform of each model that has one.
        self.jobs: list[TransformJob] = []

    async def show_all(self) -> bool:
        """Everything that Search shows; False where it is not to be had."""

        async def read() -> None:
            async for page in search(self._run.account, "Model"):
                for record in page.records:
                    self._keep(record, with_model=True)

        return await self._shown(read)

    async def know(self, names: Collection[str]) -> None:
        """These, those among them that were not shown one by one."""
        unknown = {name.casefold(): name for name in names if name.casefold() not in self._models}

        async def one(name: str) -> Model | None:
            try:
                return _model(await describe_model(self._run.account, name))
            except Gone:
                return None

        models = await in_parallel(one, list(unknown.values()))
        self._models |= dict(zip(unknown, models, strict=True))

    async def know_how_watched(self, names: Collection[str]) -> None:
        async def read() -> None:
            async for page in named(self._run.account, "Model", names):
                for record in page.records:
                    self._keep(record, with_model=False)

        if names:
            await self._shown(read)

    def heed(self, executions: Iterable[Document]) -> None:
        """Executions of monitors as they were listed: Search may not show them yet."""
        for document in executions:
            execution = MonitoringExecution.model_validate(json_safe(document))
            name = document["MonitoringScheduleName"]
            self._executions[name] = _later(execution, self._executions.get(name))

    def models(self) -> Models:
        schedules = {name: [self._as_executed(each) for each in every] for name, every in self._schedules.items()}
        return Models((model for model in self._models.values() if model), schedules)

    def _as_executed(self, schedule: MonitoringSchedule) -> MonitoringSchedule:
        listed = self._executions.get(schedule.monitoring_schedule_name)
        if listed is None:
            return schedule
        last = _later(listed, schedule.last_monitoring_execution_summary)
        return schedule.model_copy(update={"last_monitoring_execution_summary": last})

    async def _shown(self, read: Callable[[], Awaitable[None]]) -> bool:
        if self._run.plan == Plan.DESCRIBE:
            self._run.note("how deployments are monitored is not known: Search is not used")
            return False
        try:
            await self._run.from_the_start_if_expired(read)
        except (Denied, Refused) as error:
            self._run.note(f"how deployments are monitored is not known: {error}")
            return False
        return True

    def _keep(self, record: Any, *, with_model: bool) -> None:
        try:
            shown = DashboardModel.from_document(record)
            model = _model(record["Model"])
            job = shown.last_batch_transform_job
            if with_model and isinstance(job, dict):
                self.jobs.append(TransformJob.from_document(job))
        except Unmappable as error:
            self._run.note(f"a model could not be understood: {error}")
            return
        name = model.model_name.casefold()
        self._schedules[name] = shown.monitoring_schedules
        if with_model:
            self._models[name] = model


def _model(document: Any) -> Model:
    """The same by Search and by Describe."""
    return Model.from_document({name: value for name, value in document.items() if name not in _ONE_WAY_ONLY})


def _later(one: MonitoringExecution, other: MonitoringExecution | None) -> MonitoringExecution:
    if other is None or other.scheduled_time is None or one.scheduled_time is None:
        return one
    return other if other.scheduled_time > one.scheduled_time else one


_ONE_WAY_ONLY = frozenset({"Tags", "DeploymentRecommendation"})
