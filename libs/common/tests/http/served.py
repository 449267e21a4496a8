"""A service of one router, asked within this process, with a database that is not there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_common.health import Health
from assent_common.http import app as http_app
from assent_common.http.app import Authenticate
from fastapi import APIRouter


@asynccontextmanager
async def served(router: APIRouter, authenticate: Authenticate, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = http_app.build(
        title="Tests",
        version="1",
        description="",
        routers=[router],
        database=Database("postgresql+asyncpg://nobody@127.0.0.1:1/nothing", service="tests", clock=SystemClock()),
        health=Health(SystemClock()),
        authenticate=authenticate,
        **more,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tests") as client:
        yield client


def bearing(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token is not None else {}
