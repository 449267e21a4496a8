"""A webhook leads to what is public and nowhere else, however its address is written."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from assent_workflow.outgoing.addresses import Refused, look

from tests.support.wait import until

INWARD = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "0",
    "0.0.0.0", "10.0.0.1", "10.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "2852039166", "0xa9fea9fe",  # noqa: S104
    "0xa9.0xfe.0xa9.0xfe", "100.64.0.1", "198.18.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255", "240.0.0.1",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:a9fe:a9fe]", "[::127.0.0.1]",
    "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[fc00::1]",
    "[fd00:ec2::254]", "[fe80::1]", "[ff02::1]", "[2001:db8::1]",
]  # fmt: skip


async def literally(host: str, port: int) -> Sequence[str]:
    """As the system reads an address, without asking anybody."""
    return [str(each[4][0]) for each in socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST)]


@pytest.mark.parametrize("host", INWARD)
async def test_no_way_of_writing_an_inward_address_leads_in(host: str) -> None:
    with pytest.raises(Refused):
        await look(f"https://{host}/hook", resolve=literally)


def test_there_are_more_than_thirty() -> None:
    assert len(set(INWARD)) >= 30


@pytest.mark.parametrize(
    "url",
    [
        *("http://93.184.215.14/", "https://93.184.215.14:22/", "https://user:password@93.184.215.14/"),
        *("ftp://93.184.215.14/", "file:///etc/passwd", "https://", "https://93.184.215.14/#x", "https://[::1", ""),
    ],
)
async def test_only_https_on_its_ports_without_credentials(url: str) -> None:
    with pytest.raises(Refused):
        await look(url, resolve=literally)


async def test_the_connection_goes_to_the_address_that_was_looked_at_under_the_name_asked_for() -> None:
    async def public(host: str, port: int) -> Sequence[str]:
        return ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]

    target = await look("https://hooks.example.com:8443/a?b=c", resolve=public)
    assert str(target.url) == "https://93.184.215.14:8443/a?b=c"
    assert (target.host, target.headers) == ("hooks.example.com", {"Host": "hooks.example.com:8443"})


async def test_one_inward_address_among_public_ones_is_enough_to_refuse() -> None:
    async def mixed(host: str, port: int) -> Sequence[str]:
        return ["93.184.215.14", "10.0.0.7"]

    with pytest.raises(Refused, match="not public"):
        await look("https://hooks.example.com/", resolve=mixed)


async def test_what_the_operator_allows_may_be_reached_by_http_on_any_port_and_nothing_beside_it() -> None:
    allowed = [ipaddress.ip_network("10.20.0.0/16")]
    target = await look("http://10.20.3.4:9000/", allowed, resolve=literally)
    assert str(target.url) == "http://10.20.3.4:9000/"
    assert await look("http://[::ffff:10.20.3.4]:9000/", allowed, resolve=literally)
    for url in ("http://10.21.0.1:9000/", "http://93.184.215.14:9000/", "https://10.21.0.1/"):
        with pytest.raises(Refused):
            await look(url, allowed, resolve=literally)


async def test_names_that_nobody_answers_for_keep_no_other_name_from_being_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    really, asked, nobody = socket.getaddrinfo, threading.Semaphore(0), threading.Event()

    def getaddrinfo(host: str, port: int, **how: Any) -> Any:
        if host.endswith(".internal"):
            asked.release()
            nobody.wait()
            raise socket.gaierror("nobody said anything")
        return really(host, port, **how)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    waiting = [asyncio.create_task(look(f"https://hooks-{number}.internal/")) for number in range(100)]
    try:
        await until(lambda: asked.acquire(blocking=False), within_s=60)
        assert str((await look("https://93.184.215.14/")).url) == "https://93.184.215.14/"
        assert not any(each.done() for each in waiting)
    finally:
        nobody.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in ended] == [Refused] * 100
