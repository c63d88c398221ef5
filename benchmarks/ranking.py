"""Does the ranking choose what turned out to be most popular, with one setting for all sources?

Input: the folder BENCH_DATA, or ``../shared/data/stories`` beside the repository. In ``hn_snapshots`` the
Hacker News front page, read about every half hour for 47 weeks, with each story's final points; where they
are there, the hourly places in a most-read list and daily page views of which two days are still to come.
For each period the product ranks what it could know at the cut-off; the truth is what came in the end.

nDCG@10 (Järvelin & Kekäläinen 2002): the final figures of the ten chosen, each divided by log2(rank + 1),
over the same sum for the best ten. Compared with ranking by the counts at the cut-off, period by period: the
interval is the middle 95 % of 2,000 paired bootstrap means.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import math
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks._histories import Period, daily_views, most_read
from digest.model import (
    Candidate,
    Metric,
    MetricKind,
    RankingSettings,
    Series,
    Story,
    Window,
)
from digest.ranking import rank
from digest.work.backtest import PLACES, interval, ndcg

POINTS = Metric("points", MetricKind.total)
FEWEST = 30
"""A period with fewer stories was an outage of the reader, not a quiet day."""


@dataclass(frozen=True)
class History:
    candidates: list[Candidate]
    final: dict[int, float]

    def periods(self, length: dt.timedelta) -> Iterator[Period]:
        """Whole periods from the Monday of the first reading on, each with the stories first seen in it."""
        first = min(candidate.story.first_seen for candidate in self.candidates)
        midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
        monday = midnight - dt.timedelta(days=midnight.weekday())
        groups: dict[int, list[Candidate]] = defaultdict(list)
        for candidate in self.candidates:
            groups[(candidate.story.first_seen - monday) // length].append(candidate)
        for place, members in sorted(groups.items()):
            start = monday + place * length
            if len(members) >= FEWEST:
                window = Window(start, start + length)
                gains = {each.story.id: self.final[each.story.id] for each in members}
                yield Period(window, members, gains, window.end)


def folder() -> Path:
    data = os.environ.get("BENCH_DATA")
    return (
        Path(data) if data else Path(__file__).resolve().parents[2] / "shared/data/stories"
    ) / "hn_snapshots"


def load(path: Path) -> History:
    readings: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for row in _rows(path / "obs.csv.gz"):
        readings[int(row["id"])].append((int(row["ts"]), float(row["points"])))
    candidates = []
    for row in _rows(path / "stories.csv.gz"):
        number = int(row["id"])
        at, values = zip(*sorted(readings[number]), strict=True)
        story = Story(
            id=number,
            source="hn",
            external_id=row["id"],
            url=row["url"],
            title=row["title_first"],
            author=row["author"],
            first_seen=dt.datetime.fromtimestamp(int(row["first_seen"]), dt.UTC),
        )
        candidates.append(Candidate(story, {"points": Series(POINTS, at, values)}))
    final = {int(row["id"]): float(row["final_points"]) for row in _rows(path / "truth.csv.gz")}
    return History(candidates, final)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


# --- rankers --------------------------------------------------------------------------------------

SETTINGS = RankingSettings(count=PLACES)
"""What a newsletter has that configures nothing: the same for weeks and for days."""


def product(settings: RankingSettings) -> Callable[[Period], list[int]]:
    def ranked(period: Period) -> list[int]:
        ranking = rank(period.candidates, period.window, settings, until=period.until)
        return [pick.story.id for pick in ranking.picks]

    return ranked


def raw_counts(period: Period) -> list[int]:
    """By the last figure of a total at or before the cut-off, or the sum of a count up to it."""
    cut = period.until.timestamp()

    def figure(candidate: Candidate) -> float:
        (series,) = candidate.signals.values()
        readings = zip(series.at, series.values, strict=True)
        if series.metric.kind is MetricKind.count:
            return sum(value for at, value in readings if at < cut)
        return max((value for at, value in readings if at <= cut), default=0)

    best = sorted(period.candidates, key=lambda candidate: (-figure(candidate), str(candidate.story.id)))
    return [candidate.story.id for candidate in best[:PLACES]]


RAW = "raw counts"
RANKERS: dict[str, Callable[[Period], list[int]]] = {
    RAW: raw_counts,
    "digest": product(SETTINGS),
    "digest, nothing folded": product(replace(SETTINGS, similarity=math.inf)),
    "digest, no projection": product(replace(SETTINGS, projection=dt.timedelta(0))),
    "digest, six hours": product(replace(SETTINGS, projection=dt.timedelta(hours=6))),
}


def histories(stories: Path) -> Iterator[tuple[str, list[Period]]]:
    """What there is in the folder, each with its name."""
    history = load(stories / "hn_snapshots")
    yield "front page, weekly", list(history.periods(dt.timedelta(days=7)))
    yield "front page, daily", list(history.periods(dt.timedelta(days=1)))
    listed = stories / "bbc_most_read" / "bbc_uk_most_read_hourly.csv.gz"
    if listed.is_file():
        yield "most-read list, weekly", list(most_read(listed))
    views = stories / "it_wiki_weekly_pageviews"
    if views.is_dir():
        yield "daily views, five of seven days", list(daily_views(views))


def run() -> None:
    path = folder()
    if not path.is_dir():
        print(f"no {path}: set BENCH_DATA to the folder that holds hn_snapshots")
        return
    print(f"nDCG@{PLACES} against what became of the stories; one setting for all")
    for name, periods in histories(path.parent):
        raw: list[float] = []
        print(f"\n{name}, {len(periods)} periods".ljust(45) + "nDCG@10   against raw counts (95 %)     ms")
        for label, ranker in RANKERS.items():
            began = time.perf_counter()
            chosen = [ranker(period) for period in periods]
            each = 1000 * (time.perf_counter() - began) / len(periods)
            scores = [ndcg(stories, period.gains) for stories, period in zip(chosen, periods, strict=True)]
            raw = raw or scores
            deltas = [score - other for score, other in zip(scores, raw, strict=True)]
            low, high = interval(deltas)
            mean, delta = sum(scores) / len(scores), sum(deltas) / len(deltas)
            print(f"{label:44} {mean:.4f}   {delta:+.4f} [{low:+.4f}, {high:+.4f}]   {each:6.1f}")


if __name__ == "__main__":
    run()
