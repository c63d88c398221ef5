"""Which format a log is in, told by its lines and not by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from digest.importers.logs.combined import combined, common
from digest.importers.logs.entry import Entry
from digest.importers.logs.jsonlines import JsonLines
from digest.importers.logs.w3c import W3c

Parse = Callable[[str], Entry | None]
"""A line's text -> its entry, or None for one that is none (a header). Raises ValueError with the reason."""

FORMATS: Mapping[str, Callable[[], Parse]] = {
    "combined": lambda: combined,
    "common": lambda: common,
    "json": JsonLines,
    "w3c": W3c,
}
"""Name -> a new reader, those first that say more. Another is a line here and a reader beside these."""

_LOOKED_AT = 200


def detect(lines: Sequence[bytes]) -> str:
    """The format that reads at least half of the first lines, "" where none does.

    Of two it is the one that says more: a combined log can be read as a common one, too.
    """
    some = [text for raw in lines if (text := text_of(raw)).strip()][:_LOOKED_AT]
    for name, make in FORMATS.items():
        parse, read, headers = make(), 0, 0
        for text in some:
            with suppress(ValueError):
                if parse(text) is None:
                    headers += 1
                else:
                    read += 1
        if read and 2 * (read + headers) >= len(some):
            return name
    return ""


def text_of(line: bytes) -> str:
    """A line as text: logs are ASCII or UTF-8, and what is neither stays recognisable."""
    return line.decode("utf-8", "backslashreplace").rstrip("\r")
