"""MLflow's registry server beside us: the same names, versions and descriptions on the same Postgres, asked alike.

Nothing that the project depends on: where there is no `mlflow` (on the path, or by `--mlflow`) it is left out, with a
a word. Its rows are written by SQL into the tables that it made itself, for by its API a million takes hours.
"""

import asyncio
import os
import shutil
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from urllib.parse import quote

import asyncpg
from assent_local.ports import free_port
from assent_local.postgres import Databases

from tests.bench import clients
from tests.bench.applying import NAMES
from tests.bench.report import Row, Table
from tests.support.wait import until

_NAMES = ", ".join(f"'{name}'" for name in NAMES)
_NAME = f"(array[{_NAMES}])[1 + n % 8] || '-' || n % 20000"
SEED = (
    f"""
    insert into registered_models (name, creation_time, last_updated_time)
    select distinct {_NAME}, 0, 0 from generate_series(1, $1::int) n
    """,
    f"""
    insert into model_versions (name, version, creation_time, last_updated_time, description, current_stage, source,
                                status)
    select {_NAME}, n, n, n, 'Candidate ' || n || ' of team-' || n % 300, 'None', 's3://models/' || n, 'READY'
      from generate_series(1, $1::int) n
    """,
)


async def beside_mlflow(postgres: Databases, table: Table, versions: int, seconds: float, given: str | None) -> None:
    command = given or shutil.which("mlflow")
    if command is None:
        print("no mlflow here: left out (--mlflow names one)", flush=True)  # noqa: T201 - for who waits
        return
    await postgres.create_database("mlflow")
    store = postgres.plain_url("mlflow")
    await _filled(command, store, versions)
    port = free_port()
    where = ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    server = await asyncio.create_subprocess_exec(
        *(command, "server", "--backend-store-uri", store, "--default-artifact-root", os.devnull, *where),
        # Its jobs are not asked for, and each would be a process more.
        env={
            **os.environ,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_SERVER_ALLOWED_HOSTS": "*",
        },
        stdout=DEVNULL,
        stderr=DEVNULL,
        start_new_session=True,
    )
    registry = "/api/2.0/mlflow/model-versions"
    step = max(1, versions // 500)
    one = [f"{registry}/get?name={_name(n)}&version={n}" for n in range(1, versions, step)]
    named = [quote(f"name='{_name(n)}'") for n in range(1, versions, step)]
    found = [f"{registry}/search?max_results=50&filter={each}" for each in named]

    async def answers() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        # It listens long before it answers as fast as it can.
        await clients.at_once(port, one, token="none", clients=4, seconds=2)
        return True

    try:
        await until(answers, within_s=120)
        for what, paths in (("GET by name and version", one), ("search by name, 50 at most", found)):
            load = await clients.at_once(port, paths, token="none", clients=16, seconds=seconds)
            table.add(Row(f"MLflow's server: {what}, 16 clients", str(load), "one worker, as we are one process"))
    finally:
        # Its workers are processes of their own.
        os.killpg(server.pid, 15)
        await server.wait()


async def _filled(command: str, store: str, versions: int) -> None:
    upgrade = await asyncio.create_subprocess_exec(command, "db", "upgrade", store, stdout=PIPE, stderr=STDOUT)
    told, _ = await upgrade.communicate()
    if upgrade.returncode != 0:
        raise RuntimeError(told.decode(errors="replace")[-2000:])
    connection = await asyncpg.connect(store)
    try:
        if await connection.fetchval("select count(*) from model_versions") != versions:
            for statement in SEED:
                await connection.execute(statement, versions)
            await connection.execute("vacuum analyze")
    finally:
        await connection.close()


def _name(number: int) -> str:
    return f"{NAMES[number % 8]}-{number % 20000}"
