"""What goes out goes to the hosts of the operator's list and to no other, however they are written."""

from typing import Any

import pytest
from assent_workflow.outgoing.addresses import Refused, look, parsed
from assent_workflow.outgoing.hosts import ANY, Hosts
from assent_workflow.settings import Settings
from pydantic import ValidationError

LISTED = Hosts.of("hooks.example.com, *.chat.example ,10.20.3.4,[2001:db8::7],bücher.example")


@pytest.mark.parametrize(
    "url",
    [
        *("https://hooks.example.com/a", "https://HOOKS.Example.COM:8443/", "https://hooks.example.com./"),
        *("https://eu.chat.example/", "https://a.b.chat.example/", "http://10.20.3.4:9000/"),
        *("https://[2001:db8::7]/", "https://[2001:DB8:0::7]/", "https://bücher.example/"),
        "https://xn--bcher-kva.example/",
    ],
)
def test_what_is_listed_is_let_through_however_it_is_written(url: str) -> None:
    assert parsed(url, LISTED).scheme


@pytest.mark.parametrize(
    "url",
    [
        *("https://example.com/", "https://evil-hooks.example.com/", "https://hooks.example.com.evil.example/"),
        *("https://a.hooks.example.com/", "https://chat.example/", "https://evilchat.example/"),
        *("https://evil.example/?hooks.example.com", "https://evil.example\\.chat.example/", "https://10.20.3.5/"),
        *("https://0x0a.20.3.4/", "https://169083652/", "https://[::ffff:10.20.3.4]/", "https://.chat.example/"),
        "https://h\u043e\u043eks.example.com/",  # of Cyrillic letters
    ],
)
def test_nothing_beside_it_is(url: str) -> None:
    with pytest.raises(Refused):
        parsed(url, LISTED)


async def test_it_is_looked_at_before_a_name_is_resolved() -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["93.184.215.14"]

    with pytest.raises(Refused, match="ASSENT_OUTGOING_HOSTS"):
        await look("https://elsewhere.example/", hosts=LISTED, resolve=resolve)
    assert asked == []
    assert await look("https://eu.chat.example/", hosts=LISTED, resolve=resolve)
    assert asked == ["eu.chat.example"]


async def test_a_host_that_is_listed_still_leads_nowhere_inward() -> None:
    async def inward(host: str, port: int) -> list[str]:
        return ["10.0.0.7"]

    with pytest.raises(Refused, match="not public"):
        await look("https://hooks.example.com/", hosts=LISTED, resolve=inward)


def test_without_a_list_any_is_and_with_none_nobody() -> None:
    assert Hosts.of("") == Hosts.of(" , ") == ANY
    assert ANY.allow("anywhere.example")
    assert not Hosts.of("none").allow("anywhere.example")
    assert not Hosts.of("none").allow("none")


@pytest.mark.parametrize(
    "listed", ["*", "*.", "a b", "https://a.example", "a.example/x", "*.*.example", "a.example:443"]
)
def test_what_is_no_host_is_named_when_it_starts(listed: str) -> None:
    with pytest.raises(ValidationError, match="outgoing_hosts"):
        settings(outgoing_hosts=f"fine.example,{listed}")


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"smtp_url": "smtp://assent:swordfish@mail.example"}, "smtp_url"),
        ({"slack_channels": {"legal": "https://chat.example/swordfish"}}, "slack_channels"),
    ],
)
def test_what_the_settings_name_themselves_must_be_listed_too(told: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match="ASSENT_OUTGOING_HOSTS") as refused:
        settings(outgoing_hosts="hooks.example.com", **told)
    assert [str(each["loc"][0]) for each in refused.value.errors()] == [named]
    assert "swordfish" not in str(refused.value)
    assert settings(outgoing_hosts="mail.example,chat.example", **told).hosts.allow("mail.example")
    assert settings(**told).hosts == ANY


def settings(**told: Any) -> Settings:
    return Settings.model_validate({"database_url": "postgresql://unused", **told})
