"""`assent review`: what is said of a review, what it rests on, and what another system is asked about it again."""

import hashlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assent_client import Workflow
from assent_client.workflow_types import EvidenceIn
from rich.console import Console

from assent_local.answers import show


async def show_comments(out: Console, client: Workflow, review: str, *, as_json: bool) -> None:
    """The thread, the oldest first."""
    async for each in client.each_comments(review):
        show(out, each, _said(each), as_json=as_json)


async def comment(out: Console, client: Workflow, review: str, body: str, *, task: str | None, as_json: bool) -> None:
    made = await client.create_comment(review, {"body": body, "task": task})
    show(out, made.body, f"said, as {made.body['id']}", as_json=as_json)


async def show_evidence(out: Console, client: Workflow, review: str, *, as_json: bool) -> None:
    """All of it, the oldest first."""
    for each in (await client.list_evidence(review)).body["items"]:
        line = f"{each['attached_at'][:16]} {each['attached_by']}: {each['name']} {each['uri']} sha256:{each['sha256']}"
        show(out, each, line, as_json=as_json)


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
    show(out, made.body, f"attached, as {made.body['id']}, with sha256 {given['sha256']}", as_json=as_json)


async def ask_again(out: Console, client: Workflow, review: str, check: str, *, as_json: bool) -> None:
    asked = await client.ask_check_again(review, check)
    show(out, asked.body, f"{check} is asked again", as_json=as_json)


def digest_of(file: Path) -> str:
    """In hex, whatever its size."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _said(each: Mapping[str, Any]) -> str:
    verdict = f" ({each['verdict'].replace('_', ' ')})" if each["verdict"] else ""
    return f"{each['added_at'][:16]} {each['author']}{verdict}: {each['body']}"
