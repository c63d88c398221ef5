"""Two more histories to rank: hourly places in a most-read list, and daily page views.

As `benchmarks.ranking` reads the front page: each period with its candidates, what became of them, and up to
when the ranking may look.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from digest.model import Candidate, Metric, MetricKind, Series, Story, Window


@dataclass(frozen=True)
class Period:
    """`gains` is what became of each candidate, by id; nothing after `until` may be looked at."""

    window: Window
    candidates: list[Candidate]
    gains: dict[int, float]
    until: dt.datetime


WEEK = dt.timedelta(days=7)
PLACES = Metric("most read points", MetricKind.count)
VIEWS = Metric("views", MetricKind.count, bucket=dt.timedelta(days=1))
_LISTED = 10
_FEWEST = 60
"""A week with fewer stories in the list was an outage of the reader."""
_KNOWN_DAYS = 5


def most_read(path: Path) -> Iterator[Period]:
    """Weeks of a "most read" list, read hourly. Truth: time in the list weighted by rank (the first of ten
    counts ten), over the whole life of the story."""
    points: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    titles: dict[str, str] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            at = dt.datetime.strptime(row["timestamp"], "%Y-%m-%d %H:%M:%S %Z").replace(tzinfo=dt.UTC)
            points[row["link"]][int(at.timestamp())] += _LISTED + 1 - int(row["rank"])
            titles.setdefault(row["link"], row["title"])
    weeks: dict[dt.datetime, list[Candidate]] = defaultdict(list)
    for number, (link, found) in enumerate(sorted(points.items()), 1):
        times, values = zip(*sorted(found.items()), strict=True)
        first = dt.datetime.fromtimestamp(times[0], dt.UTC)
        midnight = first.replace(hour=0, minute=0, second=0)
        story = Story(number, "list", link, link, titles[link], first)
        monday = midnight - dt.timedelta(days=midnight.weekday())
        weeks[monday].append(Candidate(story, {PLACES.name: Series(PLACES, times, values)}))
    for monday in sorted(weeks)[:-1]:
        if len(weeks[monday]) >= _FEWEST:
            pool, end = weeks[monday], monday + WEEK
            yield Period(Window(monday, end), pool, _sums(pool, PLACES), end)


def daily_views(path: Path) -> Iterator[Period]:
    """Weeks of daily page views, of which five days are known. Truth: the whole week."""
    for file in sorted(path.glob("*.json")):
        week = json.loads(file.read_text(encoding="utf-8"))
        days = [dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC) for day in week["days"]]
        pool = []
        for number, article in enumerate(week["articles"], 1):
            name = article["article"]
            by_day = {each["date"]: float(each["views"]) for each in article["daily_views"]}
            values = tuple(by_day.get(day, 0.0) for day in week["days"])
            series = Series(VIEWS, tuple(int(day.timestamp()) for day in days), values)
            story = Story(number, "wiki", name, f"https://wiki.example/{name}", name, days[0])
            pool.append(Candidate(story, {VIEWS.name: series}))
        until = days[0] + dt.timedelta(days=_KNOWN_DAYS)
        yield Period(Window(days[0], days[0] + WEEK), pool, _sums(pool, VIEWS), until)


def _sums(pool: list[Candidate], metric: Metric) -> dict[int, float]:
    return {each.story.id: sum(each.signals[metric.name].values) for each in pool}
