"""The common log of Apache and nginx and the combined one, with or without the site in front.

The common log is that of the NCSA httpd (1995); the combined one adds referrer and agent; ``%v:%p`` in front
is Apache's vhost_combined. More fields behind are passed over, but for an address that a proxy forwarded (the
last field of nginx's "main" format).
"""

from __future__ import annotations

import ipaddress
import re

from digest.importers.logs.entry import Entry, shown
from digest.importers.logs.moments import clf

# A site in front is only taken for one where an address follows; a user's name may have spaces in it.
_HEAD = r"(?:(\S+) (?=[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]* ))?(\S+) \S+ (?:\S+|[^\[\"]*) \[([^\]]{20,30})\] "
_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_COMMON = re.compile(rf"{_HEAD}{_QUOTED} (\d{{3}}) (?:\d+|-)(?: |\Z)")
_COMBINED = re.compile(rf"{_HEAD}{_QUOTED} (\d{{3}}) (?:\d+|-) {_QUOTED} {_QUOTED}(.*)\Z", re.DOTALL)
# Some servers leave quotes in agents and referrers as they came: then the last quote of the line ends it.
_UNESCAPED = re.compile(rf'{_HEAD}"(.*?)" (\d{{3}}) (?:\d+|-) "(.*?)" "(.*)"([^"]*)\Z', re.DOTALL)
_LONG = 8192  # characters; the search for quotes that are not escaped could take long in a longer line
_FORWARDED = re.compile(r'"([0-9A-Fa-f.:]+)[^"]*"\s*\Z')
_INSIDE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
"""Loopback, private (RFC 1918, RFC 4193), shared (RFC 6598) and link-local addresses."""
_ESCAPED = re.compile(r"\\x([0-9A-Fa-f]{2})")
_LIKE_A_LINE = re.compile(r"\S+ \S+ .*\[[^\]]+\] \"")


def combined(text: str) -> Entry:
    """An entry of a combined log. Raises ValueError saying what is wrong with the line."""
    found = _COMBINED.match(text) or (_UNESCAPED.match(text) if len(text) < _LONG else None)
    if found is None:
        raise ValueError(_wrong(text))
    host, address, time, request, status, referrer, agent, rest = found.groups()
    if rest and rest[-1] == '"' and _inside(address):
        address = _forwarded(rest) or address
    method, target = asked(request)
    return Entry(clf(time), address, method, target, int(status), shown(agent), shown(referrer), host or "")


def common(text: str) -> Entry:
    """An entry of a log without agents. Raises ValueError saying what is wrong with the line."""
    found = _COMMON.match(text)
    if found is None:
        raise ValueError(_wrong(text))
    host, address, time, request, status = found.groups()
    method, target = asked(request)
    return Entry(clf(time), address, method, target, int(status), None, "", host or "")


def asked(request: str) -> tuple[str, str]:
    """Method and target of a request line; both "" for what is none (TLS on the wrong port, noise)."""
    method, _, rest = request.partition(" ")
    if not (rest and method.isalpha() and method.isupper()):
        return "", ""
    target, _, version = rest.rpartition(" ")
    if not (target and version.startswith("HTTP/")):
        target = rest
    if "\\" in target:
        target = _ESCAPED.sub(r"%\1", target).replace('\\"', "%22")
    return method, target


def _inside(address: str) -> bool:
    """Whether it is of a private network: then a proxy stands before the server."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(number in network for network in _INSIDE)


def _forwarded(rest: str) -> str:
    found = _FORWARDED.search(rest)
    try:
        return str(ipaddress.ip_address(found[1])) if found else ""
    except ValueError:
        return ""


def _wrong(text: str) -> str:
    if _COMMON.match(text):
        return "it ends before the agent"
    if _LIKE_A_LINE.match(text[:1000]):
        return "it is cut off"
    return "it is no line of an access log"
