"""How many copies may start now: limits a second, an hour, a day, for a domain, or against the last edition.

Moments are seconds of any clock that never goes back (`time.monotonic`, or a test's figure); nothing here
reads one. A limit holds over *every* span of its length, not over clock hours, so that it holds however the
relay counts. What is limited is the moment at which a copy is taken from here.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from digest.model import Rate

_MICRO = 1_000_000
"""Moments are kept as whole microseconds: sums of floats would let one start too many slip through."""
_GROUPS = 500
"""A span remembers about so many groups of starts, however many starts there are."""
_GROUPS_A_SECOND = 50
"""An even pace lets copies go in so many small groups a second: one at a time would cost a wake-up each."""


class Window:
    """At most `rate.count` starts in any span [t, t + rate.seconds), in bounded memory.

    Starts that are less than 1/500 of the span apart are remembered as one group with the moment of its last
    start, so that they count a little too long and never too short (0.2 % of the throughput).
    """

    def __init__(self, rate: Rate) -> None:
        self.seconds = rate.seconds
        self._most = rate.count
        self._length = rate.seconds * _MICRO + 1  # the microsecond that rounding down may have cost
        self._grain = max(rate.seconds * _MICRO // _GROUPS, 1)
        self._groups: deque[list[int]] = deque()  # first start, last start, how many
        self._total = 0

    def room(self, now: int) -> int:
        groups = self._groups
        while groups and now - groups[0][1] >= self._length:
            self._total -= groups.popleft()[2]
        return max(self._most - self._total, 0)

    def put(self, now: int, count: int) -> None:
        """`now` is at or after the last `put`."""
        newest = self._groups[-1] if self._groups else None
        if newest is not None and now - newest[0] < self._grain:
            newest[1] = now
            newest[2] += count
        else:
            self._groups.append([now, now, count])
        self._total += count

    def remove(self, at: int, count: int) -> None:
        """Takes back what was put at `at`; what has left the span meanwhile needs no taking back."""
        for group in reversed(self._groups):
            if group[0] <= at:
                less = min(count, group[2])
                group[2] -= less
                self._total -= less
                if not group[2]:
                    self._groups.remove(group)
                return

    def wait(self, now: int) -> int:
        """Microseconds until one more may start, when there is no room."""
        too_many, last = self._total - self._most + 1, now - self._length
        for _, last, count in self._groups:  # noqa: B007 - used after the loop
            too_many -= count
            if too_many <= 0:
                break
        return max(last + self._length - now, 0)

    def groups(self) -> int:
        return len(self._groups)


class Pace:
    """Spreads starts evenly: `rate` as a token bucket that holds a fiftieth of a second's worth, or one."""

    def __init__(self, rate: Rate) -> None:
        self._each = rate.count / (rate.seconds * _MICRO)
        self._group = max(rate.count // (rate.seconds * _GROUPS_A_SECOND), 1)
        self._saved = float(self._group)
        self._at = 0

    def room(self, now: int) -> int:
        self._saved = min(self._group, self._saved + max(now - self._at, 0) * self._each)
        self._at = max(now, self._at)
        return int(self._saved + 1e-9)

    def put(self, _now: int, count: int) -> None:
        self._saved -= count

    def remove(self, _at: int, count: int) -> None:
        self._saved = min(self._group, self._saved + count)

    def wait(self, _now: int) -> int:
        """Microseconds until the next small group may start."""
        return max(math.ceil((self._group - self._saved) / self._each), 0)


class Domains:
    """Rates for named domains, spread evenly. Domains without a rate cost one look into a dictionary."""

    def __init__(self, rates: Mapping[str, Rate]) -> None:
        self._gates = {domain: (Window(rate), Pace(rate)) for domain, rate in rates.items() if rate.count > 0}
        self._lock = threading.Lock()

    def wait(self, domain: str, now: float) -> float:
        """Seconds until a copy to this domain may start; 0.0: now."""
        gates = self._gates.get(domain)
        if gates is None:
            return 0.0
        moment = int(now * _MICRO)
        with self._lock:
            return max(0.0 if gate.room(moment) else max(gate.wait(moment), 1) / _MICRO for gate in gates)

    def take(self, domain: str, now: float) -> bool:
        """Whether a copy to this domain may start now; it then counts as started."""
        gates = self._gates.get(domain)
        if gates is None:
            return True
        moment = int(now * _MICRO)
        with self._lock:
            if not all(gate.room(moment) for gate in gates):
                return False
            for gate in gates:
                gate.put(moment, 1)
            return True

    def give_back(self, domain: str, at: float) -> None:
        """The copy taken at `at` did not start after all."""
        with self._lock:
            for gate in self._gates.get(domain, ()):
                gate.remove(int(at * _MICRO), 1)

    def __len__(self) -> int:
        return len(self._gates)

    def limited(self, domain: str) -> bool:
        return domain in self._gates


class Throttle:
    """Limits that hold together. Thread-safe: editions that leave at once through one relay share it.

    Rates a second are spread evenly; rates over longer spans let copies leave as fast as they can until the
    span is full. `shared` is asked after the own limits: `narrowed` makes such a one for a single edition.
    """

    def __init__(
        self,
        rates: Sequence[Rate] = (),
        domains: Mapping[str, Rate] | None = None,
        *,
        shared: Throttle | None = None,
    ) -> None:
        given = [rate for rate in rates if rate.count > 0]
        self._gates: list[Window | Pace] = [Window(rate) for rate in given]
        self._gates += [Pace(rate) for rate in given if rate.seconds == 1]
        self._shared = shared
        self.domains: Domains = shared.domains if shared is not None else Domains(domains or {})
        self._lock = threading.Lock()
        self._latest = 0
        self.taken = 0
        """Copies that started from here in all, without those that were given back."""

    def narrowed(self, *rates: Rate) -> Throttle:
        """Further limits for one edition, within these (the cap on growth is one)."""
        return Throttle(rates, shared=self)

    def take(self, now: float, wanted: int) -> int:
        """How many of `wanted` copies may start now; they count as started."""
        with self._lock:
            moment = self._moment(now)
            count = max(min([wanted, *(gate.room(moment) for gate in self._gates)]), 0)
            if count and self._shared is not None:
                count = self._shared.take(now, count)
            if count:
                for gate in self._gates:
                    gate.put(moment, count)
                self.taken += count
            return count

    def wait(self, now: float) -> float:
        """Seconds until the next copies may start; 0.0 when some may now."""
        with self._lock:
            moment = self._moment(now)
            own = max(
                (0 if gate.room(moment) else max(gate.wait(moment), 1) for gate in self._gates), default=0
            )
            shared = 0.0 if self._shared is None else self._shared.wait(now)
            return max(own / _MICRO, shared)

    def give_back(self, count: int, at: float) -> None:
        """`count` of those taken at `at` did not start after all."""
        if count <= 0:
            return
        with self._lock:
            for gate in self._gates:
                gate.remove(int(at * _MICRO), count)
            self.taken -= count
            if self._shared is not None:
                self._shared.give_back(count, at)

    def seed(self, now: float, started: Iterable[tuple[float, int]]) -> None:
        """What left before this process began, as (seconds ago, how many), before anything is taken.

        A count of a whole minute belongs to the minute's end. The limits given to `narrowed` are not told:
        seed the throttle that has them.
        """
        with self._lock:
            for ago, count in sorted(started, reverse=True):
                moment = int((now - max(ago, 0.0)) * _MICRO)
                for gate in self._gates:
                    if isinstance(gate, Window) and count > 0:
                        gate.put(moment, count)

    def others(self, now: float, count: int) -> None:
        """So many copies have left through other processes lately: they count as if they left now.

        For limits over spans in which "lately" is nothing: those of a second are each process's own.
        """
        with self._lock:
            moment = self._moment(now)
            for gate in self._gates:
                if isinstance(gate, Window) and gate.seconds > 1:
                    gate.put(moment, count)

    def _moment(self, now: float) -> int:
        """Threads read the clock before they have the lock: one may come with an earlier moment."""
        self._latest = max(self._latest, int(now * _MICRO))
        return self._latest


def growth_limit(last_accepted: int, growth: float, floor: int = 1000) -> Rate | None:
    """The cap on growth against the last edition, as a limit an hour; None where `growth` is 0 (off).

    0.5 lets half as many again as the last edition's accepted copies leave in an hour, and never fewer than
    `floor`. Nobody is left out: the rest follows over the next hours; what would be too late by then is said
    before approval (digest.delivery.forecast).
    """
    if growth <= 0:
        return None
    return Rate(max(math.ceil(last_accepted * (1 + growth)), floor, 1), 3600)
