"""`python -m assent_local.simulator`: the simulator in a process of its own."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from assent_local.simulator.faults import Faults
from assent_local.simulator.server import running


def main(
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON when ready.")] = False,
    company: Annotated[bool, typer.Option("--company", help="With the demo company, if the state is empty.")] = False,
    state: Annotated[Path | None, typer.Option(help="The file that keeps everything.")] = None,
    events_queue: Annotated[str | None, typer.Option(help="The SQS queue that state changes are sent to.")] = None,
    latency_ms: Annotated[float, typer.Option(min=0)] = 0,
    jitter_ms: Annotated[float, typer.Option(min=0)] = 0,
    throttle: Annotated[float, typer.Option(min=0, max=1, help="How often any call is throttled.")] = 0,
    errors: Annotated[float, typer.Option(min=0, max=1, help="How often any call ends in HTTP 500.")] = 0,
    search_lag_s: Annotated[float, typer.Option(min=0)] = 0,
) -> None:
    """Serve a simulated SageMaker, with S3, SQS and STS beside it, on one port of 127.0.0.1."""
    faults = Faults(
        latency_ms=latency_ms,
        jitter_ms=jitter_ms,
        throttle={"*": throttle},
        errors={"*": errors},
        search_lag_s=search_lag_s,
    )

    async def serve() -> None:
        stop = asyncio.Event()
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, stop.set)
        async with running(
            port=port, company=company, state=state, faults=faults, events_queue=events_queue
        ) as simulator:
            ready = json.dumps({"ready": True, "url": simulator.url})
            typer.echo(ready if as_json else f"SageMaker is simulated at {simulator.url}")
            await stop.wait()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


if __name__ == "__main__":
    typer.run(main)
