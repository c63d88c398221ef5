"""A reply's text in a form that phrases can be looked up in, in time linear in its length.

No regular expression with choices or repeats inside repeats is run on what a server says: phrases are found
by plain search, and of a text only the first thousand characters are looked at.
"""

from __future__ import annotations

import re

LONGEST = 1000
"""RFC 5321 4.5.3.1.5 allows 512 octets a line; what tells about a refusal stands in the first few."""
_GAP = 45
"""Characters that ".." in a phrase may stand for."""

_STATUS = re.compile(r"(?<![\w.])(?:[245]\d\d[ -])?([245]\.\d{1,3}\.\d{1,3})(?!\w|\.\d)")
_AT_START = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?=\s|$)")
_NOT_WORDS = re.compile(r"[^a-z0-9.]+")

Phrase = tuple[str, ...]


def phrases(text: str) -> tuple[Phrase, ...]:
    """One phrase a line. It begins at the beginning of a word and ends anywhere ("exceed" finds "exceeded"),
    "|" at its end asks for the end of a word, and " .. " stands for up to 45 characters in between."""
    lines = (line.strip() for line in text.strip().splitlines())
    return tuple(tuple(" " + part.strip().replace("|", " ") for part in line.split("..")) for line in lines)


def read(text: str) -> tuple[str, tuple[str, ...]]:
    """The words of a reply, small, each between spaces; and the RFC 3463 statuses that stand in it.

    Codes and statuses are taken out: a relay that quotes another server repeats them in mid-sentence.
    """
    text = text[:LONGEST]
    statuses = tuple(_STATUS.findall(text))
    plain = _NOT_WORDS.sub(" ", _STATUS.sub(" ", text).lower())
    return f" {plain} ".replace(". ", " ").replace("  ", " "), statuses


def found(phrase: Phrase, words: str) -> bool:
    """Whether the phrase stands in `words` (of `read`)."""
    start = words.find(phrase[0])
    while start >= 0 and len(phrase) > 1:
        end = start + len(phrase[0])
        for part in phrase[1:]:
            begin = words.find(part, end - 1, end + _GAP + len(part))
            if begin < 0:
                break
            end = begin + len(part)
        else:
            return True
        start = words.find(phrase[0], start + 1)
    return start >= 0


def status_at_start(text: str) -> str:
    match = _AT_START.match(text)
    return match[1] if match else ""
