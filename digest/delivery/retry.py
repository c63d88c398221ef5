"""When a deferred copy is tried again, and when it is too late for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass


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
        is old news. `random` gives a figure in [0, 1).
        """
        wait = self.first * 2 ** min(max(attempts, 1) - 1, 16) if asked is None else asked
        wait = max(min(wait, self.longest) if asked is None else wait, self.least)
        wait *= 1 + self.jitter * random()
        at = now + wait
        return at if at < stale else None
