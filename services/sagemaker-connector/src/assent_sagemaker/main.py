"""The sagemaker-connector: `python -m assent_sagemaker.main`."""

import os
import sys
from collections.abc import Callable
from functools import partial

from assent_common import service
from assent_common.http import audit_log
from assent_common.kafka.consumer import Consumer
from assent_common.kafka.topics import CONNECTOR, GOVERNANCE, REGISTRY
from assent_common.service import Parts, Runtime
from assent_common.supervise import Duty
from botocore.session import get_session

from assent_sagemaker import (
    outstanding_jobs,
    outstanding_lineages,
    outstanding_reports,
    restored,
    routes,
    sources,
    write_back,
)
from assent_sagemaker.access.check import Checker
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.limiter import Limiter
from assent_sagemaker.dropped import Dropping
from assent_sagemaker.hints.looking import Looking
from assent_sagemaker.hints.receiving import Receiving
from assent_sagemaker.mapping import rules
from assent_sagemaker.mapping.rules import MappingInvalid
from assent_sagemaker.roster import Rereading, Roster
from assent_sagemaker.scheduling.scheduler import Scheduler
from assent_sagemaker.settings import Settings
from assent_sagemaker.sources import Source, SourcesInvalid
from assent_sagemaker.writing import WriteBackDuty

NAME = "sagemaker-connector"
PORT = 8083
DESCRIPTION = """\
Reads SageMaker's model registries, tells of every change as an event on `assent.registry.v1`, and writes decisions
back.

A source is read whole at first, by new settings or a new release of the connector, every `reconcile_interval` and when
asked for; in between it is polled for changes. What two complete readings in a row lack is removed."""


def main() -> None:
    settings = Settings()
    load = partial(
        sources.load,
        settings.sources,
        own_region=sources.own_region(os.environ, get_session().get_config_variable("region")),
        write_back=settings.write_back,
    )
    try:
        if settings.mapping is not None:
            rules.use(rules.load(settings.mapping))
        roster = Roster(load())
    except (MappingInvalid, SourcesInvalid) as error:
        sys.exit(f"sagemaker-connector: {error}")
    service.start(serve(settings, roster, load))


async def serve(settings: Settings, roster: Roster, load: Callable[[], list[Source]]) -> None:
    """Until SIGTERM."""
    made = service.runtime(NAME, settings)
    async with Clients(made.clock) as clients:
        await service.run(made, parts(made, settings, roster, load, clients), port=PORT)


def parts(
    made: Runtime, settings: Settings, roster: Roster, load: Callable[[], list[Source]], clients: Clients
) -> Parts:
    limiter = Limiter()
    scheduler = Scheduler(
        roster,
        lambda source: Account.of(source, clients, limiter),
        *(made.database, made.health, made.clock),
        syncs_at_once=settings.syncs_at_once,
    )
    writer = WriteBackDuty(
        *(scheduler.holdings, made.database, made.health, made.clock), review_url=settings.review_url
    )
    dropping = Dropping(roster, made.database, made.health, made.clock, keep=settings.keep_dropped_sources)
    duties: dict[str, Duty] = {
        "sources": scheduler.run,
        "dropped-sources": dropping.run,
        "reports": outstanding_reports.backlog(scheduler.holdings, made.database, made.clock).run,
        "training-jobs": outstanding_jobs.backlog(scheduler.holdings, roster, made.database, made.clock).run,
        "lineage": outstanding_lineages.backlog(scheduler.holdings, made.database, made.clock).run,
        "write-back": writer.run,
    }
    if settings.sources is not None:
        duties["sources-file"] = Rereading(settings.sources, load, roster, made.health).run
    looking = Looking(scheduler.holdings, made.database, made.clock)
    duties["hints"] = looking.run
    duties["events"] = Receiving(
        roster,
        lambda source: Account.of(source, clients, limiter),
        *(made.database, made.health, made.clock),
        told=looking.told.set,
    ).run
    consumer = Consumer(
        made.settings,
        made.database,
        made.health,
        group=CONNECTOR,
        topics=[GOVERNANCE],
        apply=partial(write_back.apply, review_url=settings.review_url),
        service_version=service.VERSION,
    )
    duties["candidacies"] = consumer.run
    return Parts(
        title="Assent: sagemaker-connector",
        description=DESCRIPTION,
        package="assent_sagemaker",
        routers=[
            *routes.routers(
                made.database,
                roster,
                scheduler.wake,
                Checker(made.database, clients, limiter).check,
            ),
            audit_log.routes,
        ],
        publishes=[REGISTRY],
        duties=duties,
        reconcile=restored.reconcile,
    )


if __name__ == "__main__":
    main()
