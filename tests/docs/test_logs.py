"""The inventory of logs has what the code writes down, and nothing else."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from assent_common.kafka import topics
from assent_common.kafka.connection import DEAD_LETTER_RETENTION_MS

from tests.docs.snippets import REPOSITORY

PAGE = (REPOSITORY / "docs/security/logs.md").read_text()
LEVELS = frozenset({"debug", "info", "warning", "error"})


def test_every_layer_says_all_that_is_asked_of_it() -> None:
    head, _, *rows = [line for line in PAGE.splitlines() if line.startswith("| ")][:17]
    assert [cell.strip() for cell in head.strip("|").split("|")] == [
        *("layer", "what", "format", "where", "used for", "read by", "kept")
    ]
    layers = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert len(layers) == 15
    assert [layer[0] for layer in layers if len(layer) != 7] == []
    ours = [layer for layer in layers if layer[3] != "yours"]
    assert len(ours) >= 9
    assert [layer[0] for layer in ours if "" in layer] == []


def test_every_line_that_a_service_writes_is_in_the_table_and_no_other() -> None:
    table = PAGE.split("## The lines of the services")[1].split("\n## ")[0]
    told = {
        name
        for row in table.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`([a-z_]+)`", row.split(" | ")[0])
    }
    written = {event for file in _sources() for event in _events(file)}
    assert len(written) > 60
    assert written ^ told == set()


def test_every_action_of_an_audit_log_is_in_the_table_and_no_other() -> None:
    table = PAGE.split("## The actions of the audit logs")[1].split("\n## ")[0]
    told = set(re.findall(r"`([a-z_.…]+)`", table))
    written = {action for file in _sources() for action in _actions(file)}
    assert len(written) > 40
    families = {name.removesuffix("…") for name in told if name.endswith("…")}
    assert {name for name in written if name not in told and not name.startswith(tuple(families))} == set()
    assert {name for name in told if not name.endswith("…")} - written - {"step.candidate"} == set()


def test_how_long_something_is_kept_is_what_the_code_says() -> None:
    assert DEAD_LETTER_RETENTION_MS == 90 * 24 * 3600 * 1000
    for file, days in (("sagemaker-connector/src/assent_sagemaker/runs.py", 30),):
        assert f"interval '{days} days'" in (REPOSITORY / "services" / file).read_text()
    queue = (REPOSITORY / "services/workflow/src/assent_workflow/outgoing/queue.py").read_text()
    assert "interval '30 days'" in queue
    assert topics.AUDIT.for_ever


def _sources() -> Iterator[Path]:
    for part in ("libs/common", "services"):
        yield from (REPOSITORY / part).rglob("src/**/*.py")


def _events(file: Path) -> Iterator[str]:
    """Constants that a logger is given first, also where one of two is."""
    text = file.read_text()
    for call in _calls(text) if "telemetry" in text or "structlog" in text else ():
        if _is_a_line(call):
            said = call.args[-1] if ast.unparse(call.func) == "_ended" else call.args[0]
            yield from (
                node.value for node in ast.walk(said) if isinstance(node, ast.Constant) and isinstance(node.value, str)
            )


def _is_a_line(call: ast.Call) -> bool:
    if not call.args:
        return False
    if isinstance(call.func, ast.Attribute) and call.func.attr in LEVELS:
        return True
    # One of two levels, chosen before; and what is said of a client that does not end.
    return ast.unparse(call.func) in ("log", "_ended") or isinstance(call.func, ast.IfExp)


def _actions(file: Path) -> Iterator[str]:
    text = file.read_text()
    for call in _calls(text) if ".audit(" in text else ():
        if isinstance(call.func, ast.Attribute) and call.func.attr == "audit" and len(call.args) >= 3:
            action = call.args[1]
            if isinstance(action, ast.Constant):
                yield str(action.value)


def _calls(text: str) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
