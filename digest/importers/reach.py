"""Which addresses a source may lead to: the public internet, and others only where the operator says so.

A feed is written by somebody else, and so is every redirect on the way to it. Without this check a source
could make this machine ask its own database, a router, or a cloud's metadata service (169.254.169.254), and
carry the answer into a newsletter. What counts is the address after DNS, not how the host is spelt.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str], Sequence[str]]
"""Host -> its addresses as text, the preferred one first; raises OSError where there are none. May block."""

# IANA's special-purpose registries (RFC 6890), as far as the name helps; the rest is found by `ipaddress`.
_V4 = (
    ("0.0.0.0/8", "no address at all"),
    ("10.0.0.0/8", "a private network (RFC 1918)"),
    ("100.64.0.0/10", "a provider's own network (RFC 6598)"),
    ("127.0.0.0/8", "this machine"),
    ("169.254.0.0/16", "this link only, where clouds keep their metadata (RFC 3927)"),
    ("172.16.0.0/12", "a private network (RFC 1918)"),
    ("192.0.0.0/24", "reserved for protocols (RFC 6890)"),
    ("192.0.2.0/24", "an example (RFC 5737)"),
    ("192.88.99.0/24", "a relay of 6to4 (RFC 7526)"),
    ("192.168.0.0/16", "a private network (RFC 1918)"),
    ("198.18.0.0/15", "a network for measurements (RFC 2544)"),
    ("198.51.100.0/24", "an example (RFC 5737)"),
    ("203.0.113.0/24", "an example (RFC 5737)"),
    ("224.0.0.0/4", "multicast (RFC 5771)"),
    ("240.0.0.0/4", "reserved (RFC 1112)"),
)
_V6 = (
    ("::/128", "no address at all"),
    ("::1/128", "this machine"),
    ("64:ff9b:1::/48", "a network's own translation (RFC 8215)"),
    ("fc00::/7", "a private network (RFC 4193)"),
    ("fe80::/10", "this link only (RFC 4291)"),
    ("fec0::/10", "a private network (RFC 3879)"),
    ("ff00::/8", "multicast (RFC 4291)"),
    ("2001::/23", "reserved for protocols (RFC 2928)"),
    ("2001:db8::/32", "an example (RFC 3849)"),
    ("3fff::/20", "an example (RFC 9637)"),
)
_NOT_PUBLIC = tuple((ipaddress.ip_network(network), what) for network, what in (*_V4, *_V6))
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")  # all that IANA has given out as global unicast
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 2.1


def refusal(address: str) -> str:
    """What an IP address is when it is not on the public internet, in words; "" when it is.

    An IPv6 address that only carries an IPv4 one is judged by that: ::ffff:0:0/96 (RFC 4291 2.5.5.2), 6to4
    (RFC 3056) and NAT64 (RFC 6052). Teredo and all that IANA has not given out count as not public. Raises
    ValueError for what is no IP address.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    carried = _carried(found)
    if carried is not None:
        inside = refusal(str(carried))
        return f"{inside}, written as IPv6" if inside else ""
    for network, what in _NOT_PUBLIC:
        if found.version == network.version and found in network:
            return what
    if isinstance(found, ipaddress.IPv6Address) and found not in _PUBLIC_V6:
        return "not given out to anybody (RFC 4291)"
    return ""


def _carried(found: Address) -> ipaddress.IPv4Address | None:
    if isinstance(found, ipaddress.IPv4Address):
        return None
    if found in _NAT64:
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour


def literal(host: str) -> str:
    """The IP address that a host is, however it is spelt (``2130706433``, ``0x7f.1`` and ``0177.0.0.1`` are
    127.0.0.1 to inet_aton, and so to most programs); "" for a name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host)) if host.isascii() else ""
    except (OSError, ValueError):
        return ""


def system_resolve(host: str) -> list[str]:
    """What the system's resolver says, each address once. Raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


async def resolved(host: str, resolve: Resolve) -> Sequence[str]:
    """Asks `resolve` beside the event loop. Raises OSError (UnicodeError for a name that DNS cannot have).

    The thread is a daemon's: whoever gives up waiting is not held back by a name server that never answers.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Sequence[str]] = loop.create_future()

    def hand_over(addresses: Sequence[str], error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(addresses)

    def ask() -> None:
        addresses: Sequence[str] = ()
        problem: Exception | None = None
        try:
            addresses = resolve(host)
        except (OSError, UnicodeError) as error:
            problem = error
        try:
            loop.call_soon_threadsafe(hand_over, addresses, problem)
        except RuntimeError:
            return  # the loop has ended: nobody waits for it any more

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    return await answer
