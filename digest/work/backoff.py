"""Not asking again at once what was just refused."""

from __future__ import annotations

import datetime as dt


class Backoff:
    """Waits that double with each failure in a row, up to `longest`. In memory: a restart tries anew."""

    def __init__(self, first: dt.timedelta, longest: dt.timedelta) -> None:
        self._first, self._longest = first, longest
        self._failures: dict[str, tuple[int, dt.datetime, dt.datetime]] = {}

    def failed(self, what: str, now: dt.datetime, *, asked: dt.timedelta = dt.timedelta(0)) -> dt.datetime:
        """Notes a failure; when it may be tried again: not before `asked` is over, if that is longer."""
        count = self._failures.get(what, (0, now, now))[0] + 1
        again: dt.datetime = now + max(min(self._first * 2 ** min(count - 1, 16), self._longest), asked)
        self._failures[what] = count, now, again
        return again

    def went_well(self, what: str) -> None:
        """The next failure is the first again."""
        self._failures.pop(what, None)

    def waits(self, what: str, now: dt.datetime) -> bool:
        """Whether it is too early for another attempt. A clock that was set back does not prolong a wait."""
        count, since, again = self._failures.get(what, (0, now, now))
        return bool(count) and since <= now < again
