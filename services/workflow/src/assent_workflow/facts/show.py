"""The facts as gauges, anew each minute: a scrape costs the database nothing."""

import asyncio

from assent_common.database import Database, is_transient
from assent_common.supervise import pause

from assent_workflow import metrics
from assent_workflow.facts.gather import Facts, gather

EVERY_S = 60.0
RETRY_S = 5.0


class Dashboard:
    """Every replica shows them: each gathers for itself."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                async with self._database.connection() as connection:
                    show(await gather(connection))
            except Exception as error:
                if not is_transient(error):
                    raise
                await pause(stopping, RETRY_S)
            else:
                await pause(stopping, EVERY_S)


def show(facts: Facts) -> None:
    """All at once, so that a scrape sees one moment; what is no more is not shown as what it was."""
    for gauge in (
        *(metrics.TASKS_WAITING, metrics.TASKS_OVERDUE, metrics.TASKS_LONGEST, metrics.TASK_SECONDS),
        *(metrics.REVIEWS_ENDED, metrics.REVIEW_SECONDS, metrics.CANDIDACIES, metrics.FINDINGS),
    ):
        gauge.clear()
    for work in facts.tasks:
        where = (work.stage, work.role)
        metrics.TASKS_WAITING.labels(*where).set(work.waiting)
        metrics.TASKS_OVERDUE.labels(*where).set(work.overdue)
        metrics.TASKS_LONGEST.labels(*where).set(work.longest_s or 0)
        for quantile, seconds in (("0.5", work.median_s), ("0.9", work.p90_s)):
            if seconds is not None:
                metrics.TASK_SECONDS.labels(*where, quantile).set(seconds)
    for outcome in ("accepted", "rejected", "changes_requested", "cancelled"):
        metrics.REVIEWS_ENDED.labels(outcome).set(getattr(facts.reviews, outcome))
    for quantile, seconds in (("0.5", facts.reviews.median_s), ("0.9", facts.reviews.p90_s)):
        if seconds is not None:
            metrics.REVIEW_SECONDS.labels(quantile).set(seconds)
    rate = facts.reviews.acceptance_rate
    metrics.ACCEPTANCE_RATE.set(rate if rate is not None else float("nan"))
    for status, count in facts.candidacies.items():
        metrics.CANDIDACIES.labels(status).set(count)
    for each in facts.findings:
        for age, count in (("week", each.up_to_a_week), ("month", each.up_to_a_month), ("older", each.older)):
            metrics.FINDINGS.labels(each.kind, each.severity, each.status, age).set(count)
    metrics.SERVING.set(facts.serving.model_versions)
    metrics.SERVING_UNACCEPTED.set(facts.serving.without_acceptance)
