"""The three services' apps, as their processes build them, but with roles for tokens: `Bearer legal` is of legal."""

from assent_catalog.main import ROUTERS as CATALOG
from assent_catalog.main import state as catalog_state
from assent_catalog.use_cases.custom import CustomFields
from assent_common.clock import Clock
from assent_common.database import Database
from assent_common.health import Health
from assent_common.http import app as http_app
from assent_common.http import audit_log
from assent_common.http.problems import Unauthenticated
from assent_common.identity.roles import Principal, Role
from assent_sagemaker import routes as connector
from assent_sagemaker.access.check import Checker
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.limiter import Limiter
from assent_sagemaker.sources import Source
from assent_workflow.main import ROUTERS as WORKFLOW
from fastapi import APIRouter, FastAPI

PACKAGES = {"catalog-api": "assent_catalog", "workflow": "assent_workflow", "sagemaker-connector": "assent_sagemaker"}


def app(name: str, database: Database, clock: Clock) -> FastAPI:
    return http_app.build(
        title=name,
        version="0",
        description="",
        routers=_routers(name, database),
        database=database,
        health=Health(clock),
        authenticate=_authenticate,
        state=catalog_state(CustomFields()) if name == "catalog-api" else {},
        requests_a_minute=10_000_000,
    )


async def _authenticate(token: str) -> Principal:
    if token not in {role.value for role in Role}:
        raise Unauthenticated("no such role")
    return Principal("https://issuer", "somebody", frozenset({Role(token)}))


def _routers(name: str, database: Database) -> list[APIRouter]:
    match name:
        case "catalog-api":
            return list(CATALOG)
        case "workflow":
            return list(WORKFLOW)
    sources = {"prod-eu": Source(name="prod-eu", region="eu-central-1")}
    checker = Checker(database, Clients(database.clock), Limiter())
    return [*connector.routers(database, sources, lambda _: None, checker.check), audit_log.routes]
