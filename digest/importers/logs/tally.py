"""One log -> what was read: lines in, visits out, and everything else counted by its reason."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from digest.importers.imported import Rejected
from digest.importers.logs.entry import Entry
from digest.importers.logs.formats import FORMATS, Parse, text_of
from digest.importers.logs.lines import LONGEST, Lines
from digest.importers.logs.requests import Requests
from digest.importers.table import Reject

FUTURE = 86_400
"""Seconds. A line dated further ahead has a wrong clock; a wrong zone is hours."""


class Visit(NamedTuple):
    """Somebody read a page."""

    at: int
    address: str
    agent: str
    url: str


@dataclass
class Tally:
    """What became of the lines of one log. `lines` is the sum of all the others."""

    lines: int = 0
    visits: int = 0
    rejected: int = 0
    headers: int = 0
    """Empty lines, and those that only say what the others mean."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Requests that count as no reading, by reason."""
    latest: int = 0
    """Unix seconds of the latest line; 0 where there is none."""
    agents: bool = True
    """False for a log that does not name agents: machines look like readers in it."""
    unfinished: bool = False
    """Whether something stands behind the last line end that will be read when it is whole."""


class Log:
    """Reads one log's `lines` in a `form` of `FORMATS`; `first` is the number of lines before them."""

    def __init__(
        self, lines: Lines, form: str, requests: Requests, *, now: dt.datetime, reject: Reject, first: int = 0
    ) -> None:
        self._lines, self._requests, self._reject = lines, requests, reject
        self._parse: Parse = FORMATS[form]()
        self._limit = int(now.timestamp()) + FUTURE
        self._row = first
        self.tally = Tally()

    def head(self, lines: list[bytes]) -> None:
        """Reads header lines of the beginning, for a log that is continued somewhere behind them."""
        for raw in lines:
            if raw[:1] == b"#":
                with suppress(ValueError):
                    self._parse(text_of(raw))

    def visits(self, *, final: bool) -> Iterator[list[Visit]]:
        """Lists of visits, one for each block. `final`: nothing will be written behind what there is."""
        for block in self._lines.blocks():
            yield self._of(block)
        tally = self.tally
        for _ in range(self._lines.long):
            self._row += 1
            tally.lines += 1
            self._refuse(b"", f"it is longer than {LONGEST:,} bytes")
        tail = self._lines.tail
        if tail.strip(b"\0\r\n "):
            if final:
                yield self._of([tail])
                return
            # A whole line that only lacks its end is read, and will be read again: that adds nobody.
            tally.unfinished = True
            before = Tally(**vars(tally) | {"left_out": Counter(tally.left_out)})
            found = self._of([tail], quiet=True)
            self.tally = before
            self._row -= 1
            yield found

    def _of(self, block: list[bytes], *, quiet: bool = False) -> list[Visit]:
        tally, judge, left_out = self.tally, self._requests.judge, self.tally.left_out
        found: list[Visit] = []
        agents = False
        for raw in block:
            entry = self._entry(raw, quiet)
            if entry is None:
                continue
            url, reason = judge(entry)
            if reason:
                left_out[reason] += 1
                continue
            if entry.agent is not None:
                agents = True
            found.append(Visit(entry.at, entry.address, entry.agent or "", url))
        tally.lines += len(block)
        tally.visits += len(found)
        if found and not agents:
            tally.agents = False
        return found

    def _entry(self, raw: bytes, quiet: bool) -> Entry | None:
        """The entry of a line; None for one that has none, which was counted or (unless `quiet`) rejected."""
        self._row += 1
        reason = "it lies in the future"
        try:
            entry = self._parse(raw.decode("utf-8", "backslashreplace").rstrip("\r"))
        except ValueError as error:
            entry, reason = None, str(error)
            if not raw.strip():
                self.tally.headers += 1
                return None
        else:
            if entry is None:
                self.tally.headers += 1
                return None
            if entry.at <= self._limit:
                self.tally.latest = max(self.tally.latest, entry.at)
                return entry
        if not quiet:
            self._refuse(raw, reason)
        return None

    def _refuse(self, raw: bytes, reason: str) -> None:
        self.tally.rejected += 1
        self._reject(Rejected(self._row, "", reason, raw[:2000].decode("utf-8", "backslashreplace")))
