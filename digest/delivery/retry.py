"""When a deferred copy is tried again, and when it is too late for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

_IN_TIME = 0.95
"""The last try is made when so much of the time is over: a server needs some to take the copy."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Waits that double from `first` up to `longest` (RFC 5321 4.5.4.1: at least 30 minutes).

    Each wait is lengthened by up to `jitter` of itself, so that copies deferred together do not come back
    together; never shortened, since a server that said "in 300 seconds" means no sooner.
    """

    first: dt.timedelta = dt.timedelta(minutes=30)
    longest: dt.timedelta = dt.timedelta(hours=6)
    jitter: float = 0.25
    least: dt.timedelta = dt.timedelta(minutes=1)
    """No server can talk us into trying again at once."""

    def next_attempt(
        self,
        attempts: int,
        now: dt.datetime,
        *,
        stale: dt.datetime,
        random: Callable[[], float],
        asked: dt.timedelta | None = None,
    ) -> dt.datetime | None:
        """The time of the next attempt after the `attempts`-th failed; None when that would be too late.

        `asked` is what the server asked for and takes the place of the doubling wait; at `stale` the edition
        is old news. Where the doubling wait would reach beyond that, there is one more try on the way, as
        long as it is `first` away at least. `random` gives a figure in [0, 1).
        """
        if asked is not None:
            wait = max(asked, self.least)
        else:
            wait = min(self.first * 2 ** min(max(attempts, 1) - 1, 16), self.longest)
            last = (stale - now) / (1 + self.jitter) * _IN_TIME
            wait = max(min(wait, last), self.first, self.least)
        at = now + wait * (1 + self.jitter * random())
        return at if at < stale else None
