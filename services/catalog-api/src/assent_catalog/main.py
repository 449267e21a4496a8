"""`python -m assent_catalog.main`: the catalogue service."""

import sys
from typing import Any

from assent_common import projection, service
from assent_common.http import app as http_app
from assent_common.http import audit_log, feed
from assent_common.kafka import topics
from assent_common.service import Parts, Runtime

from assent_catalog import restored
from assent_catalog.datasets.routes import routes as datasets
from assent_catalog.deployments.routes import routes as deployments
from assent_catalog.examples import shown
from assent_catalog.exports.routes import routes as exports
from assent_catalog.finding.routes import routes as finding
from assent_catalog.lineage.routes import routes as lineage
from assent_catalog.model_versions.kept import Kept
from assent_catalog.model_versions.ranking import routes as ranking
from assent_catalog.model_versions.remembered import Remembered
from assent_catalog.model_versions.routes import routes as model_versions
from assent_catalog.models.routes import routes as models
from assent_catalog.monitors.routes import routes as monitors
from assent_catalog.projection.apply import HELD, apply
from assent_catalog.search import Searcher
from assent_catalog.settings import Settings
from assent_catalog.sources.routes import routes as sources
from assent_catalog.use_cases import custom
from assent_catalog.use_cases.bulk import routes as bulk
from assent_catalog.use_cases.custom import CustomFields, SchemaInvalid
from assent_catalog.use_cases.moving import routes as moving
from assent_catalog.use_cases.routes import routes as use_cases

PORT = 8081
#: Batches that are applied side by side, each in a transaction of its own.
LANES = 2
TITLE = "Assent catalog-api"
DESCRIPTION = "AI use cases and model versions: what exists, what it is for, how good it is, who agreed to it."
# Lineage first: an urn has slashes, so that the routes by urn take whatever follows.
ROUTERS = shown(
    (
        *(lineage, bulk, use_cases, moving, model_versions, ranking, models, datasets, deployments),
        *(monitors, finding, exports, sources),
        *(feed.routes, audit_log.routes),
    )
)


def parts(made: Runtime, custom_fields: CustomFields) -> Parts:
    return Parts(
        title=TITLE,
        description=DESCRIPTION,
        package="assent_catalog",
        routers=ROUTERS,
        publishes=[topics.CATALOG],
        duties=projection.duties(
            made,
            group=topics.CATALOG_API,
            topics=[topics.REGISTRY, topics.GOVERNANCE],
            apply=apply,
            held=HELD,
            lanes=LANES,
        ),
        reconcile=restored.reconcile,
        state=state(custom_fields),
    )


def state(custom_fields: CustomFields) -> dict[str, Any]:
    """What the routes ask of the app."""
    return {"custom_fields": custom_fields, "counts": Remembered(), "searcher": Searcher(), "kept": Kept()}


def described() -> dict[str, Any]:
    """The OpenAPI document, without a database or anything else that runs."""
    return http_app.described(title=TITLE, version=service.VERSION, description=DESCRIPTION, routers=ROUTERS)


def main() -> None:
    settings = Settings()
    try:
        custom_fields = custom.load(settings.use_case_schema)
    except SchemaInvalid as error:
        sys.exit(f"catalog-api: {error}")
    made = service.runtime("catalog-api", settings)
    service.start(service.run(made, parts(made, custom_fields), port=PORT))


if __name__ == "__main__":
    main()
