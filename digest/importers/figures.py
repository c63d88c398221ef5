"""Figures of popularity that come with the stories themselves: a column of points, comments in a feed.

So one file, or one feed, is enough for a list of the most popular.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from digest.errors import UsageError
from digest.importers.clean import line
from digest.importers.columns import READING, normal
from digest.model import Metric, MetricKind, Reading

Measure = Callable[[Metric, Reading], None]
"""Takes a reading of a story that was just read; its `story` is the draft's external id."""

_FORM = "NAME[:total|count|rank][:distinct][:1h|1d]=COLUMN, such as points=score or views:count:1d=daily"
_SPAN = re.compile(r"(\d{1,4})([mhd])\Z")
_UNITS = {"m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Figure:
    """A column with figures. `ranked`: it holds positions, 1 being the top."""

    metric: Metric
    column: str
    ranked: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure of one story as its source states it, without the story's name."""

    metric: Metric
    value: float


def parse_figure(text: str) -> Figure:
    """Reads ``points=score``, ``views:count:1d=daily_views`` or ``top:rank=position``; a kind that is not
    said is a total. Raises `UsageError`."""
    said, equals, column = text.partition("=")
    name, *words = (line(word) for word in said.split(":"))
    kind, ranked, distinct, bucket = MetricKind.total, False, False, None
    for word in words:
        span = _SPAN.match(word)
        if word in ("total", "count"):
            kind = MetricKind(word)
        elif word == "rank":
            kind, ranked = MetricKind.count, True
        elif word == "distinct":
            distinct = True
        elif span and int(span[1]):
            bucket = dt.timedelta(seconds=int(span[1]) * _UNITS[span[2]])
        else:
            raise UsageError(f"signal {text!r}: {word!r} says nothing", hint=f"Write {_FORM}.")
    if not equals or not column.strip() or not name or name == "auto" or len(name) > 60:
        raise UsageError(f"signal {text!r} is not of the form {_FORM}", hint="The name is up to you.")
    return Figure(Metric(name, kind, distinct=distinct, bucket=bucket), column.strip(), ranked)


def readings(figure: Figure, cell: str, stated: Any, at: dt.datetime | None, when: When) -> Iterator[Reading]:
    """What a cell says, without the story's name: one figure taken at `at`, or a list of objects
    (``[{"date": ..., "views": ...}]``) that say each its own time. Raises ValueError for what is none."""
    if isinstance(stated, list) and any(isinstance(each, Mapping) for each in stated):
        for each in stated:
            if isinstance(each, Mapping):
                yield _listed(figure, each, when)
    elif cell.strip():
        if at is None:
            raise ValueError(f"{figure.metric.name}: no time at which it was measured")
        yield Reading("", at, value_of(figure, cell))


When = Callable[[str], dt.datetime | None]


def _listed(figure: Figure, given: Mapping[str, Any], when: When) -> Reading:
    by_name = {normal(str(key)): value for key, value in given.items()}
    at = next((moment for name in READING["at"] if (moment := when(str(by_name.get(name) or "")))), None)
    wanted = (normal(figure.metric.name), *READING["value"])
    value = next((by_name[name] for name in wanted if by_name.get(name) is not None), "")
    if at is None:
        raise ValueError(f"{figure.metric.name}: no time at which it was measured")
    return Reading("", at, value_of(figure, str(value)))


def value_of(figure: Figure, text: str) -> float:
    """The number of a cell; of a position its weight, 1 / log2(1 + position), the discount of nDCG (Järvelin
    and Kekäläinen 2002): the sum over a window says how long a story stood how high. Raises ValueError."""
    value = number(text, figure.metric.kind)
    if not figure.ranked:
        return value
    if value < 1:
        raise ValueError(f"{line(text, 40)!r} is no position: the top is 1")
    return round(1 / math.log2(1 + value), 6)


def number(text: str, kind: MetricKind) -> float:
    """The number in a cell, digits and a point. Raises ValueError for what is none or too large to add up
    (1e15), and for a count below zero."""
    if not text.strip():
        raise ValueError("no value")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= 1e15 or "_" in text:  # as digest.store.signals.MOST; neither is NaN
        raise ValueError(f"{line(text, 40)!r} is no number; write digits and a point")
    if kind is MetricKind.count and value < 0:
        raise ValueError(f"{line(text, 40)!r}: a count is not below zero")
    return value
