"""What is claimed of security names code and tests that are there."""

import re
from pathlib import Path

import pytest
import yaml
from assent_catalog import main as catalog
from assent_catalog.settings import Settings as CatalogSettings
from assent_common.identity.roles import Role
from assent_common.settings import Settings
from assent_sagemaker.settings import Settings as ConnectorSettings
from assent_workflow import main as workflow
from assent_workflow.settings import Settings as WorkflowSettings

from tests.contract.test_access import ALLOWED
from tests.docs import snippets
from tests.docs.snippets import REPOSITORY

PAGE = REPOSITORY / "docs/security/asvs.md"
ROW = re.compile(r"^\| (\d[\d.]*(?: \(all\))?) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)
ROWS = ROW.findall(PAGE.read_text())
STANDINGS = ("met", "partly", "**not met**", "yours", "does not apply")


def test_the_table_is_read_whole() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if re.match(r"\| \d", line)]
    assert len(ROWS) == len(lines) >= 90
    numbers = [row[0] for row in ROWS]
    assert len(set(numbers)) == len(numbers)


def test_it_counts_itself_right() -> None:
    standing = [row[1] for row in ROWS]
    assert set(standing) <= set(STANDINGS)
    met, partly, missed, yours, strange = (standing.count(each) for each in STANDINGS)
    told = (
        f"Of {len(ROWS)} rows {met} are met, {partly} partly, {missed} not, {yours} are yours, "
        f"and {strange} do not apply."
    )
    assert told in PAGE.read_text()


@pytest.mark.parametrize(("number", "standing", "how", "code", "tests"), ROWS, ids=[row[0] for row in ROWS])
def test_a_requirement_names_what_is_there(number: str, standing: str, how: str, code: str, tests: str) -> None:
    assert how
    files = re.findall(r"`([^`]+)`", code)
    assert [file for file in files if not (REPOSITORY / file).exists()] == []
    named = re.findall(r"`([^`:]+)::(test_\w+)`", tests)
    for file, test in named:
        assert f"def {test}(" in (REPOSITORY / file).read_text(), f"{number}: {file}::{test}"
    if standing == "met":
        assert files, f"{number} is met by nothing"


def test_what_is_not_met_is_said_in_the_threat_model_too() -> None:
    text = (PAGE.parent / "threat-model.md").read_text()
    for each in ("Spoofing", "Tampering", "Repudiation", "Information disclosure", "Denial of service", "Elevation"):
        assert f"\n## {each}" in text
    assert len(re.findall(r"^\d+\. ", text.split("## Not defended")[1], re.MULTILINE)) >= 8


def test_every_secret_among_the_settings_is_in_the_inventory() -> None:
    inventory = (PAGE.parent / "keys.md").read_text()
    models = [Settings, CatalogSettings, ConnectorSettings, WorkflowSettings]
    fields = {name: field for model in models for name, field in model.model_fields.items()}
    secret = {name for name, field in fields.items() if "SecretStr" in str(field.annotation)}
    secret |= {name for name in fields if name.endswith(("_tokens", "_sha256", "_keyfile"))}
    assert len(secret) >= 10
    # What service tokens are asked with is one of them.
    named = {f"ASSENT_{name.upper()}" for name in secret - {"service_token"}}
    assert {name for name in named if f"`{name}`" not in inventory} == set()


def test_the_rule_of_the_network_lets_out_nothing_that_it_does_not_name() -> None:
    rule = yaml.safe_load(snippets.one("docs/how-to/limit-what-services-reach.md", "yaml", "kind: NetworkPolicy"))
    spec = rule["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert len(spec["egress"]) >= 5
    assert all(way["to"] and way["ports"] for way in spec["egress"])
    assert all(way["from"] and way["ports"] for way in spec["ingress"])
    ports = {port["port"] for way in spec["egress"] for port in way["ports"]}
    # Postgres, Kafka, the connector, names, https, mail.
    assert ports == {5432, 9092, 8083, 53, 443, 587}
    assert "0.0.0.0/0" not in yaml.safe_dump(spec)


def test_what_the_page_of_access_says_of_fields_is_so() -> None:
    page = (PAGE.parent / "access.md").read_text()
    cells = re.findall(r"^\| ([\w-]+) \| `(\w+ /v1/[^`]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", page, re.MULTILINE)
    told = {(row[0], row[1]): (re.findall(r"`(\w+)`", row[2]), row[3]) for row in cells}
    taken = {}
    for service, module in (("catalog-api", catalog), ("workflow", workflow)):
        document = module.described()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                for body in operation.get("requestBody", {}).get("content", {}).values():
                    model = body["schema"].get("$ref", "").rpartition("/")[2]
                    fields = document["components"]["schemas"].get(model, {}).get("properties")
                    if fields is not None:
                        route = f"{method.upper()} {path}"
                        taken[service, route] = (list(fields), _named(frozenset(ALLOWED[service][route])))
    assert len(taken) >= 20
    assert told == taken


def _named(roles: frozenset[Role]) -> str:
    return "every role" if roles == frozenset(Role) else ", ".join(f"`{role}`" for role in sorted(roles))


def test_every_level_of_protection_says_all_that_is_asked_of_it() -> None:
    page = (PAGE.parent / "data.md").read_text()
    levels = re.findall(r"^\| \*\*(\w+)\*\* \|", page, re.MULTILINE)
    assert levels == ["secret", "confidential", "personal", "internal"]
    table = page[page.index(f"| | {' | '.join(levels)} |") :]
    asked = {
        cells[0]: cells[1:] for cells in re.findall(r"^\| ([^|]+) \|" + r" ([^|]+) \|" * 4 + "$", table, re.MULTILINE)
    }
    for each in ("read by", "changed by", "on the way", "at rest", "in events", "in the log", "kept for", "integrity"):
        assert all(asked[each]), each


def test_a_time_is_promised_for_every_severity() -> None:
    page = (REPOSITORY / "SECURITY.md").read_text()
    for severity in ("critical", "high", "medium", "low"):
        assert re.search(rf"^\| {severity}[^|]*\| \d+ days \| ", page, re.MULTILINE), severity
    links = re.findall(r"\]\(([^):]+)\)", page)
    assert len(links) == 5
    assert [link for link in links if not (REPOSITORY / link).exists()] == []


def test_settings_that_the_pages_name_are_settings() -> None:
    known = (REPOSITORY / "docs/reference/settings.md").read_text()
    pages = [*Path(PAGE.parent).glob("*.md"), *(REPOSITORY / "docs/runbooks").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"`(ASSENT_[A-Z_]+)`", page.read_text())}
    assert len(named) >= 5
    assert {name for name in named if f"`{name}`" not in known} == set()
