"""Models as the dashboard shows them (`Search` of `Model`): each with what serves it and how that is watched."""

from collections import defaultdict
from collections.abc import Iterable

import orjson

from assent_local.simulator.caller import Place
from assent_local.simulator.monitoring import alerts_of, batch_input, last_execution
from assent_local.simulator.shapes import Shapes
from assent_local.simulator.store import Document, Kind, Store

_ENDPOINT = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
_SCHEDULE = (
    "MonitoringScheduleArn",
    "MonitoringScheduleName",
    "MonitoringScheduleStatus",
    "MonitoringType",
    "CreationTime",
    "LastModifiedTime",
    "MonitoringScheduleConfig",
    "EndpointName",
)


class Dashboard:
    """Who serves what is computed once for as long as nothing has changed."""

    def __init__(self, store: Store, shapes: Shapes) -> None:
        self._store = store
        self._shapes = shapes
        self._computed: dict[Place, tuple[int, _Surroundings]] = {}

    def of(self, place: Place, model: Document, rendered: bytes) -> bytes:
        """`rendered`: the model itself, which stands in the middle."""
        generation, around = self._computed.get(place, (-1, None))
        if around is None or generation != self._store.generation:
            around = _Surroundings(self._store, place)
            self._computed[place] = (self._store.generation, around)
        name = model["ModelName"].casefold()
        job = around.last_job.get(name)
        shown = {
            "Endpoints": around.endpoints[name],
            "MonitoringSchedules": around.schedules[name],
            **({"LastBatchTransformJob": job} if job else {}),
        }
        self._shapes.named("ModelDashboardModel")(shown, "")
        return orjson.dumps({"Model": orjson.Fragment(rendered), **shown})


class _Surroundings:
    def __init__(self, store: Store, place: Place) -> None:
        self._store = store
        self._place = place
        #: By the model's name without regard to case.
        self.endpoints: defaultdict[str, list[Document]] = defaultdict(list)
        self.schedules: defaultdict[str, list[Document]] = defaultdict(list)
        self.last_job: dict[str, Document] = {}
        for job in sorted(self._all(Kind.TRANSFORM_JOB), key=lambda job: job["CreationTime"]):
            self.last_job[job["ModelName"].casefold()] = job
        watching = defaultdict(list)
        for schedule in self._all(Kind.MONITORING_SCHEDULE):
            watching[schedule.get("EndpointName", "").casefold()].append(schedule)
        for endpoint in self._all(Kind.ENDPOINT):
            for model in self._served_by(endpoint):
                self.endpoints[model].append({name: endpoint[name] for name in _ENDPOINT})
                self.schedules[model] += map(self._shown, watching[endpoint["EndpointName"].casefold()])
        for schedule in watching[""]:
            for model in self._captured(schedule):
                self.schedules[model].append(self._shown(schedule))

    def _served_by(self, endpoint: Document) -> set[str]:
        config = self._store.get(Kind.ENDPOINT_CONFIG, self._place, endpoint["EndpointConfigName"].casefold())
        variants = [
            *(config.document["ProductionVariants"] if config else []),
            *(config.document.get("ShadowProductionVariants", []) if config else []),
        ]
        hosted = (
            specification
            for component in self._all(Kind.INFERENCE_COMPONENT)
            if component["EndpointName"] == endpoint["EndpointName"]
            for specification in component.get("Specifications", [component.get("Specification", {})])
        )
        return {each["ModelName"].casefold() for each in (*variants, *hosted) if "ModelName" in each}

    def _captured(self, schedule: Document) -> set[str]:
        """The models whose batch transforms leave their data where this schedule looks."""
        read = batch_input(schedule)
        if read is None:
            return set()
        return {
            name
            for name, job in self.last_job.items()
            if job.get("DataCaptureConfig", {}).get("DestinationS3Uri") == read["DataCapturedDestinationS3Uri"]
        }

    def _shown(self, schedule: Document) -> Document:
        last = last_execution(self._store, self._place, schedule)
        read = batch_input(schedule)
        alerts = alerts_of(self._store, self._place, schedule)
        return {
            **{name: schedule[name] for name in _SCHEDULE if name in schedule},
            **({"MonitoringAlertSummaries": alerts} if alerts else {}),
            **({"LastMonitoringExecutionSummary": last} if last else {}),
            **({"BatchTransformInput": read} if read else {}),
        }

    def _all(self, kind: Kind) -> Iterable[Document]:
        return (record.document for record in self._store.all(kind, self._place).values())
