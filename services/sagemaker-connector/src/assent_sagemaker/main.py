"""The sagemaker-connector: `python -m assent_sagemaker.main`."""

import os
import sys
from functools import partial

from assent_common import service
from assent_common.http import audit_log
from assent_common.kafka.consumer import Consumer
from assent_common.kafka.topics import CONNECTOR, GOVERNANCE, REGISTRY
from assent_common.service import Parts, Runtime
from assent_common.supervise import Duty
from botocore.session import get_session

from assent_sagemaker import routes, sources, write_back
from assent_sagemaker.access.check import Checker
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.limiter import Limiter
from assent_sagemaker.settings import Settings
from assent_sagemaker.sources import Source, SourcesInvalid
from assent_sagemaker.sync.duty import SourceDuty
from assent_sagemaker.writer import Holding
from assent_sagemaker.writing import WriteBackDuty

NAME = "sagemaker-connector"
PORT = 8083
DESCRIPTION = """\
Reads SageMaker's model registries, tells of every change as an event on `assent.registry.v1`, and writes decisions
back.

A source is read whole when the connector starts, every `reconcile_interval` and when asked for; in between it is polled
for changes. What two complete readings in a row lack is removed."""


def main() -> None:
    settings = Settings()
    try:
        configured = sources.load(
            settings.sources,
            own_region=sources.own_region(os.environ, get_session().get_config_variable("region")),
            write_back=settings.write_back,
        )
    except SourcesInvalid as error:
        sys.exit(f"sagemaker-connector: {error}")
    service.start(serve(settings, configured))


async def serve(settings: Settings, configured: list[Source]) -> None:
    """Until SIGTERM."""
    made = service.runtime(NAME, settings)
    async with Clients(made.clock) as clients:
        await service.run(made, parts(made, configured, clients, review_url=settings.review_url), port=PORT)


def parts(made: Runtime, configured: list[Source], clients: Clients, *, review_url: str | None = None) -> Parts:
    limiter = Limiter()
    duties: dict[str, Duty] = {}
    readers: dict[str, SourceDuty] = {}
    accounts: dict[str, Account] = {}
    for source in configured:
        account = Account.of(source, clients, limiter)
        reader = SourceDuty(source, account, made.database, made.health, made.clock)
        readers[source.name] = reader
        duties[reader.name] = reader.run
        accounts[source.name] = account

    def held() -> list[Holding]:
        readings = [(reader.source, accounts[name], reader.holding) for name, reader in readers.items()]
        return [Holding(source, account, holding) for source, account, holding in readings if holding]

    writer = WriteBackDuty(held, made.database, made.health, made.clock, review_url=review_url)
    duties["write-back"] = writer.run
    consumer = Consumer(
        made.settings,
        made.database,
        made.health,
        group=CONNECTOR,
        topics=[GOVERNANCE],
        apply=partial(write_back.apply, review_url=review_url),
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
                {source.name: source for source in configured},
                lambda name: readers[name].wanted.set(),
                Checker(made.database, clients, limiter).check,
            ),
            audit_log.routes,
        ],
        publishes=[REGISTRY],
        duties=duties,
    )


if __name__ == "__main__":
    main()
