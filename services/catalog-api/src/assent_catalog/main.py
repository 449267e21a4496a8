"""`python -m assent_catalog.main`: the catalogue service."""

import asyncio

from assent_common import service
from assent_common.census import Watch
from assent_common.http import audit_log
from assent_common.kafka import topics
from assent_common.kafka.consumer import Consumer
from assent_common.service import VERSION, Parts, Runtime
from assent_common.settings import Settings

from assent_catalog.deployments.routes import routes as deployments
from assent_catalog.model_versions.routes import routes as model_versions
from assent_catalog.models.routes import routes as models
from assent_catalog.projection.apply import HELD, apply
from assent_catalog.sources.routes import routes as sources
from assent_catalog.use_cases.routes import routes as use_cases

PORT = 8081
ROUTERS = (use_cases, model_versions, models, deployments, sources, audit_log.routes)


def parts(made: Runtime) -> Parts:
    settings = made.settings
    consumer = Consumer(
        settings,
        made.database,
        made.health,
        group=topics.CATALOG_API,
        topics=[topics.REGISTRY, topics.GOVERNANCE],
        apply=apply,
        service_version=VERSION,
    )
    duties = {"consumer": consumer.run}
    if settings.service_token is not None:
        watch = Watch(
            made.database,
            made.client,
            held=HELD,
            connector_url=settings.connector_url,
            token=settings.service_token.get_secret_value(),
        )
        duties["census"] = watch.run
    return Parts(
        title="Assent catalog-api",
        description="AI use cases and model versions: what exists, what it is for, how good it is, who agreed to it.",
        package="assent_catalog",
        routers=ROUTERS,
        publishes=[topics.CATALOG],
        duties=duties,
    )


def main() -> None:
    made = service.runtime("catalog-api", Settings())
    asyncio.run(service.run(made, parts(made), port=PORT))


if __name__ == "__main__":
    main()
