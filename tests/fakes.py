"""Hand-written stand-ins for the outside world."""

from __future__ import annotations

import datetime as dt


class FixedClock:
    """A clock that stands still until told otherwise."""

    def __init__(self, now: dt.datetime) -> None:
        self._now = now.astimezone(dt.UTC)

    def now(self) -> dt.datetime:
        return self._now

    def advance(self, by: dt.timedelta) -> None:
        self._now += by

    def set(self, to: dt.datetime) -> None:
        self._now = to.astimezone(dt.UTC)
