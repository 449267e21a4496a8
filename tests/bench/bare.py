"""The least that an answer can cost: FastAPI, asyncpg, one statement. `python -m tests.bench.bare PORT`."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import uvicorn
from fastapi import FastAPI, Request, Response


@asynccontextmanager
async def connected(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["ASSENT_DATABASE_URL"], min_size=10, max_size=10) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=connected)


@app.get("/v1/model-versions/{id}")
async def read(id: str, request: Request) -> Response:
    text = await request.app.state.pool.fetchval("select record::text from model_versions where id = $1", id)
    return Response(text, media_type="application/json")


@app.get("/v1/model-versions")
async def listed(request: Request) -> Response:
    text = await request.app.state.pool.fetchval(
        """
        select json_agg(v)::text from (select id, urn, name, version, status, record->'metrics' as metrics
                                         from model_versions order by created_at desc, id desc limit 100) v
        """
    )
    return Response(text, media_type="application/json")


@app.post("/v1/gate")
async def asked(question: dict[str, str], request: Request) -> dict[str, bool]:
    status = await request.app.state.pool.fetchval(
        "select status from candidacies where model_version = $1 and use_case = $2",
        *(question["model_version"], question["use_case"]),
    )
    return {"allow": status == "accepted"}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_config=None)
