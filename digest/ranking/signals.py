"""Which signals rank this list, how often they are read, and how fresh they are.

Without a word from the newsletter a list is ranked by one metric, the best there is. With weights it is by
several, but never by both people and page views: these are two measures of the same reading, a sum of them
is neither, and nobody could say what the figure beside a story counts.
"""

from __future__ import annotations

import datetime as dt
import re
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from digest.model import Candidate, Metric, MetricKind, Series, Window
from digest.ranking import figures

AUTO = "auto"


RATE_OVER = 3 * 3600.0
UNREAD_AFTER = 2 * 3600.0


@dataclass(frozen=True, slots=True)
class Signal:
    """One metric as its source delivers it, seen at a cut-off. Times are Unix seconds."""

    metric: Metric
    start: float
    """Of the window."""
    cut: float
    zone: dt.tzinfo | None
    """The window's, for telling moments."""
    cadence: float
    """Seconds between two readings of one story, typically; 0 when nobody can tell."""
    coverage: int
    """How many candidates have a reading in the window."""
    reach: float
    """Up to when something is known, by the latest reading of any candidate."""
    since: float
    """Counts: start of the first bucket that says something about the present rate."""
    unit: str = ""
    """What its sum over the window may honestly be called."""
    carry: float = 0.0
    """For so many seconds the present rate of a story is carried on."""
    weight: float = 1.0
    """Beside other signals of the same list."""

    @property
    def rate_over(self) -> float:
        """Seconds over which the present rate is measured: three hours, or one turn of a slower source."""
        return max(RATE_OVER, self.cadence)

    @property
    def unread_after(self) -> float:
        """A story without a reading for so many seconds is no longer read: nothing is projected for it.

        Two turns of a slower source, so that one missed poll does not count as the end of a story.
        """
        return max(UNREAD_AFTER, 2 * self.cadence)


def readings_until(series: Series, until: float) -> int:
    """How many of its readings may be looked at: totals read by `until`, buckets begun before it."""
    side = bisect_left if series.metric.kind is MetricKind.count else bisect_right
    return side(series.at, until)


def survey(candidates: Iterable[Candidate], window: Window, cut: dt.datetime) -> dict[str, Signal]:
    """Every metric that some candidate has a reading of by `cut`, by name."""
    by_name: dict[str, list[Series]] = {}
    for candidate in candidates:
        for name, series in candidate.signals.items():
            if readings_until(series, cut.timestamp()):
                by_name.setdefault(name, []).append(series)
    return {name: _signal(all_series, window, cut.timestamp()) for name, all_series in by_name.items()}


_VIEWS = frozenset(("view", "views", "pageviews", "hits", "visits", "sessions", "impressions"))
_ACTIONS = frozenset(
    ("comments", "replies", "shares", "likes", "votes", "points", "upvotes", "reactions", "saves", "mentions")
)
"""What readers do besides reading, as a word of a metric's name."""


def people_and_views(metrics: Iterable[Metric]) -> tuple[str, str] | None:
    """A metric of people and one of page views among `metrics`: two measures of the same reading.

    Page views are what is called so, and in doubt any count that is not of people and has not the name of
    something that readers do besides reading (comments, shares, votes).
    """
    people, views = list[str](), list[str]()
    for metric in metrics:
        words = set(re.findall(r"[^\W_]+", metric.name.casefold()))
        counted = metric.kind is MetricKind.count and not words & _ACTIONS
        if metric.distinct:
            people.append(metric.name)
        elif counted or words & _VIEWS:
            views.append(metric.name)
    return (min(people), min(views)) if people and views else None


def choose(signals: dict[str, Signal], name: str) -> Signal | None:
    """The metric to rank by: the one named, or for "auto" the best there is.

    The best is one of distinct readers, then the one that knows most candidates, then the first by name. A
    readers' metric that knows less than half as many stories as another is a trial, not the best: a list by
    it would leave out most of what was published.
    """
    if name != AUTO:
        return signals.get(name)
    known = [signal for signal in signals.values() if signal.coverage]
    if not known:
        return None
    widest = max(signal.coverage for signal in known)
    return min(
        known,
        key=lambda signal: (
            not (signal.metric.distinct and 2 * signal.coverage >= widest),
            -signal.coverage,
            signal.metric.name,
        ),
    )


def _signal(all_series: Sequence[Series], window: Window, cut: float) -> Signal:
    """Of one metric, by series with at least one reading each."""
    metric, start = all_series[0].metric, window.start.timestamp()
    counts = [readings_until(series, cut) for series in all_series]
    lasts = [series.at[known - 1] for series, known in zip(all_series, counts, strict=True)]
    if metric.bucket is not None:
        cadence = metric.bucket.total_seconds()
    else:
        # The mean gap of a story costs two look-ups; an outage, or a long pause of some stories, does not
        # move the median over all of them.
        cadence = statistics.median(
            [
                (last - series.at[0]) / (known - 1)
                for series, known, last in zip(all_series, counts, lasts, strict=True)
                if known > 1
            ]
            or [0.0]
        )
    reach = float(max(lasts))
    if metric.kind is MetricKind.count:
        reach = min(cut, reach + cadence)
    return Signal(
        metric=metric,
        start=start,
        cut=cut,
        zone=window.end.tzinfo,
        cadence=cadence,
        coverage=sum(last >= start for last in lasts),
        reach=reach,
        since=_since(all_series, metric, cadence, cut),
        unit=figures.unit(metric, dt.timedelta(seconds=cut - start)),
    )


def earlier(signal: Signal, all_series: Sequence[Series], cut: float) -> Signal:
    """The same signal as it was seen at an earlier cut-off, by some of its series."""
    return replace(signal, cut=cut, since=_since(all_series, signal.metric, signal.cadence, cut))


def _since(all_series: Sequence[Series], metric: Metric, cadence: float, cut: float) -> float:
    """Buckets are not cut in two: the rate is measured from the start of the first one that reaches into the
    last `RATE_OVER`, the same moment for every story."""
    if metric.kind is MetricKind.total:
        return cut
    horizon = cut - max(RATE_OVER, cadence) - cadence
    firsts = ((series, bisect_right(series.at, horizon)) for series in all_series)
    starts = (series.at[first] for series, first in firsts if first < len(series.at))
    return min((start for start in starts if start < cut), default=cut)
