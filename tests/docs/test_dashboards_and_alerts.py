"""What is watched is there to be watched, and whoever is woken finds out what to do."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer.main
import yaml
from assent_common import migrations
from assent_common.clock import SystemClock
from assent_common.database import Database
from assent_local.cli import app

from deploy.grafana import generate as dashboards
from docs.generate import SERVICES
from tests.contract.test_access import ALLOWED
from tests.docs.snippets import REPOSITORY, of
from tests.support import metrics, promql

RUNBOOKS = REPOSITORY / "docs/runbooks"
PAGES = sorted(page for page in RUNBOOKS.glob("*.md") if page.name != "README.md")
SECTIONS = ["What it means", "How to see it", "What to do"]
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((REPOSITORY / "deploy/prometheus/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
QUERIES = [*dashboards.queries(), *((rule["alert"], rule["expr"]) for rule in RULES)]
LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
QUERY = re.compile(r"psql -d assent_(\w+) -c \"([^\"]*)\"")
PATH = re.compile(r"(GET|POST)? ?(/v1/[^\s\"`?,]*)")


def test_the_dashboards_are_what_make_docs_writes() -> None:
    made = dashboards.files()
    assert len(made) == 5
    assert set(dashboards.FOLDER.iterdir()) == set(made)
    for file, text in made.items():
        assert file.read_text() == text, f"{file.name} is not current: make docs"


def test_there_is_something_to_look_at() -> None:
    assert len(QUERIES) >= 80
    assert len(RULES) >= 15
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(("where", "expr"), QUERIES, ids=[where for where, _ in QUERIES])
def test_a_query_is_promql_over_metrics_and_labels_that_the_services_have(where: str, expr: str) -> None:
    told = metrics.told()
    asked = promql.asked(expr)
    assert asked
    for metric, labels in asked:
        assert metric in told, f"{where}: no service has {metric}"
        services, known = told[metric]
        assert labels <= known, f"{where}: {metric} has no {sorted(labels - known)}"
        for service in re.findall(r'job="([^"]+)"', expr):
            assert service in services, f"{where}: {service} has no {metric}"


def test_a_legend_names_only_labels_that_are_left() -> None:
    seen = 0
    for dashboard in dashboards.ALL:
        for panel in dashboard.panels:
            for query in panel.queries:
                left = frozenset().union(*(labels for _, labels in promql.asked(query.expr)))
                assert set(LABEL.findall(query.legend)) <= left, f"{dashboard.title}, {panel.title}"
                seen += len(LABEL.findall(query.legend))
    assert seen > 30


def test_panels_neither_overlap_nor_stick_out() -> None:
    for file in dashboards.files():
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(file.read_text())["panels"]:
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            assert not cells & taken, f"{file.name}: {panel['title']}"
            assert max(x for x, _ in cells) < dashboards.COLUMNS
            taken |= cells
        assert taken


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    assert REPOSITORY / rule["annotations"]["runbook_url"] == RUNBOOKS / f"{rule['alert']}.md"
    left = frozenset().union(*(labels for _, labels in promql.asked(rule["expr"])))
    named = re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])
    assert set(named) <= left | metrics.OF_THE_SCRAPE


def test_each_alert_has_its_runbook_and_no_runbook_is_left_over() -> None:
    assert {page.stem for page in PAGES} == {rule["alert"] for rule in RULES}
    index = (RUNBOOKS / "README.md").read_text()
    assert [page.name for page in PAGES if f"]({page.name})" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_says_what_it_means_how_to_see_it_and_what_to_do(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert of(page), "nothing to type"


def test_the_commands_of_the_runbooks_are_commands() -> None:
    """Those of ours, down to their options; prose in backticks counts, too."""
    seen = set()
    for page in [*PAGES, RUNBOOKS / "README.md"]:
        text = page.read_text()
        lines = [line for snippet in of(page) for line in snippet.text.splitlines()]
        lines += re.findall(r"`(assent [^`\n]*)`", text)
        for line in lines:
            if line.startswith("assent "):
                seen.add(_command(line, page.name))
    assert {"doctor", "sources test", "dlq redrive", "audit verify", "sync"} <= seen


def test_the_paths_of_the_runbooks_are_routes() -> None:
    routes = {route for table in ALLOWED.values() for route in table}
    taken = [re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route.split(" ")[1]))) for route in routes]
    seen = 0
    for page in PAGES:
        for _, path in PATH.findall(page.read_text()):
            assert any(pattern.fullmatch(path.rstrip(".")) for pattern in taken), f"{page.name}: {path}"
            seen += 1
    assert seen >= 10


async def test_the_sql_of_the_runbooks_runs(database_url: str, database_plain_url: str) -> None:
    """Each against a database that has the tables of all services, or of the one that it names."""
    asked = [(service, sql, page.name) for page in PAGES for service, sql in QUERY.findall(page.read_text())]
    assert len(asked) >= 3
    services = {service.replace("-", "_"): package for service, package in SERVICES.items()}
    database = Database(database_url, service="tests", clock=SystemClock())
    await migrations.upgrade(database, services["workflow"])
    await database.close()
    connection = await asyncpg.connect(database_plain_url)
    try:
        for service, sql, page in asked:
            assert service in services, page
            await connection.fetch(" ".join(sql.split()))
    finally:
        await connection.close()


def _command(line: str, page: str) -> str:
    """The command's name. Every word before the first argument is a command, and every option one that it has."""
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    name = []
    while hasattr(command, "commands"):
        assert words, f"{page}: {line} is no whole command"
        assert words[0] in command.commands, f"{page}: {line}"
        command = command.commands[words[0]]
        name.append(words.pop(0))
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options, f"{page}: {line}"
    return " ".join(name)
