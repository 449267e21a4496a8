"""`assent gate`: ask whether something may be deployed, and check an answer that was handed on."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from assent_common import gate_answers, http_client
from assent_common.clock import SystemClock
from assent_common.gate_answers import NoPermission
from assent_common.signing import BadSignature, trusted
from rich.console import Console
from typer.core import TyperGroup

from assent_local.exits import Exit


class AskUnlessTold(TyperGroup):
    """`assent gate ARN` asks; only another command's name means that."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["ask", *args]
        return super().parse_args(ctx, args)


async def ask(
    out: Console,
    err: Console,
    url: str,
    token: str,
    question: Mapping[str, str | None],
    *,
    save: Callable[[str], object],
    as_json: bool,
) -> Exit:
    """Whoever does not answer, or not with an answer, has not given a permission. `save` gets the signed answer."""
    try:
        async with http_client.create() as client:
            answer = await client.post(
                f"{url.rstrip('/')}/v1/gate",
                json={name: value for name, value in question.items() if value is not None},
                headers={"Authorization": f"Bearer {token}"},
            )
        verdict = answer.json() if answer.status_code == 200 else None
    except (httpx.HTTPError, ValueError) as error:
        err.print(f"the gate does not answer ({error!r}); that is no permission", markup=False, style="red")
        return Exit.UNAVAILABLE
    if not isinstance(verdict, dict) or not isinstance(verdict.get("allow"), bool):
        said = answer.text[:500]
        err.print(f"the gate answers {answer.status_code}: {said}", markup=False, style="red", soft_wrap=True)
        return Exit.UNAVAILABLE
    if verdict.get("signed"):
        save(verdict["signed"])
    if as_json:
        print(json.dumps(verdict))  # noqa: T201 - for programs
    else:
        _show(out, verdict)
    return Exit.OK if verdict["allow"] else Exit.NOT_ALLOWED


def verify(out: Console, err: Console, signed: str, keys: Sequence[str], expected: Mapping[str, str]) -> Exit:
    """Raises ValueError for keys that are none."""
    token = signed if signed.count(".") == 2 and not Path(signed).exists() else Path(signed).read_text()
    try:
        claims = gate_answers.check(token.strip(), trusted(keys), expected, SystemClock().now())
    except (NoPermission, BadSignature) as error:
        err.print(str(error), markup=False, style="red", soft_wrap=True)
        return Exit.NOT_ALLOWED
    out.print(f"allow: {claims['model_version']}", markup=False, soft_wrap=True)
    return Exit.OK


def _show(out: Console, verdict: Mapping[str, object]) -> None:
    where = f" in {verdict['environment']}" if verdict.get("environment") else ""
    out.print("[green]allow[/]" if verdict["allow"] else "[red]deny[/]", end="")
    out.print(where, markup=False)
    for member, mark in (("reasons", " "), ("what_to_do", "→")):
        lines = verdict.get(member)
        for line in lines if isinstance(lines, list) else []:
            out.print(f"  {mark} {line}" if mark != " " else f"  {line}", markup=False, soft_wrap=True)
