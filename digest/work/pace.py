"""How fast mail may leave: the limits of [sending], over all editions that leave, and over restarts."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from digest.config import Sending
from digest.delivery import Throttle, growth_limit
from digest.errors import StoreError
from digest.model import DeliveryState, Edition, EditionState, Rate
from digest.ports import Clock
from digest.store.editions import Editions
from digest.store.ledger import SqlLedger

ALWAYS = 1000
"""So many copies an hour leave whatever the cap on growth says: nobody's reputation hangs on fewer."""
_DAY = dt.timedelta(days=1)


LOOK = 3.0
"""Seconds between two looks at what other processes have offered: by as much, and by what is being offered at
that moment, several of them together may exceed a limit an hour or a day."""


class Pace:
    """One for a process: runs that overlap share their throttle.

    One that begins alone gets a new one, told what has left within the last day by the store's count: also by
    other processes. What these offer meanwhile is looked for every `LOOK` seconds.
    """

    def __init__(self, sending: Sending, ledger: SqlLedger, editions: Editions, clock: Clock) -> None:
        self._sending, self._ledger, self._editions, self._clock = sending, ledger, editions, clock
        self._lock = threading.Lock()
        self._running = 0
        self._throttle = Throttle()
        self._since = clock.now()
        """From this minute on copies are counted, to find those of others."""
        self._others = 0
        """Of these, the ones that the throttle knows of though it did not let them go."""
        self._looked = 0.0

    @asynccontextmanager
    async def running(self, edition: Edition, growth: float) -> AsyncIterator[Throttle]:
        """The limits for a run of this edition; `growth` is the newsletter's cap against its last edition.

        The store is asked in threads, never on the loop.
        """
        await asyncio.to_thread(self._begin)
        looking = asyncio.create_task(self._keep_looking())
        try:
            yield await asyncio.to_thread(self._narrowed, edition, growth)
        finally:
            looking.cancel()
            with self._lock:
                self._running -= 1

    def cap(self, edition: Edition, growth: float) -> Rate | None:
        """How many copies of this edition may leave in an hour; None: any number."""
        last = self.last(edition) if growth else None
        if last is None:
            return None  # nothing to compare with: a first edition is judged by the relay's own limits
        return growth_limit(self._ledger.counts(last.id)[DeliveryState.accepted], growth, ALWAYS)

    def last(self, edition: Edition) -> Edition | None:
        """The newsletter's newest edition before this one that was sent."""
        for each in self._editions.list_(edition.newsletter, limit=20, content=False):
            if each.state is EditionState.finished and each.id != edition.id and each.started is not None:
                return each
        return None

    def used(self, edition: Edition | None = None) -> list[tuple[float, int]]:
        """What left within the last day, of one edition or of all: (seconds ago, how many), by the minute."""
        now = self._clock.now()
        offered = self._ledger.offered_by_minute(now - _DAY, edition.id if edition is not None else None)
        return _ago(offered, now)

    def _begin(self) -> None:
        with self._lock:
            if not self._running:
                self._throttle = self._fresh()
            self._running += 1

    def _narrowed(self, edition: Edition, growth: float) -> Throttle:
        cap = self.cap(edition, growth)
        if cap is None:
            return self._throttle
        throttle = self._throttle.narrowed(cap)
        throttle.seed(time.monotonic(), self.used(edition))  # by earlier runs of it
        return throttle

    @property
    def _looks(self) -> bool:
        """Whether there is a limit for which it matters what others do."""
        return any(rate.seconds > 1 for rate in self._sending.rates)

    def _fresh(self) -> Throttle:
        throttle = Throttle(self._sending.rates, self._sending.domain_rates)
        if self._looks:
            now = self._clock.now()
            offered = self._ledger.offered_by_minute(now - _DAY)
            throttle.seed(time.monotonic(), _ago(offered, now))
            self._since = now.replace(second=0, microsecond=0)
            self._others = sum(count for minute, count in offered.items() if minute >= self._since)
        return throttle

    async def _keep_looking(self) -> None:
        while self._looks:
            await asyncio.sleep(LOOK)
            with suppress(StoreError):  # whoever sends finds out by itself that the store is out
                await asyncio.to_thread(self._look)

    def _look(self) -> None:
        """Tells the throttle what others have offered since the last look.

        All that was offered, less what left through the throttle. A copy that it let go and that is not
        offered yet makes this too small for a moment, never too large: the next look finds what is missing.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._looked < LOOK / 2:  # by another run of this process
                return
            self._looked = now
            throttle = self._throttle
            offered = self._ledger.offered_since(self._since)
            new = offered - throttle.taken - self._others
            if new > 0:
                self._others += new
                throttle.others(now, new)


def _ago(offered: Mapping[dt.datetime, int], now: dt.datetime) -> list[tuple[float, int]]:
    """Counts by the minute as (seconds since its end, how many)."""
    return [((now - minute).total_seconds() - 60, count) for minute, count in offered.items()]
