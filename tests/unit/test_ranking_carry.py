"""For how long a rate goes on: what the window itself says."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import Candidate, Metric, MetricKind, RankingSettings, Series
from digest.ranking import rank
from digest.ranking.carry import LEAST, USUAL, learned
from digest.ranking.signals import survey
from tests.ranking_material import (
    END,
    POINTS,
    READERS,
    START,
    VIEWS,
    WEEK,
    candidate,
    hours,
    ids,
    series,
    story,
)

HOUR = 3600.0


def living(number: int, hours_read: int, *, pace: float = 10, metric: Metric = POINTS) -> Candidate:
    """A story that is read at one pace for so many hours, and then no more; it begins in the window."""
    began = START + hours(3 * number % 150)
    of = story(number, date=began)
    if metric.kind is MetricKind.total:
        readings = [(began + hours(n), pace * min(n, hours_read)) for n in range(1, 160)]
    else:
        readings = [(began + hours(n), pace if n < hours_read else 0.0) for n in range(160)]
    return candidate(of, series(metric, *[reading for reading in readings if reading[0] <= END]))


def carried(pool: list[Candidate], metric: Metric = POINTS) -> float:
    return learned(pool, survey(pool, WEEK, END)[metric.name], WEEK) / HOUR


@pytest.mark.parametrize("metric", [POINTS, VIEWS])
def test_stories_that_live_long_are_carried_on_for_longer(metric: Metric) -> None:
    short, long = ([living(n, length, metric=metric) for n in range(200)] for length in (8, 40))
    assert carried(short, metric) < 8
    assert 12 < carried(long, metric) < 40


def test_a_window_that_says_little_is_not_asked() -> None:
    few = [living(n, 20) for n in range(3)]
    assert learned(few, survey(few, WEEK, END)["points"], WEEK) == USUAL
    assert LEAST > 3 * 6


def test_without_an_answer_daily_figures_are_not_carried_on_for_a_day_either() -> None:
    """Six stories and their daily readers: a last day must not outdo a week."""
    days = [candidate(story(1), series(READERS, *((START + hours(24 * n), 50.0) for n in range(7))))]
    assert carried(days, READERS) == 6


def test_nothing_is_carried_on_for_longer_than_the_window() -> None:
    slow_then_fast = [
        candidate(
            story(n, date=START),
            series(POINTS, *((START + hours(h), 0.001 * h if h < 100 else 500.0 * h) for h in range(1, 168))),
        )
        for n in range(60)
    ]
    assert carried(slow_then_fast) <= 168


def test_a_story_that_is_dated_later_teaches_nothing_about_earlier() -> None:
    redated = [candidate(story(n, date=END - hours(1)), living(n, 20).signals["points"]) for n in range(99)]
    assert learned(redated, survey(redated, WEEK, END)["points"], WEEK) == USUAL


def test_a_window_looked_at_in_its_first_hours_is_not_asked() -> None:
    pool = [living(n, 20) for n in range(100)]
    at = START + hours(20)
    assert learned(pool, survey(pool, WEEK, at)["points"], WEEK) == USUAL


@given(st.lists(st.integers(1, 60), min_size=20, max_size=40), st.integers(1, 6))
def test_the_unit_of_the_figures_does_not_matter(lives: list[int], power: int) -> None:
    def pool(unit: float) -> list[Candidate]:
        return [living(n, life, pace=unit) for n, life in enumerate(lives)]

    assert carried(pool(2.0**power)) == pytest.approx(carried(pool(1.0)))


def test_a_late_story_moves_up_by_as_much_as_the_window_teaches() -> None:
    """Where stories live for days, one that began yesterday is about to pass one that has ended."""
    ended, rising = living(900, 40, pace=10), candidate(
        story(901, date=END - hours(24)),
        Series(POINTS, tuple(int((END - hours(24 - n)).timestamp()) for n in range(1, 25)),
               tuple(13.0 * n for n in range(1, 25))),
    )  # fmt: skip
    week = [living(n, 40, pace=0.1) for n in range(200)]
    settings = RankingSettings(count=1, minimum=1, similarity=2)
    assert ids(rank([ended, rising, *week], WEEK, settings).picks) == [901]
    none = RankingSettings(count=1, minimum=1, similarity=2, projection=dt.timedelta(0))
    assert ids(rank([ended, rising, *week], WEEK, none).picks) == [900]
