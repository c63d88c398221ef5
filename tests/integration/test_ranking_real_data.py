"""The ranking against what later happened, on a year of real front pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import duplicates
from benchmarks import ranking as bench
from digest.work.backtest import interval, ndcg

pytestmark = pytest.mark.real_data


LEAST = {
    "front page, weekly": 0.992,
    "front page, daily": 0.950,
    "most-read list, weekly": 0.985,
    "daily views, five of seven days": 0.93,
}
PERIODS = {"front page, weekly": 47, "front page, daily": 329}
BETTER = frozenset(PERIODS)
"""Where the whole interval has to lie above raw counts: a list of ten hides what is to come."""


def test_one_setting_finds_what_turned_out_most_popular(real_data: Path) -> None:
    for name, periods in bench.histories(real_data / "stories"):
        ours, raw = (
            [ndcg(bench.RANKERS[ranker](each), each.gains) for each in periods]
            for ranker in ("digest", bench.RAW)
        )
        assert len(periods) == PERIODS.get(name, len(periods))
        assert sum(ours) / len(periods) >= LEAST[name], name
        low, _ = interval([one - other for one, other in zip(ours, raw, strict=True)])
        assert low > (0 if name in BETTER else -0.005), name


def test_the_same_story_is_found_and_nothing_else(real_data: Path) -> None:
    papers = duplicates.versions(real_data / "feeds" / "series")
    found = duplicates.found(papers)
    right, wrong = len(found.others & duplicates.SAME), len(found.others - duplicates.SAME)
    edited = sum(found.edited.values())
    assert (edited + right) / (len(found.edited) + len(duplicates.SAME)) >= 0.85
    hits = edited + sum(found.live.values()) + right
    assert hits / (hits + wrong) >= 0.98
