"""`assent sources`: how reading goes, and what a source's role may do."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assent_local.connector import Connector
from assent_local.exits import Exit

_TESTED_WITHIN_S = 90
_SIGNS = {"works": "[green]✓[/]", "missing": "[red]✗[/]", "unknown": "[yellow]?[/]"}
_FENCE = {
    "yes": "[green]the fence stands[/]",
    "no": "[red]the fence does not stand[/]",
    "unknown": "[yellow]whether the fence stands cannot be told[/]",
}


async def show(out: Console, connector: Connector, *, failing: bool | None, q: str | None, as_json: bool) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("source", no_wrap=True)
    table.add_column("plan", no_wrap=True)
    table.add_column("fresh", justify="right", no_wrap=True)
    table.add_column("live", justify="right", no_wrap=True)
    table.add_column("last error")
    async for source in connector.everything("/v1/sources", limit=200, failing=failing, q=q):
        if as_json:
            print(json.dumps(source))  # noqa: T201
            continue
        table.add_row(
            escape(source["name"]),
            source["plan"] or "not read yet",
            _age(source["freshness_s"]),
            str(sum(source["live"].values())),
            escape(source["last_error"] or ""),
        )
    if not as_json:
        out.print(table)


async def test(out: Console, connector: Connector, name: str, *, as_json: bool) -> Exit:
    """Every permission on a line, with what to add where one is missing; and whether the fence stands."""
    access = await connector.post(f"/v1/sources/{quote(name, safe='')}/test", within_s=_TESTED_WITHIN_S)
    if as_json:
        print(json.dumps(access))  # noqa: T201
    else:
        _tell(out, access)
    if access["works"]:
        return Exit.OK
    return Exit.UNAVAILABLE if access["unavailable"] else Exit.FAILED


def _tell(out: Console, access: Mapping[str, Any]) -> None:
    out.print(f"[bold]{escape(access['source'])}[/] is read as {escape(access['principal'] or 'nobody')}\n")
    for each in access["permissions"]:
        optional = "" if each["needed"] else " [dim](there is a way around)[/]"
        action, tried = escape(each["action"]), escape(each["tried_on"])
        out.print(f"{_SIGNS[each['verdict']]} [bold]{action}[/] on {tried}: {escape(each['needed_for'])}{optional}")
        if each["why"]:
            out.print(f"    [dim]{escape(each['why'])}[/]")
    for warning in access["warnings"]:
        out.print(f"[yellow]![/] {escape(warning)}")
    statements = _distinct(each["statement"] for each in access["permissions"] if each["statement"])
    if statements:
        out.print("\nAdd to the role's policy:\n")
        out.print(json.dumps(statements, indent=2), markup=False, soft_wrap=True)
    out.print(f"\n{_FENCE[access['fence']['stands']]}")
    for words in access["fence"]["checked"]:
        out.print(f"  {escape(words)}")


def _distinct(statements: Any) -> list[Any]:
    return list({json.dumps(each, sort_keys=True): each for each in statements}.values())


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
