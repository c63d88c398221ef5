"""Text for the plain part: lines of at most 72 columns, addresses never broken (a broken link is dead)."""

from __future__ import annotations

import re
import unicodedata

WIDTH = 72
_WHOLE = re.compile(r"https?://|SLOT-[0-9a-f]+-|\S+@\S+\.")


def columns(text: str) -> int:
    """How many columns a text takes on a terminal: two for a wide character, none for a combining one."""
    return sum(_columns(letter) for letter in text)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _pieces(word: str, room: int) -> list[str]:
    """A word as parts that may stand on lines of their own.

    Links and slot tokens stay whole, however long. A run of wide letters (Chinese, Japanese) may break
    between any two of them, and so may an endless word; other words are never broken.
    """
    if _WHOLE.search(word) or columns(word) <= room:
        return [word]
    parts, part, taken = [], "", 0
    for letter in word:
        size = _columns(letter)
        if part and taken + size > room:
            parts.append(part)
            part, taken = "", 0
        part += letter
        taken += size
    return [*parts, part]


def wrap(text: str, indent: str = "", *, first: str | None = None, width: int = WIDTH) -> str:
    """One paragraph as lines, each beginning with `indent` (the first one with `first`, if given).

    A line starting with "From " or "." is left to the message's encoding.
    """
    start = indent if first is None else first
    room = max(1, width - columns(indent))
    lines: list[str] = []
    current, taken = start, columns(start)
    empty = True
    for word in text.split():
        for piece in _pieces(word, room):
            size = columns(piece)
            if not empty and taken + 1 + size > width:
                lines.append(current)
                current, taken, empty = indent, columns(indent), True
            current += piece if empty else f" {piece}"
            taken += size + (not empty)
            empty = False
    lines.append(current)
    return "\n".join(found.rstrip() for found in lines)


def underlined(text: str, rule: str, *, width: int = WIDTH) -> str:
    """A wrapped heading with a rule as wide as its widest line."""
    wrapped = wrap(text, width=width)
    longest = max(columns(found) for found in wrapped.split("\n"))
    return f"{wrapped}\n{rule * max(3, min(longest, width))}"
