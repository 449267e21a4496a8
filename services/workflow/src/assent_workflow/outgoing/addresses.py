"""Where what goes out may lead: to the hosts that the operator lists, where he does, and of these to what is public or
in networks that he allows; looked at before every request.

The name is resolved once, every address must be allowed, and the connection goes to one of those addresses: a name that
means something else a moment later leads nowhere else.
"""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import httpx

from assent_workflow.outgoing.hosts import ANY, Hosts

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

PORTS = frozenset({443, 8443})
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_V4_COMPATIBLE = ipaddress.ip_network("::/96")


class Refused(Exception):
    """Nothing must go there."""


@dataclass(frozen=True)
class Target:
    """A place that was looked at: where to connect, and as whom."""

    url: httpx.URL
    host: str
    headers: dict[str, str]


async def resolve(host: str, port: int) -> Sequence[str]:
    """In a thread of its own: a loop has few for names, and one whose servers say nothing would keep others waiting."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Sequence[str]] = loop.create_future()

    def look_up() -> None:
        found: Sequence[str] | OSError | UnicodeError
        try:
            found = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as error:
            found = error
        # Nobody may wait for it any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(take, found)

    def take(found: Sequence[str] | OSError | UnicodeError) -> None:
        if answer.done():
            return
        if isinstance(found, OSError | UnicodeError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    # It ends with the process, whatever it waits for.
    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    return await answer


def parsed(text: str, hosts: Hosts = ANY) -> httpx.URL:
    """Raises Refused for what is no address of a web server, or of one that nothing may be sent to."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise Refused(f"it is no URL: {error}") from error
    if url.scheme not in ("https", "http") or not url.host:
        raise Refused("it must begin with https://")
    if url.userinfo or url.fragment:
        raise Refused("it must hold neither credentials nor a fragment")
    if not hosts.allow(url.raw_host.decode("ascii")):
        raise Refused(f"{url.host} is none of the hosts that may be sent to (ASSENT_OUTGOING_HOSTS)")
    return url


async def look(text: str, allowed: Sequence[Network] = (), *, hosts: Hosts = ANY, resolve: Resolve = resolve) -> Target:
    """The checked place. Raises Refused where any of its addresses is one that it must not lead to."""
    url = parsed(text, hosts)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        names = await resolve(url.host, port)
        addresses = [ipaddress.ip_address(name.partition("%")[0]) for name in names]
    except (OSError, ValueError, UnicodeError) as error:
        raise Refused(f"{url.host} cannot be resolved") from error
    if not addresses:
        raise Refused(f"{url.host} has no address")
    within = [any(_meant(address) in network for network in allowed) for address in addresses]
    for address, is_allowed in zip(addresses, within, strict=True):
        if not is_allowed and not is_public(address):
            raise Refused(f"{url.host} leads to an address that is not public")
    if not all(within) and (url.scheme != "https" or port not in PORTS):
        raise Refused("outside the networks allowed only https on port 443 or 8443 is")
    return Target(url.copy_with(host=str(addresses[0])), url.host, {"Host": url.netloc.decode()})


def is_public(address: Address) -> bool:
    """Also of the IPv4 address that an IPv6 address carries."""
    meant = _meant(address)
    return meant.is_global and not meant.is_multicast and not meant.is_reserved and not meant.is_unspecified


def _meant(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _NAT64) or (address in _V4_COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
