"""Looking whether a page is still there, politely: what robots.txt keeps from programs is left alone."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from digest.errors import FetchFailed, ImportFailed
from digest.importers.fetch import PRODUCT, Fetched, PageAnswer, ask_page, fetch
from digest.importers.robots import MOST, Robots, parse_robots
from digest.ports import Clock

_KEEP = dt.timedelta(hours=24)  # robots.txt may be used for so long (RFC 9309 2.4)
_KEEP_TROUBLE = dt.timedelta(hours=1)
_HOPS = 3
_SECONDS = 10.0
_WORDS = {
    200: "there", 404: "not found", 410: "gone for good", 401: "asks for a sign-in", 403: "refuses programs",
    429: "asked too often", 500: "its server is in trouble", 503: "its server is in trouble",
}  # fmt: skip


class AskPage(Protocol):
    """`digest.importers.fetch.ask_page`; called in threads."""

    def __call__(self, url: str, *, internal: bool = False) -> PageAnswer: ...


class FetchRobots(Protocol):
    """`digest.importers.fetch.fetch`; called in threads."""

    def __call__(
        self, url: str, *, internal: bool = False, max_bytes: int, total_seconds: float
    ) -> Fetched: ...


@dataclass(frozen=True, slots=True)
class Looked:
    """One look. `status` is 0 when there was no answer, or the page was not asked for; `words` says why."""

    status: int
    words: str = ""
    silent: bool = False
    """Its server does not answer: to ask it for other pages now would be of no use."""


class Pages:
    """Looks at pages, and keeps what it read of robots.txt: for a day, or an hour where there was trouble."""

    def __init__(self, clock: Clock, *, ask: AskPage = ask_page, fetch_robots: FetchRobots = fetch) -> None:
        self._clock, self._ask, self._fetch = clock, ask, fetch_robots
        self._robots: dict[str, tuple[dt.datetime, Robots | None]] = {}
        self._alone = threading.Lock()

    def look(self, url: str, *, internal: bool = False) -> Looked:
        """The status of a page, after at most three redirects; one that leads on further is there. Blocks."""
        status = 0
        for _ in range(_HOPS + 1):
            robots = self._robots_of(url, internal=internal)
            if robots is None:
                return Looked(0, "not asked for: robots.txt of its server could not be had", silent=True)
            if not robots.allows(url):
                return Looked(0, "not asked for: robots.txt keeps it from programs")
            try:
                answer = self._ask(url, internal=internal)
            except ImportFailed as error:
                return Looked(0, error.reason, silent=True)
            status = answer.status
            if not answer.location:
                break
            url = answer.location
        return Looked(status, _WORDS.get(status, ""))

    def _robots_of(self, url: str, *, internal: bool) -> Robots | None:
        """None while they cannot be had: then nothing is allowed (RFC 9309 2.3.1.4)."""
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        now = self._clock.now()
        with self._alone:
            until, known = self._robots.get(site, (now, None))
        if now < until <= now + _KEEP:
            return known
        robots: Robots | None = None
        try:
            got = self._fetch(
                f"{site}/robots.txt", internal=internal, max_bytes=2 * MOST, total_seconds=_SECONDS
            )
            robots = parse_robots(got.body or b"", PRODUCT)
        except FetchFailed as error:
            # Not there: everything is allowed (RFC 9309 2.3.1.3). "Too many requests" is no such answer.
            if 400 <= error.status < 500 and error.status != 429:
                robots = Robots()
        with self._alone:
            self._robots[site] = (now + (_KEEP if robots is not None else _KEEP_TROUBLE), robots)
        return robots
