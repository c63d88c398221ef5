"""Does the ranking choose what turned out to be most popular?

Input: the Hacker News front page, read about every half hour for 47 weeks, with each story's final points
(the folder ``hn_snapshots`` in BENCH_DATA, or in ``../shared/data/stories`` beside the repository).
For each week and each day the product ranks what it could know at the end of the period; the truth is the
final points, some of which the stories of the last hours were still to get.

nDCG@10 (Järvelin & Kekäläinen 2002): the final points of the ten chosen, each divided by log2(rank + 1), over
the same sum for the best ten. Compared with ranking by the points at the cut-off, period by period: the
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
class Period:
    window: Window
    candidates: list[Candidate]


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
                yield Period(Window(start, start + length), members)


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
        return [pick.story.id for pick in rank(period.candidates, period.window, settings).picks]

    return ranked


def raw_points(period: Period) -> list[int]:
    """By the last figure at or before the cut-off."""
    cut = period.window.end.timestamp()

    def points(candidate: Candidate) -> float:
        series = candidate.signals["points"]
        return max(
            (value for at, value in zip(series.at, series.values, strict=True) if at <= cut), default=0
        )

    best = sorted(period.candidates, key=lambda candidate: (-points(candidate), str(candidate.story.id)))
    return [candidate.story.id for candidate in best[:PLACES]]


RANKERS: dict[str, Callable[[Period], list[int]]] = {
    "raw points": raw_points,
    "digest": product(SETTINGS),
    "digest, nothing folded": product(replace(SETTINGS, similarity=math.inf)),
    "digest, no projection": product(replace(SETTINGS, projection=dt.timedelta(0))),
    "digest, six hours": product(replace(SETTINGS, projection=dt.timedelta(hours=6))),
}


def run() -> None:
    path = folder()
    if not path.is_dir():
        print(f"no {path}: set BENCH_DATA to the folder that holds hn_snapshots")
        return
    history = load(path)
    print(f"nDCG@{PLACES} against final points, {len(history.candidates):,} stories of {path.name}")
    for name, length in (("weekly", dt.timedelta(days=7)), ("daily", dt.timedelta(days=1))):
        periods = list(history.periods(length))
        results: dict[str, list[float]] = {}
        print(
            f"\n{name}, {len(periods)} periods   nDCG@{PLACES}   against raw points (95 %)     ms a ranking"
        )
        for label, ranker in RANKERS.items():
            began = time.perf_counter()
            chosen = [ranker(period) for period in periods]
            each = 1000 * (time.perf_counter() - began) / len(periods)
            scores = results[label] = [
                ndcg(stories, {c.story.id: history.final[c.story.id] for c in period.candidates})
                for stories, period in zip(chosen, periods, strict=True)
            ]
            deltas = [score - raw for score, raw in zip(scores, results["raw points"], strict=True)]
            low, high = interval(deltas)
            mean, delta = sum(scores) / len(scores), sum(deltas) / len(deltas)
            print(f"{label:26}  {mean:.4f}   {delta:+.4f} [{low:+.4f}, {high:+.4f}]   {each:8.1f}")


if __name__ == "__main__":
    run()
