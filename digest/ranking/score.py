"""How popular a story was in the window: its increase, plus a short projection of its present rate.

    value = gained + min(gained, carry x rate)

`gained` is the sum of a count's buckets that begin in the window, or the increase of a total over it. `rate`
is measured over the last three hours before the cut-off (longer where the source is read less often) and is
zero for a story that is no longer read. The projection gives the stories of the last hours what they are
about to get; it never more than doubles a story, so that a good first half-hour does not beat a good week.
For how long the rate is carried on is a setting, or learned from the window itself (`carry`). No figure
decays: a decay formula answers "now" and throws the week away (docs/design.md has the measurements).

Totals by rule, and every departure is said in `Score.notes`:

- The increase counts from the last reading before the window.
- A total that starts later counts from 0 when the story itself began in the window, else from its first
  reading.
- A fall below half is a reset: the rises before and after it are added up. A smaller fall is a correction by
  the source and is taken off.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from digest.model import Metric, MetricKind, Score, Series, Story
from digest.ranking import figures
from digest.ranking.signals import Signal, readings_until

_WORTH_SAYING = 0.9
"""A total corrected to less than this share of itself is mentioned; a point less is not."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A score, and the present rate (of the metric's unit, an hour) that its projection comes from."""

    score: Score
    rate: float = 0.0


def score_story(story: Story, series: Series | None, signal: Signal) -> Scored | None:
    """The story's score by `signal`, or None when there is no reading of it in the signal's window.

    Readings after the cut-off are not looked at; one of a total at exactly the cut-off is.
    """
    measured = None if series is None else measure(story, series, signal)
    if series is None or measured is None:
        return None
    gained, rate, notes = measured
    projected = max(0.0, min(gained, rate * signal.carry))
    score = Score(
        metric=series.metric.name,
        value=gained + projected,
        gained=gained,
        projected=projected,
        distinct=series.metric.distinct,
        notes=notes,
        unit=signal.unit,
    )
    return Scored(score, 3600 * rate)


Measured = tuple[float, float, tuple[str, ...]]
"""Increase over the window, present rate a second, notes."""


def measure(story: Story, series: Series, signal: Signal) -> Measured | None:
    """What a story had gained by the signal's cut-off, and how fast it was being read then."""
    known = readings_until(series, signal.cut)
    if not known or series.at[known - 1] < signal.start:
        return None
    by_kind = _count if series.metric.kind is MetricKind.count else _total
    return by_kind(story, series, known, signal)


def _count(story: Story, series: Series, known: int, signal: Signal) -> Measured:  # noqa: ARG001 - as _total
    gained = float(sum(series.values[bisect_left(series.at, signal.start) : known]))
    recent = bisect_left(series.at, signal.since)
    values = series.values[recent:known]
    read = [at for at, value in zip(series.at[recent:known], values, strict=True) if value]
    if not read or read[-1] + signal.cadence <= signal.cut - signal.unread_after:
        return gained, 0.0, ()
    return gained, sum(values) / max(signal.cut - signal.since, signal.rate_over), ()


def _total(story: Story, series: Series, known: int, signal: Signal) -> Measured:
    new = story.date.timestamp() >= signal.start
    # A reading at the very start of the window belongs to what came before, unless the story did not.
    before = (bisect_left if new else bisect_right)(series.at, signal.start)
    notes: tuple[str, ...] = ()
    if before:
        base = [series.values[before - 1]]
    elif new:
        base, notes = [0.0], _late(story, series, signal)
    else:
        base, notes = [], _unknown_before(series, signal)
    gained, falls = _increase([*base, *series.values[before:known]], series.metric)
    notes += falls

    if series.at[known - 1] <= signal.cut - signal.unread_after:
        return gained, 0.0, notes
    since = bisect_right(series.at, signal.cut - signal.rate_over)
    if since:
        recent, elapsed = series.values[since - 1 : known], signal.cut - series.at[since - 1]
    else:
        started = [0.0] if new and not before else []
        recent, elapsed = (*started, *series.values[:known]), signal.rate_over
    return gained, _increase(recent, series.metric)[0] / elapsed, notes


def _increase(values: Sequence[float], metric: Metric) -> tuple[float, tuple[str, ...]]:
    """The increase along `values`, never below 0, by the rule for falls, with notes on these."""
    if list(values) == sorted(values):  # nearly always; sorting what is sorted is one quick pass
        return float(values[-1] - values[0]), ()
    gained, foot, notes = 0.0, values[0], list[str]()
    for previous, value in pairwise(values):
        if value < previous / 2:
            gained += max(0.0, previous - foot)
            foot = value
            notes.append(
                f"its {figures.unit(metric)} fell from {figures.number(previous)} to "
                f"{figures.number(value)}, a reset: the rises before and after it are added up"
            )
        elif value < previous * _WORTH_SAYING:
            notes.append(
                f"its {figures.unit(metric)} were corrected from {figures.number(previous)} "
                f"to {figures.number(value)} by the source"
            )
    return gained + max(0.0, values[-1] - foot), tuple(notes)


def _late(story: Story, series: Series, signal: Signal) -> tuple[str, ...]:
    """Said only when the gap is longer than the source's own turn explains."""
    gap = series.at[0] - story.date.timestamp()
    if gap <= signal.unread_after:
        return ()
    after = figures.length(dt.timedelta(seconds=gap))
    return (f"its first {figures.unit(series.metric)} came {after} after publication and are counted from 0",)


def _unknown_before(series: Series, signal: Signal) -> tuple[str, ...]:
    unit = figures.unit(series.metric)
    first = figures.moment(dt.datetime.fromtimestamp(series.at[0], signal.zone))
    return (f"older than the window, and no {unit} known from before it: only the rise since {first} counts",)
