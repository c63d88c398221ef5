"""What the owners of sites let programs look at: robots.txt, fetched and kept for a while."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from digest.errors import FetchFailed, ImportFailed
from digest.importers.fetch import PRODUCT, Fetched, fetch
from digest.importers.robots import MOST, Robots, parse_robots
from digest.ports import Clock

_KEEP = dt.timedelta(hours=24)  # RFC 9309 2.4
_KEEP_TROUBLE = dt.timedelta(hours=1)
_SECONDS = 10.0


class FetchRobots(Protocol):
    """`digest.importers.fetch.fetch`; called in threads."""

    def __call__(
        self, url: str, *, internal: bool = False, max_bytes: int, total_seconds: float
    ) -> Fetched: ...


class FetchPage(Protocol):
    """`digest.importers.fetch.fetch`, for pages."""

    def __call__(self, url: str, *, internal: bool = False) -> Fetched: ...


class Permissions:
    """The rules of each site, kept for a day, or for an hour where they could not be had. Safe in threads."""

    def __init__(self, clock: Clock, *, fetch_robots: FetchRobots = fetch) -> None:
        self._clock, self._fetch = clock, fetch_robots
        self._known: dict[str, tuple[dt.datetime, Robots | None]] = {}
        self._alone = threading.Lock()

    def of(self, url: str, *, internal: bool = False) -> Robots | None:
        """The rules for the site of `url`; None while they cannot be had: then nothing is allowed (RFC 9309
        2.3.1.4). Blocks where they are not known yet."""
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        now = self._clock.now()
        with self._alone:
            until, known = self._known.get(site, (now, None))
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
            self._known[site] = (now + (_KEEP if robots is not None else _KEEP_TROUBLE), robots)
        return robots

    def refusal(self, url: str, *, internal: bool = False) -> tuple[str, bool]:
        """Why a page may not be asked for, "" when it may; and whether that is for want of an answer. Blocks
        as `of` does."""
        robots = self.of(url, internal=internal)
        if robots is None:
            return "robots.txt of its server could not be had", True
        return "" if robots.allows(url) else "robots.txt keeps it from programs", False


def permitted(
    get: FetchPage, permissions: Permissions, *, internal: bool = False
) -> Callable[[str], Fetched]:
    """`get` for the pages that robots.txt leaves to programs; raises `ImportFailed` for all others, too."""

    def get_page(url: str) -> Fetched:
        why, _ = permissions.refusal(url, internal=internal)
        if why:
            raise ImportFailed(url, why)
        return get(url, internal=internal)

    return get_page
