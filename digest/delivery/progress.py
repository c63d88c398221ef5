"""How far a run has come: figures for people, measured on the way."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from digest.model import DeliveryState

_SPAN = 10.0


@dataclass(frozen=True, slots=True)
class Progress:
    """One look at a run. `done` counts this run's results by state; `left` is what is still to be tried."""

    done: Mapping[DeliveryState, int]
    left: int
    rate: float
    """Results a second over the last ten seconds."""
    seconds_left: float | None
    """None until there is a rate."""
    waiting: str = ""
    """Why nothing leaves at the moment: a limit, or the reply that asked for a pause."""
    resumes: float = 0.0
    """Seconds until something leaves again."""

    @property
    def settled(self) -> int:
        return sum(self.done.values())


class Meter:
    """Counts results, and tells `watch` at most once in `every` seconds of `monotonic`."""

    def __init__(
        self,
        left: int,
        watch: Callable[[Progress], object] | None,
        monotonic: Callable[[], float],
        *,
        every: float = 0.1,
    ) -> None:
        self.counts: Counter[DeliveryState] = Counter()
        self._left = left
        self._watch, self._monotonic, self._every = watch, monotonic, every
        self._seen: deque[tuple[float, int]] = deque([(monotonic(), 0)])
        self._told = float("-inf")
        self._waiting, self._until = "", 0.0

    def count(self, state: DeliveryState, number: int = 1) -> None:
        """A row reached this state; one that went back to the queue is not counted."""
        if state is not DeliveryState.queued:
            self.counts[state] += number

    def look(self) -> Progress:
        now, total = self._monotonic(), self.counts.total()
        self._seen.append((now, total))
        while len(self._seen) > 2 and now - self._seen[0][0] > _SPAN:
            self._seen.popleft()
        since, before = self._seen[0]
        rate = (total - before) / (now - since) if now > since else 0.0
        left = max(self._left - total, 0)
        resumes = max(self._until - now, 0.0)
        waiting = self._waiting if resumes else ""
        return Progress(dict(self.counts), left, rate, left / rate if rate else None, waiting, resumes)

    def waits(self, why: str, seconds: float) -> None:
        """Nothing leaves for so long."""
        self._waiting, self._until = why, self._monotonic() + seconds
        self.tell(now=True)

    def tell(self, *, now: bool = False) -> None:
        if self._watch is None:
            return
        if now or self._monotonic() - self._told >= self._every:
            self._told = self._monotonic()
            self._watch(self.look())
