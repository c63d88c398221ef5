"""A reply's text in a form that phrases can be looked up in, in time linear in its length.

No regular expression with choices or repeats inside repeats is run on what a server says: phrases are found
by plain search, and of a text only the first 800 characters are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST = 800
"""RFC 5321 4.5.3.1.5 allows 512 octets a line; what tells about a refusal stands in the first few lines."""
_GAP = 45
"""Characters that ".." in a phrase may stand for."""
_START = 4
"""Characters by which phrases are indexed, the space before them included."""

_STATUS = re.compile(r"(?<![\w.])(?:[245]\d\d[ -])?([245]\.\d{1,3}\.\d{1,3})(?!\w|\.\d)")
_AT_START = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?=\s|$)")
_ADDRESS_END = re.compile("[>:;,)]")
_NOT_WORDS = re.compile(r"[^a-z0-9.]+")

Phrase = tuple[str, ...]


def phrases(text: str) -> tuple[Phrase, ...]:
    """Phrases with " / " between them.

    Each begins at the beginning of a word and ends anywhere ("exceed" finds "exceeded"), "|" at its end asks
    for the end of a word, and " .. " stands for up to 45 characters in between.
    """
    lines = (line.strip() for line in text.split("/"))
    return tuple(tuple(" " + part.strip().replace("|", " ") for part in line.split("..")) for line in lines)


def read(text: str) -> tuple[str, tuple[str, ...]]:
    """The words of a reply, small, each between spaces; and the RFC 3463 statuses that stand in it.

    Codes and statuses are taken out: a relay that quotes another server repeats them in mid-sentence. So are
    mail addresses: <spam@example.org> is no word about spam.
    """
    text = text[:LONGEST]
    if "@" in text:
        text = " ".join(_without_address(word) for word in text.split())
    statuses = tuple(_STATUS.findall(text))
    plain = _NOT_WORDS.sub(" ", _STATUS.sub(" ", text).lower())
    return f" {plain} ".replace(". ", " ").replace("  ", " "), statuses


def _without_address(word: str) -> str:
    _, at, rest = word.partition("@")
    if not at:
        return word
    end = _ADDRESS_END.search(rest)
    return rest[end.start() :] if end else ""


class Index:
    """Looks up many phrases at once: only those that begin as some word of the text does."""

    def __init__(self, groups: Sequence[Sequence[Phrase]]) -> None:
        self._by_start: dict[str, list[tuple[int, Phrase]]] = {}
        for number, group in enumerate(groups):
            for phrase in group:
                start = f"{phrase[0]} "[:_START]
                self._by_start.setdefault(start, []).append((number, phrase))

    def groups_in(self, words: str) -> set[int]:
        """The numbers of the groups of which a phrase stands in `words` (of `read`)."""
        hits: set[int] = set()
        for start in {f" {word} "[:_START] for word in words.split()}:
            for number, phrase in self._by_start.get(start, ()):
                if number not in hits and phrase[0] in words and _stands(phrase, words):
                    hits.add(number)
        return hits


def _stands(phrase: Phrase, words: str) -> bool:
    if len(phrase) == 1:
        return True
    start = words.find(phrase[0])
    while start >= 0:
        end = start + len(phrase[0])
        for part in phrase[1:]:
            begin = words.find(part, end - 1, end + _GAP + len(part))
            if begin < 0:
                break
            end = begin + len(part)
        else:
            return True
        start = words.find(phrase[0], start + 1)
    return False


def status_at_start(text: str) -> str:
    match = _AT_START.match(text)
    return match[1] if match else ""
