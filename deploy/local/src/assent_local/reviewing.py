"""`assent review`: what is said of a review, what it rests on, and what another system is asked about it again."""

import hashlib
import json
import mimetypes
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

from assent_client import Refused, Unreachable, Workflow, workflow
from assent_client.workflow_types import EvidenceIn
from rich.console import Console

from assent_local.exits import Exit

AT_ONCE = 1 << 20
Client = TypeVar("Client")


async def spoken_to(err: Console, url: str, token: str, ask: Callable[[Workflow], Awaitable[None]]) -> Exit:
    """What became of it, said in words where it was not done."""
    return await asked_of(err, "workflow", workflow(url, token=token), ask)


async def asked_of(
    err: Console, service: str, opened: AbstractAsyncContextManager[Client], ask: Callable[[Client], Awaitable[None]]
) -> Exit:
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


async def show_comments(out: Console, client: Workflow, review: str, *, as_json: bool) -> None:
    """The thread, the oldest first."""
    async for each in client.each_comments(review):
        _show(out, each, _said(each), as_json=as_json)


async def comment(out: Console, client: Workflow, review: str, body: str, *, task: str | None, as_json: bool) -> None:
    made = await client.create_comment(review, {"body": body, "task": task})
    _show(out, made.body, f"said, as {made.body['id']}", as_json=as_json)


async def show_evidence(out: Console, client: Workflow, review: str, *, as_json: bool) -> None:
    """All of it, the oldest first."""
    for each in (await client.list_evidence(review)).body["items"]:
        line = f"{each['attached_at'][:16]} {each['attached_by']}: {each['name']} {each['uri']} sha256:{each['sha256']}"
        _show(out, each, line, as_json=as_json)


def evidence(
    uri: str, *, file: Path | None, sha256: str | None, name: str | None, media_type: str | None, note: str | None
) -> EvidenceIn:
    """With what the file here says of itself, where it is not told."""
    last = uri.partition("?")[0].rstrip("/").rpartition("/")[2] or uri
    digest = digest_of(file) if file is not None else sha256
    assert digest is not None
    kind = media_type or mimetypes.guess_type(file.name if file is not None else last)[0] or "application/octet-stream"
    return {"name": name or last, "uri": uri, "sha256": digest, "media_type": kind, "note": note}


async def attach(out: Console, client: Workflow, review: str, given: EvidenceIn, *, as_json: bool) -> None:
    made = await client.attach_evidence(review, given)
    _show(out, made.body, f"attached, as {made.body['id']}, with sha256 {given['sha256']}", as_json=as_json)


async def ask_again(out: Console, client: Workflow, review: str, check: str, *, as_json: bool) -> None:
    asked = await client.ask_check_again(review, check)
    _show(out, asked.body, f"{check} is asked again", as_json=as_json)


def digest_of(file: Path) -> str:
    """In hex, whatever its size."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(AT_ONCE):
            digest.update(chunk)
    return digest.hexdigest()


def _said(each: Mapping[str, Any]) -> str:
    verdict = f" ({each['verdict'].replace('_', ' ')})" if each["verdict"] else ""
    return f"{each['added_at'][:16]} {each['author']}{verdict}: {each['body']}"


def _show(out: Console, each: Mapping[str, Any], line: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(each))  # noqa: T201 - for programs
    else:
        out.print(line, markup=False, soft_wrap=True)
