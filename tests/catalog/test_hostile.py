"""Whatever comes in is refused by a 4xx that changes nothing, or is only text."""

import asyncio
from typing import Any

import pytest

from tests.catalog.world import World

DEEP = b"[" * 500 + b"]" * 500


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"key": "a", "name": "' + b"x" * 1_000_000 + b'"}', 413),
        (b'{"key": "a", "name": "' + b"x" * 900_000 + b'"}', 422),
        (b'{"key": "a", "name": "A", "description": "' + b"x" * 10_001 + b'"}', 422),
        (b'{"key": "a", "name": "A", "facets": {"custom": {"deep": ' + DEEP + b"}}}", 400),
        (b'{"key": "a", "name": "\\u0000"}', 400),
        (b'{"key": "a", "name": "\\ud800"}', 400),
        (b'{"key": "a", "name": "\x00"}', 400),
        (b'{"key": "a", "name": "\xff\xfe"}', 400),
        ('{"key": "a", "name": "A"}'.encode("utf-16"), 400),
        ('{"key": "a", "name": "Ä"}'.encode("latin-1"), 400),
        (b'{"key": "a", "name": NaN}', 400),
        (b'{"key": "a", "name": "A", "facets": {"business_context": {"cost": 1e999}}}', 400),
        (b'{"key": "../../etc/passwd", "name": "A"}', 422),
        (b'{"key": "a", "name": "A", "id": "01980000-0000-7000-8000-000000000000"}', 422),
        (b"", 422),
        (b"null", 422),
        (b"[]", 422),
    ],
    ids=lambda given: given[:40].decode("latin-1") if isinstance(given, bytes) else None,
)
async def test_what_cannot_be_taken_is_refused_and_changes_nothing(world: World, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await world.ask("POST", "/v1/use-cases", role="business_owner", content=body, headers=headers)
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 5_000
    assert (await world.get("/v1/use-cases"))["items"] == []
    assert await world.told() == []


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "=HYPERLINK(1)",
        "'; drop table use_cases; --",
        "\u202etxt.exe",
        "{{7*7}}",
        "%00",
        "😀",
    ],
)
async def test_what_looks_dangerous_is_only_text(world: World, text: str) -> None:
    await world.create_use_case("retention", name=text, description=text)
    answer = await world.ask("GET", "/v1/use-cases/retention")
    assert answer.headers["content-type"] == "application/json"
    assert (answer.json()["name"], answer.json()["description"]) == (text, text)
    await world.ask("GET", "/v1/use-cases", params={"q": text})
    found = await world.ask("GET", "/v1/search", params={"q": text})
    assert found.status_code == 200
    exported = (await world.ask("GET", "/v1/exports/use-cases")).text
    assert not any(cell.strip('"').startswith("=") for line in exported.splitlines() for cell in line.split(","))


@pytest.mark.parametrize(
    "query", ["q=%00", "cursor=%FF", "cursor=AAAA", "limit=1e9", "as_of=yesterday", "metric=a%3ENaN"]
)
async def test_a_query_that_means_nothing_is_refused(world: World, query: str) -> None:
    assert (await world.ask("GET", f"/v1/model-versions?{query}")).status_code in {400, 422}


async def test_of_fifty_writers_each_is_counted_or_told_that_it_came_too_late(world: World) -> None:
    await world.create_use_case("retention")

    async def write(number: int) -> tuple[int, str]:
        text = f"writer {number}"
        # On a machine that is slow enough, some are told to come again.
        for _ in range(50):
            answer = await world.change_use_case({"description": text})
            if answer.status_code != 503:
                break
        return answer.status_code, text

    outcomes = await asyncio.gather(*map(write, range(50)))

    assert {status for status, _ in outcomes} <= {200, 412}
    counted = {text for status, text in outcomes if status == 200}
    assert counted
    history: list[dict[str, Any]] = await world.everything("/v1/use-cases/retention/history", limit=7)
    assert len(history) == 1 + len(counted)
    assert {state["state"]["description"] for state in history} == {None, *counted}
    assert [state["sequence"] for state in history] == list(range(len(history), 0, -1))
    told = [event.number for event in await world.told("use_case")]
    assert told == list(range(1, len(history) + 1))
