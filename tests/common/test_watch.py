"""Whoever lacks something asks the connector for it, and shows it a token that is good."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from assent_common import census, http_client
from assent_common.clock import FrozenClock
from assent_common.database import Database
from assent_common.health import Health
from assent_common.identity import service_token
from assent_common.identity.service_token import Fetched, Fixed
from assent_common.settings import Settings
from fastapi import FastAPI, Request, Response
from pydantic import SecretStr

from libs.common.tests.identity.token_endpoint import TokenEndpoint
from tests.common import world
from tests.support.served import served
from tests.support.wait import until

NOTHING = "select 'nobody' as source, 'model' as kind, 0::bigint as live, 0::bigint as sequences where false"


class Asked(NamedTuple):
    path: str
    token: str | None


class Connector:
    """As far as it is asked for a replay."""

    def __init__(self, *statuses: int) -> None:
        self.asked: list[Asked] = []
        self._statuses = list(statuses)

    def app(self) -> FastAPI:
        app = FastAPI()
        app.add_api_route("/v1/sources/{name}/replay", self._replay, methods=["POST"])
        return app

    async def _replay(self, name: str, request: Request) -> Response:
        self.asked.append(Asked(request.url.path, request.headers.get("authorization")))
        return Response(status_code=self._statuses.pop(0))


@pytest.fixture
async def held(store: Database) -> Database:
    """That knows what sources say they have, and holds nothing of it."""
    async with store.connection() as connection:
        await connection.execute(census.TABLE_V1)
    return store


async def _announce(store: Database, *sources: str) -> None:
    async with store.connection() as connection:
        for source in sources:
            await connection.execute("insert into source_census values ($1, 'model', 1, 3, 3)", source)


async def test_what_is_lacking_is_asked_for_once_by_a_token_for_good(held: Database) -> None:
    connector = Connector(202)
    await _announce(held, "prod eu")
    async with served(connector.app()) as url, http_client.create() as http:
        watch = census.Watch(held, http, held=NOTHING, connector_url=url, token=Fixed("for good"), look_every_s=0.05)
        async with world.running(watch.run):
            await until(lambda: len(connector.asked) == 1, within_s=30)
    assert connector.asked == [Asked("/v1/sources/prod eu/replay", "Bearer for good")]


async def test_a_token_that_the_connector_does_not_take_is_replaced_and_without_one_nobody_is_asked(
    held: Database, settings: Settings
) -> None:
    connector, clock = Connector(401), FrozenClock(datetime(2026, 6, 1, tzinfo=UTC))
    async with (
        TokenEndpoint("assent", "swordfish", clock=clock).listening() as issuer,
        served(connector.app()) as url,
        http_client.create() as http,
    ):
        own = {
            "oidc_issuer": issuer.url,
            "service_client_id": "assent",
            "service_client_secret": SecretStr("swordfish"),
        }
        token = service_token.of(settings.model_copy(update=own), http, health=Health(clock), clock=clock)
        assert isinstance(token, Fetched)
        shown = await token.shown()
        clock.advance(timedelta(seconds=31))
        await _announce(held, "prod")
        watch = census.Watch(held, http, held=NOTHING, connector_url=url, token=token, look_every_s=0.05)
        async with world.running(watch.run):
            await until(lambda: len(connector.asked) == 1, within_s=30)
        assert connector.asked == [Asked("/v1/sources/prod/replay", f"Bearer {shown}")]
        await token.look()
        assert len(issuer.asked) == 2, "another was fetched at once"

        issuer.secret = "another"
        clock.advance(timedelta(minutes=10))
        await _announce(held, "prod-us")
        tried = len(issuer.asked)
        watch = census.Watch(held, http, held=NOTHING, connector_url=url, token=token, look_every_s=0.05)
        async with world.running(watch.run):
            await until(lambda: len(issuer.asked) > tried, within_s=30)
        assert len(connector.asked) == 1
