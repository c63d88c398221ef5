"""Figures that come with stories: kept until the stories are in the store, then stored."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Protocol

from digest.errors import DigestError
from digest.model import Metric, Reading
from digest.store.signals import SignalCounts


class Recording(Protocol):
    """Stores readings (digest.store.signals.Signals)."""

    def record(self, measured: Metric, source: str, readings: Iterable[Reading]) -> SignalCounts: ...


class Figures:
    """Takes readings one by one, and stores them when told to: of stories that are in the store by then.

    What cannot be stored because a metric of this name is of another kind is a note with `lenient`, for a
    feed must not fail over something that nobody asked for.
    """

    def __init__(self, signals: Recording, source: str, *, lenient: bool = False) -> None:
        self._signals, self._source, self._lenient = signals, source, lenient
        self._waiting: defaultdict[Metric, list[Reading]] = defaultdict(list)
        self.stored: Counter[str] = Counter()
        """Metric -> readings that are now in the store."""
        self.notes: list[str] = []

    def __call__(self, metric: Metric, reading: Reading) -> None:
        self._waiting[metric].append(reading)

    def store(self) -> None:
        """Stores what came since last time. Raises `DigestError` unless lenient."""
        waiting, self._waiting = self._waiting, defaultdict(list)
        for metric, readings in waiting.items():
            try:
                counts = self._signals.record(metric, self._source, readings)
            except DigestError as error:
                if not self._lenient:
                    raise
                if str(error) not in self.notes:
                    self.notes.append(str(error))
                continue
            self.stored[metric.name] += counts.new + counts.replaced + counts.same
