"""Visits to their days: which day of the site's zone a moment belongs to, and the few days in memory."""

from __future__ import annotations

import datetime as dt
import hmac
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from digest.importers.logs.days import Day
from digest.importers.logs.tally import Visit
from digest.schedule.local import instant
from digest.store.logs import Logs

_OPEN_DAYS = 3
"""Days in memory: those of the lines at hand, of a second zone, and one more."""
_QUARTER = 900  # seconds: no zone's midnight lies within one (IANA)


@dataclass
class AtHand:
    id: int
    version: int
    day: Day
    changed: bool = False


class Days:
    """The days of a source. Those at hand are in memory: loaded when a line of theirs comes, and kept again
    before others take their place.

    `late` are visits on days that were closed before, by date; `crowded` those of more pages than a day has
    room for. Neither count. `flush` raises `StoreBusy` where another program has changed the same day.
    """

    def __init__(
        self,
        name: str,
        zone: ZoneInfo,
        *,
        logs: Logs,
        secret: bytes,
        now: dt.datetime,
        new_salt: Callable[[], bytes],
    ) -> None:
        self._name, self._zone, self._logs, self._secret, self._now = name, zone, logs, secret, now
        self._new_salt = new_salt
        self.late: Counter[str] = Counter()
        self.crowded = 0
        self._starts: dict[int, int] = {}
        self._at_hand: OrderedDict[int, AtHand | None] = OrderedDict()
        self._machines: dict[int, int] = {}

    def take(self, visits: list[Visit]) -> None:
        """Adds visits to their days."""
        by_day: dict[int, list[Visit]] = {}
        starts = self._starts
        for visit in visits:
            quarter = visit.at // _QUARTER
            start = starts.get(quarter)
            if start is None:
                start = starts[quarter] = self._start(visit.at)
            if start in by_day:
                by_day[start].append(visit)
            else:
                by_day[start] = [visit]
        for start, of_day in by_day.items():
            at_hand = self._day(start)
            if at_hand is None:
                self.late[self._date(start).isoformat()] += len(of_day)
                continue
            at_hand.changed = True
            add = at_hand.day.add
            for at, address, agent, url in of_day:
                if not add(address, agent, url, (at - start) // 60):
                    self.crowded += 1
        if len(starts) > 100_000:
            starts.clear()

    def flush(self) -> None:
        """Keeps everything that is at hand."""
        for start, at_hand in self._at_hand.items():
            if at_hand is not None:
                self._keep(start, at_hand)

    @property
    def machines(self) -> int:
        """Visitors who read like machines, on the days that were touched."""
        return sum(self._machines.values())

    def _day(self, start: int) -> AtHand | None:
        if start in self._at_hand:
            self._at_hand.move_to_end(start)
            return self._at_hand[start]
        while len(self._at_hand) >= _OPEN_DAYS:
            oldest, at_hand = self._at_hand.popitem(last=False)
            if at_hand is not None:
                self._keep(oldest, at_hand)
        first, end = (
            dt.datetime.fromtimestamp(moment, dt.UTC)
            for moment in (start, self._midnight(self._date(start) + dt.timedelta(days=1)))
        )
        found = self._logs.open_day(self._name, first, end, now=self._now, salt=self._new_salt())
        made = None
        if found is not None:
            key = hmac.digest(self._secret, b"readers of a day " + found.salt, "sha256")
            made = AtHand(found.id, found.version, Day(key, found.pages, found.records))
        self._at_hand[start] = made
        return made

    def _keep(self, start: int, at_hand: AtHand) -> None:
        if not at_hand.changed:
            return
        day = at_hand.day
        counted = day.count()
        at_hand.version = self._logs.add(
            at_hand.id,
            at_hand.version,
            records=day.take_fresh(),
            pages=day.pages,
            readers=counted.readers,
        )
        at_hand.changed = False
        self._machines[start] = counted.machines

    def _date(self, start: int) -> dt.date:
        return dt.datetime.fromtimestamp(start, self._zone).date()

    def _start(self, at: int) -> int:
        return self._midnight(dt.datetime.fromtimestamp(at, self._zone).date())

    def _midnight(self, date: dt.date) -> int:
        """A midnight that clocks skip is the first moment after the gap, as for windows."""
        return int(instant(self._zone, dt.datetime.combine(date, dt.time())).timestamp())
