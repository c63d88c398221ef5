"""Which signal ranks the list, and how it is read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest

from digest.model import Candidate, Metric, MetricKind
from digest.ranking.signals import choose, survey
from tests.ranking_material import (
    END,
    POINTS,
    READERS,
    START,
    VIEWS,
    WEEK,
    candidate,
    hours,
    series,
    story,
)


def every(step: float, count: int, metric: Metric = POINTS, end: dt.datetime = END) -> list[Candidate]:
    readings = [(end - hours(step * back), 100.0 - back) for back in range(count)]
    return [candidate(story(number), series(metric, *readings)) for number in (1, 2)]


def best(candidates: Sequence[Candidate], name: str = "auto") -> str:
    signal = choose(survey(candidates, WEEK, END), name)
    return signal.metric.name if signal else ""


def test_readers_are_preferred_to_what_covers_a_little_more() -> None:
    both = [
        candidate(story(number), series(READERS, (START, 5)), series(VIEWS, (START, 9))) for number in (1, 2)
    ]
    assert best([*both, candidate(story(3), series(VIEWS, (START, 9)))]) == "readers"


def test_a_trial_of_a_readers_metric_does_not_rank_the_week() -> None:
    many = [candidate(story(number), series(VIEWS, (START, 9))) for number in range(2, 9)]
    assert best([candidate(story(1), series(READERS, (START, 5))), *many]) == "page_views"


def test_without_readers_the_widest_metric_ranks() -> None:
    some = candidate(story(1), series(VIEWS, (START, 9)), series(POINTS, (START, 9)))
    assert best([some, candidate(story(2), series(POINTS, (START, 3)))]) == "points"


def test_equal_metrics_are_chosen_by_name() -> None:
    assert best([candidate(story(1), series(VIEWS, (START, 9)), series(POINTS, (START, 9)))]) == "page_views"


def test_a_named_metric_is_taken_at_its_word() -> None:
    some = [candidate(story(1), series(VIEWS, (START, 9)), series(READERS, (START, 9)))]
    assert best(some, "page_views") == "page_views"
    assert best(some, "points") == ""


def test_a_metric_that_knows_nothing_of_the_window_is_not_chosen() -> None:
    assert best([candidate(story(1), series(POINTS, (START - hours(1), 9)))]) == ""
    assert best([candidate(story(1), series(POINTS, (END + hours(1), 9)))]) == ""
    assert best([]) == ""


@pytest.mark.parametrize(
    ("step", "rate_over", "unread_after"), [(0.5, 3, 2), (1, 3, 2), (6, 6, 12), (24, 24, 48)]
)
def test_a_slower_source_is_measured_over_a_longer_time(
    step: float, rate_over: float, unread_after: float
) -> None:
    signal = survey(every(step, 6), WEEK, END)["points"]
    assert (signal.rate_over, signal.unread_after) == (3600 * rate_over, 3600 * unread_after)


def test_single_readings_tell_nothing_of_the_cadence() -> None:
    signal = survey(every(1, 1), WEEK, END)["points"]
    assert signal.cadence == 0
    assert signal.rate_over == 3 * 3600


def test_an_outage_of_one_story_does_not_change_the_cadence() -> None:
    late = candidate(story(9), series(POINTS, (START, 1), (END, 2)))
    assert survey([*every(1, 6), late], WEEK, END)["points"].cadence == 3600


def test_a_known_bucket_is_the_cadence() -> None:
    sparse = Metric("views", MetricKind.count, bucket=hours(1))
    found = survey([candidate(story(1), series(sparse, (START, 1), (END - hours(5), 2)))], WEEK, END)
    assert found["views"].cadence == 3600


def test_a_bucket_reaches_to_its_end_but_not_past_the_cut_off() -> None:
    def reach(at: dt.datetime) -> float:
        return survey([candidate(story(1), series(READERS, (at, 1)))], WEEK, END)["readers"].reach

    assert reach(END - hours(48)) == (END - hours(24)).timestamp()
    assert reach(END - hours(12)) == END.timestamp()
