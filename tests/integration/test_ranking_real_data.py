"""The ranking against what later happened, on a year of real front pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import ranking as bench
from digest.work.backtest import interval, ndcg

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def history(real_data: Path) -> bench.History:
    return bench.load(real_data / "stories" / "hn_snapshots")


def scores(history: bench.History, days: int, ranker: str) -> Iterator[float]:
    for period in history.periods(dt.timedelta(days=days)):
        gains = {each.story.id: history.final[each.story.id] for each in period.candidates}
        yield ndcg(bench.RANKERS[ranker](period), gains)


@pytest.mark.parametrize(("days", "least", "periods"), [(7, 0.992, 47), (1, 0.950, 329)])
def test_one_setting_finds_what_turned_out_most_popular(
    history: bench.History, days: int, least: float, periods: int
) -> None:
    digest, raw = (list(scores(history, days, ranker)) for ranker in ("digest", "raw points"))
    assert len(digest) == periods
    assert sum(digest) / periods >= least
    low, _ = interval([one - other for one, other in zip(digest, raw, strict=True)])
    assert low > 0
