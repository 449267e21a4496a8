"""The inventory as files: whole, of one moment, and harmless in a spreadsheet."""

import csv
import io
import json
from typing import Any

import pytest
from assent_common import ids
from assent_common.events.governance import CandidacyStatus
from assent_common.events.registry import Metric

from tests.catalog.world import URN, World, a_candidacy, a_version

FORMULAS = ["=HYPERLINK('http://evil')", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1", "＝1"]  # noqa: RUF001


async def rows(world: World, what: str = "model-versions", **params: Any) -> list[dict[str, str]]:
    answer = await world.ask("GET", f"/v1/exports/{what}", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="{what}.csv"'
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def lines(world: World, what: str = "model-versions", **params: Any) -> list[dict[str, Any]]:
    answer = await world.ask("GET", f"/v1/exports/{what}", params={"format": "jsonl", **params})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_every_version_is_a_row_and_a_line_with_its_numbers(world: World) -> None:
    other = URN.replace("/7", "/8")
    metrics = {"accuracy": Metric(value=0.5), "lift": Metric(value=2.25)}
    await world.hears(a_version(), a_version(other, version=8, metrics=metrics), a_candidacy(CandidacyStatus.ACCEPTED))
    by_urn = {row["urn"]: row for row in await rows(world)}
    assert set(by_urn) == {URN, other}
    assert (by_urn[URN]["status"], by_urn[URN]["accuracy"], by_urn[URN]["version"]) == ("accepted", "0.91", "7")
    assert by_urn[URN]["created_at"] == "2026-10-01T12:00:00.000000Z"
    assert json.loads(by_urn[other]["metrics"])["lift"]["value"] == 2.25
    told = {line["urn"]: line for line in await lines(world)}
    assert told[URN]["use_cases"] == {"retention": "accepted"}
    assert told[other]["accuracy"] == 0.5


async def test_the_filters_of_the_list_select_what_is_exported(world: World) -> None:
    await world.hears(a_version(), a_version(URN.replace("/7", "/8"), version=8, accuracy=0.5))
    assert [row["version"] for row in await rows(world, metric="accuracy>=0.9")] == ["7"]
    assert [line["version"] for line in await lines(world, metric="accuracy<0.9", framework="XGBOOST")] == [8]
    refused = await world.ask("GET", "/v1/exports/model-versions", params={"metric": "accuracy"})
    assert refused.status_code == 400


@pytest.mark.parametrize("formula", FORMULAS, ids=range(len(FORMULAS)))
async def test_no_cell_is_a_formula_and_nothing_is_lost(world: World, formula: str) -> None:
    await world.hears(a_version(description=formula))
    [row] = await rows(world)
    assert row["description"] == "'" + formula
    [line] = await lines(world)
    assert line["description"] == formula


async def test_a_negative_number_stays_a_number(world: World) -> None:
    await world.hears(a_version(metrics={"r2": Metric(value=-0.25)}))
    assert [row["r2"] for row in await rows(world)] == ["-0.25"]


async def test_what_breaks_lines_and_quotes_breaks_no_file(world: World) -> None:
    awkward = 'a "quoted", line\nand another\\n \x01 \x02 ünïcode'
    await world.hears(a_version(description=awkward))
    [row] = await rows(world)
    assert row["description"] == awkward
    [line] = await lines(world)
    assert line["description"] == awkward


async def test_use_cases_are_exported_with_their_facets_and_models(world: World) -> None:
    await world.create_use_case(facets={"legal": {"risk_class": "high"}})
    await world.hears(a_version(), a_candidacy())
    [row] = await rows(world, "use-cases")
    assert (row["key"], row["risk_class"], row["complete"]) == ("retention", "high", "false")
    [line] = await lines(world, "use-cases")
    assert line["model_versions"] == {URN: "candidate"}


async def test_a_download_that_is_broken_off_costs_no_connection(world: World) -> None:
    many = [a_version(URN.replace("/7", f"/{n}"), version=n, description="x" * 5000) for n in range(1, 400)]
    await world.hears(*many)
    for _ in range(15):
        async with world.http.stream(
            "GET", "/v1/exports/model-versions", headers={"Authorization": "Bearer v:viewer"}
        ) as answer:
            assert answer.status_code == 200
    assert len(await rows(world)) == len(many)
    assert (await world.version(many[0].urn))["id"] == str(ids.of_urn(many[0].urn))
