"""Figures and moments as people write them.

One place for it, so that reasons in another language change nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from digest.model import Metric, MetricKind

_DAY = dt.timedelta(days=1)


def number(value: float) -> str:
    """Whole, with thousands separators: 4,210. Below ten one decimal is kept when there is one: 2.5."""
    if abs(value) < 10 and not float(value).is_integer():
        return f"{value:.1f}".removesuffix(".0")
    return f"{round(value):,}"


def unit(metric: Metric, window: dt.timedelta = dt.timedelta(0)) -> str:
    """The metric's own word: points, page views. "Readers" are only ever people counted once.

    A reader who came on three days is in three daily figures: over a longer window their sum is reader-days.
    Of shorter buckets, or of an unknown length, it is no more than reads.
    """
    name = metric.name.replace("_", " ").replace("-", " ").strip()
    summed = metric.kind is MetricKind.count and (metric.bucket is None or metric.bucket < window)
    if not (metric.distinct and summed and window):
        return name
    return f"{name.removesuffix('s')}-days" if metric.bucket == _DAY else "reads"


def measured(value: float, unit_: str) -> str:
    """A figure with its unit: "4,210 readers", "1 point"."""
    shown = number(value)
    return f"{shown} {unit_.removesuffix('s') if shown == '1' else unit_}"


def stories(count: int) -> str:
    """ "1 story", "1,200 stories"."""
    return f"{count:,} {'story' if count == 1 else 'stories'}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """ "readers", "readers and comments", "readers, comments and shares"."""
    head = ", ".join(words[:-1])
    return f"{head} {last} {words[-1]}" if head else words[-1]


def times(ratio: float) -> str:
    """How many times as much: "2.1x", "38x"."""
    return f"{ratio:.1f}x" if ratio < 9.95 else f"{round(ratio):,}x"


def length(span: dt.timedelta) -> str:
    """A length of time in its largest sensible unit: "40 minutes", "36 hours", "3 days"."""
    seconds = span.total_seconds()
    for name, size, least in (("day", 86400, 2 * 86400), ("hour", 3600, 3600), ("minute", 60, 0)):
        if seconds >= least:
            count = round(seconds / size)
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    raise AssertionError("a length of time is not negative")


def moment(at: dt.datetime) -> str:
    """Day and minute in the zone that `at` is in: "14 November, 08:05 UTC"."""
    return f"{at.day} {at:%B, %H:%M} {at.tzname() or ''}".rstrip()


def ordinal(place: int) -> str:
    """11th, 21st, 32nd."""
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def quoted(title: str, width: int = 60) -> str:
    """A heading in a sentence, cut at a word when it is long."""
    title = " ".join(title.split())
    if len(title) > width:
        head = title[: width - 1]
        title = (head.rsplit(" ", 1)[0] or head).rstrip(" ,;:-") + "…"
    return f"“{title}”"
