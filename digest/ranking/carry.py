"""For how long a story's present rate goes on, learned from the window itself.

Every source has its own answer: of a front page read each half-hour it is some hours, of a list of the most
read ten fewer, of daily figures days. So the window is asked. At every seventh of it before the cut-off (of a
week: at this hour of every day before) each story that was being read then says how fast, and by how much it
has grown since; the sum of the growth over the sum of the rates is a length of time: as if the rate had gone
on for so long, and then stopped. It is the ratio estimator of sampling theory (Cochran: "Sampling
Techniques", 3rd edition, 1977, chapter 6), in which the stories that are read most, those that a list is
about, count most. What is yet to come of them is not known, so that it errs on the short side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from digest.model import Candidate, Series, Story, Window
from digest.ranking.score import measure
from digest.ranking.signals import Signal, earlier

USUAL = 6 * 3600.0
"""Where the window has no answer. Short: what nobody knows should not put a story before one that was read
more."""
LEAST = 30
"""So few stories with a rate at an earlier moment say nothing."""
_PARTS = 7
_SAMPLE = 2000
"""More stories than this make the answer slower, and no better."""


def learned(pool: Sequence[Candidate], signal: Signal, window: Window) -> float:
    """Seconds for which the present rate of a story is best carried on; `pool` in one order for one list."""
    read = [
        (candidate.story, candidate.signals[signal.metric.name])
        for candidate in pool[:: 1 + len(pool) // _SAMPLE]
        if signal.metric.name in candidate.signals
    ]
    rates, growths = list[float](), list[float]()
    for rate, growth in _pairs(read, signal, window.length.total_seconds() / _PARTS):
        rates.append(rate)
        growths.append(growth)
    if len(rates) < LEAST:
        return USUAL
    return min(math.fsum(growths) / math.fsum(rates), window.length.total_seconds())


def _pairs(
    read: Sequence[tuple[Story, Series]], signal: Signal, step: float
) -> Iterator[tuple[float, float]]:
    """A story's rate at an earlier moment (a second), and by how much it has grown since."""
    gained = [measure(story, series, signal) for story, series in read]
    all_series = [series for _, series in read]
    for part in range(1, _PARTS):
        moment = signal.cut - part * step
        if moment <= signal.start:
            break
        then = earlier(signal, all_series, moment)
        for (story, series), now in zip(read, gained, strict=True):
            if now is None or story.date.timestamp() > moment:
                continue
            before = measure(story, series, then)
            if before is not None and before[1] > 0:
                yield before[1], max(0.0, now[0] - before[0])
