"""What a service answers to its typed client, on the command line."""

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from assent_client import Refused, Unreachable
from rich.console import Console

from assent_local.exits import Exit

Client = TypeVar("Client")


async def asked_of(
    err: Console, service: str, opened: AbstractAsyncContextManager[Client], ask: Callable[[Client], Awaitable[None]]
) -> Exit:
    """What became of it, said in words where it was not done."""
    try:
        async with opened as client:
            await ask(client)
    except Unreachable as error:
        err.print(f"the {service} does not answer ({error})", markup=False, style="red")
        return Exit.UNAVAILABLE
    except Refused as error:
        faults = [f"{fault['pointer']}: {fault['detail']}" for fault in error.errors]
        err.print("\n".join([f"the {service} answers {error}", *faults]), markup=False, style="red")
        if error.status >= 500:
            return Exit.UNAVAILABLE
        return Exit.NOT_ALLOWED if error.status in (401, 403) else Exit.FAILED
    return Exit.OK


def show(out: Console, each: Mapping[str, Any], line: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(each))  # noqa: T201 - for programs
    else:
        out.print(line, markup=False, soft_wrap=True)
