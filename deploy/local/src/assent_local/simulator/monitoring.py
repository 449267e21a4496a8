"""Model Monitor: schedules over endpoints and batch transforms, how they last went, and what they alert to.

No call makes a schedule run, for time does: `execute` and `alert` do what it would.
"""

from collections.abc import Mapping
from typing import Any

from assent_common.clock import Clock

from assent_local.simulator import listing, tags
from assent_local.simulator.caller import Caller, Place
from assent_local.simulator.errors import AwsError
from assent_local.simulator.pages import Pages
from assent_local.simulator.store import Document, Kind, Store

Request = Mapping[str, Any]

_SUMMARY = (
    "MonitoringScheduleName",
    "MonitoringScheduleArn",
    "CreationTime",
    "LastModifiedTime",
    "MonitoringScheduleStatus",
    "EndpointName",
    "MonitoringType",
)


class Monitoring:
    def __init__(self, store: Store, pages: Pages, clock: Clock) -> None:
        self._store = store
        self._pages = pages
        self._clock = clock
        self.operations = {
            "CreateMonitoringSchedule": self.create,
            "DescribeMonitoringSchedule": self.describe,
            "ListMonitoringSchedules": self.list,
            "DeleteMonitoringSchedule": self.delete,
            "ListMonitoringExecutions": self.list_executions,
            "ListMonitoringAlerts": self.list_alerts,
        }

    def create(self, caller: Caller, request: Request) -> Document:
        name = request["MonitoringScheduleName"]
        arn = caller.place.arn(Kind.MONITORING_SCHEDULE, name.casefold())
        if self._store.get(Kind.MONITORING_SCHEDULE, caller.place, name.casefold()):
            raise AwsError("ResourceInUse", f"Monitoring Schedule with given name already exists: {arn}")
        config = request["MonitoringScheduleConfig"]
        endpoint = _input(config).get("EndpointInput", {}).get("EndpointName")
        now = round(self._clock.now().timestamp(), 3)
        document = {
            "MonitoringScheduleName": name,
            "MonitoringScheduleArn": arn,
            "MonitoringScheduleStatus": "Scheduled",
            "MonitoringType": config.get("MonitoringType", "DataQuality"),
            "MonitoringScheduleConfig": config,
            **({"EndpointName": endpoint} if endpoint else {}),
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        with self._store.together():
            tags.write(self._store, caller.place, arn, request.get("Tags", []))
            self._store.put(Kind.MONITORING_SCHEDULE, caller.place, name.casefold(), document)
        return {"MonitoringScheduleArn": arn}

    def describe(self, caller: Caller, request: Request) -> Document:
        schedule = self._find(caller, request["MonitoringScheduleName"])
        last = last_execution(self._store, caller.place, schedule)
        return {**schedule, **({"LastMonitoringExecutionSummary": last} if last else {})}

    def list(self, caller: Caller, request: Request) -> Document:
        def rows() -> list[Document]:
            found = [each.document for each in self._store.all(Kind.MONITORING_SCHEDULE, caller.place).values()]
            for given, member in (
                ("EndpointName", "EndpointName"),
                ("StatusEquals", "MonitoringScheduleStatus"),
                ("MonitoringTypeEquals", "MonitoringType"),
            ):
                if given in request:
                    found = [each for each in found if each.get(member) == request[given]]
            return listing.select(found, request, name="MonitoringScheduleName", default_order="Descending")

        page, token, _ = self._pages.cut(
            caller.place, "ListMonitoringSchedules", request, self._store.generation, rows, size=10
        )
        summaries = [{name: each[name] for name in _SUMMARY if name in each} for each in page]
        return listing.answer("MonitoringScheduleSummaries", summaries, token)

    def delete(self, caller: Caller, request: Request) -> Document:
        schedule = self._find(caller, request["MonitoringScheduleName"])
        with self._store.together():
            tags.forget(self._store, caller.place, schedule["MonitoringScheduleArn"])
            self._store.remove(Kind.MONITORING_SCHEDULE, caller.place, schedule["MonitoringScheduleName"].casefold())
        return {}

    def list_executions(self, caller: Caller, request: Request) -> Document:
        def rows() -> list[Document]:
            found = [each.document for each in self._store.all(Kind.MONITORING_EXECUTION, caller.place).values()]
            for given, member in (
                ("MonitoringScheduleName", "MonitoringScheduleName"),
                ("EndpointName", "EndpointName"),
                ("StatusEquals", "MonitoringExecutionStatus"),
            ):
                if given in request:
                    found = [each for each in found if each.get(member) == request[given]]
            return listing.select(found, request, name="MonitoringScheduleName", default_order="Descending")

        page, token, _ = self._pages.cut(
            caller.place, "ListMonitoringExecutions", request, self._store.generation, rows, size=10
        )
        return listing.answer("MonitoringExecutionSummaries", page, token)

    def list_alerts(self, caller: Caller, request: Request) -> Document:
        schedule = self._find(caller, request["MonitoringScheduleName"])

        def rows() -> list[Document]:
            return alerts_of(self._store, caller.place, schedule)

        page, token, _ = self._pages.cut(caller.place, "ListMonitoringAlerts", request, self._store.generation, rows)
        return listing.answer("MonitoringAlertSummaries", page, token)

    def _find(self, caller: Caller, name: str) -> Document:
        record = self._store.get(Kind.MONITORING_SCHEDULE, caller.place, name.casefold())
        if record is None:
            raise AwsError("ResourceNotFound", "Requested resource not found.")
        return record.document


def execute(store: Store, place: Place, schedule: str, status: str, at: float, reason: str | None = None) -> None:
    """The schedule runs, and this comes of it."""
    record = store.get(Kind.MONITORING_SCHEDULE, place, schedule.casefold())
    assert record is not None, schedule
    document = {
        "MonitoringScheduleName": record.document["MonitoringScheduleName"],
        "ScheduledTime": at,
        "CreationTime": at,
        "LastModifiedTime": at,
        "MonitoringExecutionStatus": status,
        "MonitoringType": record.document["MonitoringType"],
        **({"EndpointName": record.document["EndpointName"]} if "EndpointName" in record.document else {}),
        **({"FailureReason": reason} if reason else {}),
    }
    store.put(Kind.MONITORING_EXECUTION, place, f"{schedule.casefold()}/{at}", document)


def alert(store: Store, place: Place, schedule: str, name: str, status: str, at: float) -> None:
    """The alert of this name is `InAlert` or `OK` from now on."""
    record = store.get(Kind.MONITORING_ALERTS, place, schedule.casefold())
    alerts = {each["MonitoringAlertName"]: each for each in (record.document["alerts"] if record else [])}
    alerts[name] = {
        "MonitoringAlertName": name,
        "CreationTime": alerts.get(name, {}).get("CreationTime", at),
        "LastModifiedTime": at,
        "AlertStatus": status,
        "DatapointsToAlert": 1,
        "EvaluationPeriod": 1,
        "Actions": {"ModelDashboardIndicator": {"Enabled": True}},
    }
    store.put(Kind.MONITORING_ALERTS, place, schedule.casefold(), {"alerts": list(alerts.values())})


def last_execution(store: Store, place: Place, schedule: Document) -> Document | None:
    name = schedule["MonitoringScheduleName"]
    runs = (record.document for record in store.all(Kind.MONITORING_EXECUTION, place).values())
    mine = [run for run in runs if run["MonitoringScheduleName"] == name]
    return max(mine, key=lambda run: run["ScheduledTime"], default=None)


def alerts_of(store: Store, place: Place, schedule: Document) -> list[Document]:
    record = store.get(Kind.MONITORING_ALERTS, place, schedule["MonitoringScheduleName"].casefold())
    return list(record.document["alerts"]) if record else []


def batch_input(schedule: Document) -> Document | None:
    """What a schedule over batch transforms reads."""
    found: Document | None = _input(schedule["MonitoringScheduleConfig"]).get("BatchTransformInput")
    return found


def _input(config: Request) -> Document:
    """A schedule has one; none where its definition stands by itself, which is not simulated."""
    inputs = config.get("MonitoringJobDefinition", {}).get("MonitoringInputs", [])
    return inputs[0] if inputs else {}
