"""robots.txt (RFC 9309): which pages of a site its owner lets programs look at. Pure: text in, rules out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

MOST = 500 * 1024
"""Bytes that are read; what stands behind them is ignored (RFC 9309 2.5)."""
_LINE = re.compile(r"\s*([A-Za-z-]+)\s*:\s*(.*?)\s*\Z")
_TOKEN = re.compile(r"[A-Za-z_-]+|\*")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules for one program: (path pattern, whether it allows), as they stand in the file."""

    rules: tuple[tuple[str, bool], ...] = ()

    def allows(self, url: str) -> bool:
        """Whether the page may be looked at: the longest pattern that fits decides, and of two as long the
        one that allows; where none fits it may (RFC 9309 2.2.2)."""
        parts = urlsplit(url)
        path = _normal((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        if path == "/robots.txt":
            return True
        fitting = [(len(pattern), allow) for pattern, allow in self.rules if _fits(pattern, path)]
        return max(fitting, default=(0, True))[1]


def parse_robots(content: bytes, product: str) -> Robots:
    """The rules for a program with this product token: of all groups that name it, in any case of letters, or
    else of those for ``*`` (RFC 9309 2.2.1). Lines that are none of it are passed over; nothing is an error.
    """
    named: list[tuple[str, bool]] = []
    others: list[tuple[str, bool]] = []
    found = False
    agents: set[str] = set()
    in_rules = False
    for raw in content[:MOST].decode("utf-8-sig", errors="replace").splitlines():
        key, value = _record(raw)
        if key == "user-agent":
            if in_rules:
                agents, in_rules = set(), False
            token = _TOKEN.match(value)
            agents.add(token.group().lower() if token else "")
            found = found or product.lower() in agents
        elif key in ("allow", "disallow"):
            in_rules = True
            rule = (_normal(value), key == "allow")
            if value and product.lower() in agents:
                named.append(rule)
            if value and "*" in agents:
                others.append(rule)
    return Robots(tuple(named if found else others))


def _record(raw: str) -> tuple[str, str]:
    record = _LINE.match(raw.partition("#")[0])
    return (record[1].lower(), record[2]) if record else ("", "")


def _normal(path: str) -> str:
    """RFC 9309 2.2.2: octets outside ASCII as escapes, and no escape for what needs none."""

    def plain(escape: re.Match[str]) -> str:
        character = chr(int(escape[1], 16))
        return character if character in _UNRESERVED else escape.group().upper()

    ascii_only = "".join(
        c if c.isascii() else "".join(f"%{byte:02X}" for byte in c.encode("utf-8", "replace")) for c in path
    )
    return _ESCAPED.sub(plain, ascii_only)


def _fits(pattern: str, path: str) -> bool:
    """``*`` stands for anything, ``$`` at the end for the end. Piece by piece from the left: there is nothing
    to try again, however many stars somebody writes."""
    whole = pattern.endswith("$")
    first, *pieces = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    if not pieces:
        return not whole or path == first
    *middle, last = pieces
    at = len(first)
    for piece in middle:
        found = path.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    if whole:
        return len(path) - len(last) >= at and path.endswith(last)
    return path.find(last, at) >= 0
