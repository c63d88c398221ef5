"""Not asking again at once what was just refused."""

from __future__ import annotations

import datetime as dt


class Backoff:
    """Waits that double with each failure in a row, up to `longest`. In memory: a restart tries anew."""

    def __init__(self, first: dt.timedelta, longest: dt.timedelta) -> None:
        self._first, self._longest = first, longest
        self._failures: dict[str, tuple[int, dt.datetime]] = {}

    def failed(self, what: str, now: dt.datetime) -> dt.datetime:
        """Notes a failure; when it may be tried again."""
        count = self._failures.get(what, (0, now))[0] + 1
        again: dt.datetime = now + min(self._first * 2 ** min(count - 1, 16), self._longest)
        self._failures[what] = count, again
        return again

    def went_well(self, what: str) -> None:
        """The next failure is the first again."""
        self._failures.pop(what, None)

    def waits(self, what: str, now: dt.datetime) -> bool:
        """Whether it is too early for another attempt. A clock that was set back does not prolong a wait."""
        count, again = self._failures.get(what, (0, now))
        return bool(count) and again - self._longest <= now < again
