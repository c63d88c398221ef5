"""The score of one story: increase over the window, and a short projection."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from digest.model import Candidate, Metric, MetricKind, Score, Series, Story
from digest.ranking.score import Scored, score_story
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
    series,
    story,
)

SIX_HOURS = 6 * 3600.0


def judged(
    readings: Series, *others: Candidate, of: Story | None = None, until: dt.datetime = END
) -> Scored | None:
    one = candidate(of or story(1), readings)
    signal = survey([one, *others], WEEK, until).get(readings.metric.name)
    return score_story(one.story, readings, replace(signal, carry=SIX_HOURS)) if signal else None


def score(readings: Series, *others: Candidate, of: Story | None = None, until: dt.datetime = END) -> Score:
    found = judged(readings, *others, of=of, until=until)
    assert found is not None
    return found.score


def half_hourly() -> list[Candidate]:
    """Other stories of a source that is read every half hour."""
    readings = [(END - hours(back / 2), 50.0) for back in range(20)]
    return [candidate(story(number), series(POINTS, *readings)) for number in (7, 8, 9)]


OLD = story(1, date=START - hours(48))


# --- totals ---------------------------------------------------------------------------------------


def test_a_total_counts_its_increase_from_the_last_reading_before_the_window() -> None:
    readings = series(POINTS, (START - hours(9), 80), (START - hours(1), 100), (START + hours(5), 150))
    assert score(readings, *half_hourly(), of=OLD).gained == 50


def test_a_reading_at_the_very_start_belongs_to_what_came_before() -> None:
    assert score(series(POINTS, (START, 100), (START + hours(5), 150)), of=OLD).gained == 50


def test_a_story_that_begins_with_the_window_counts_from_zero() -> None:
    readings = series(POINTS, (START, 15), (START + hours(5), 150))
    assert score(readings, of=story(1, date=START)).gained == 150


def test_a_reading_at_exactly_the_cut_off_counts_and_a_later_one_does_not() -> None:
    readings = series(POINTS, (START + hours(30), 10), (END, 40), (END + dt.timedelta(seconds=1), 900))
    assert score(readings, *half_hourly()).gained == 40


def test_a_new_story_whose_total_starts_late_counts_in_full() -> None:
    found = score(series(POINTS, (START + hours(30), 70)), *half_hourly())
    assert found.gained == 70
    assert found.notes == ("its first points came 6 hours after publication and are counted from 0",)


def test_a_gap_that_the_source_explains_is_not_mentioned() -> None:
    assert score(series(POINTS, (START + hours(25), 70)), *half_hourly()).notes == ()


def test_an_older_story_without_earlier_figures_counts_only_its_rise() -> None:
    found = score(series(POINTS, (START + hours(30), 70), (START + hours(40), 95)), *half_hourly(), of=OLD)
    assert found.gained == 25
    assert found.notes == (
        (
            "older than the window, and no points known from before it: "
            "only the rise since 10 November, 06:00 UTC counts"
        ),
    )


def test_an_older_story_with_one_reading_gained_nothing_that_is_known() -> None:
    assert score(series(POINTS, (START + hours(30), 70)), *half_hourly(), of=OLD).value == 0


def test_a_redated_story_keeps_what_it_had_before_the_window() -> None:
    readings = series(POINTS, (START - hours(5), 5000), (START + hours(30), 5070))
    assert score(readings, *half_hourly(), of=story(1, date=START + hours(2))).gained == 70


def test_a_reset_adds_up_the_rises_before_and_after_it() -> None:
    readings = series(
        POINTS, (START, 100), (START + hours(1), 150), (START + hours(2), 20), (START + hours(3), 60)
    )
    found = score(readings, *half_hourly(), of=OLD)
    assert found.gained == 50 + 40
    assert found.notes == (
        "its points fell from 150 to 20, a reset: the rises before and after it are added up",
    )


def test_a_correction_by_the_source_is_taken_off() -> None:
    readings = series(POINTS, (START, 100), (START + hours(1), 500), (START + hours(2), 400))
    found = score(readings, *half_hourly(), of=OLD)
    assert found.gained == 300
    assert found.notes == ("its points were corrected from 500 to 400 by the source",)


def test_a_point_less_is_not_worth_a_word_and_flapping_gains_nothing() -> None:
    readings = [(START + hours(back), 500.0 - back % 2) for back in range(1, 9)]
    found = score(series(POINTS, (START, 500), *readings), *half_hourly(), of=OLD)
    assert found.gained == 0
    assert found.notes == ()


def test_a_total_that_only_falls_gains_nothing() -> None:
    readings = series(POINTS, (START, 100), (START + hours(1), 80), (START + hours(2), 75))
    assert score(readings, *half_hourly(), of=OLD).value == 0


# --- projection -----------------------------------------------------------------------------------


def test_a_story_still_rising_is_carried_on_for_six_hours() -> None:
    readings = series(POINTS, (END - hours(20), 100), (END - hours(3), 400), (END, 460))
    found = judged(readings, *half_hourly())
    assert found is not None
    assert found.rate == pytest.approx(20)
    assert found.score.projected == pytest.approx(120)
    assert found.score.value == pytest.approx(580)


def test_a_projection_never_more_than_doubles_a_story() -> None:
    brand_new = story(1, date=END - hours(1))
    found = score(series(POINTS, (END - hours(0.5), 90), (END, 300)), *half_hourly(), of=brand_new)
    assert (found.gained, found.projected) == (300, 300)


def test_a_story_no_longer_read_is_not_projected() -> None:
    readings = series(POINTS, (END - hours(8), 100), (END - hours(2), 400))
    assert score(readings, *half_hourly()).projected == 0


def test_an_older_story_seen_for_the_first_time_lately_has_a_rate_of_what_is_known() -> None:
    found = judged(series(POINTS, (END - hours(2), 100), (END, 130)), *half_hourly(), of=OLD)
    assert found is not None
    assert found.rate == pytest.approx(10)


def test_a_window_shorter_than_the_cadence_takes_the_rate_from_before_it() -> None:
    weekly = [(END - dt.timedelta(days=7 * back), 1000.0 - 100 * back) for back in range(3)]
    found = score(series(POINTS, *weekly), of=OLD)
    assert found.gained == 100
    assert found.projected == pytest.approx(100 * 6 / (7 * 24))


def test_a_daily_poll_projects_a_quarter_of_a_day() -> None:
    daily = [(END - hours(24 * back), 700.0 - 100 * back) for back in range(6)]
    found = score(series(POINTS, *daily), of=story(1, date=START + hours(1)))
    assert found.gained == 700
    assert found.projected == pytest.approx(25)


# --- counts ---------------------------------------------------------------------------------------


def test_buckets_count_when_they_start_in_the_window() -> None:
    readings = series(
        VIEWS, (START - hours(1), 1000), (START, 3), (END - hours(30), 4), (END, 1000), (END + hours(1), 1000)
    )
    assert score(readings).gained == 7


def test_hourly_counts_are_projected_by_their_last_three_hours() -> None:
    readings = series(VIEWS, *((END - hours(back), 30.0) for back in range(1, 11)))
    found = score(readings)
    assert found.gained == 300
    assert found.projected == pytest.approx(180)


def test_daily_counts_are_projected_by_their_last_day() -> None:
    readings = series(READERS, *((END - hours(24 * back), 240.0) for back in range(1, 6)))
    assert score(readings).projected == pytest.approx(60)


def test_a_rate_is_measured_from_a_bucket_s_start_when_the_cut_off_lies_within_one() -> None:
    cut = END - hours(
        15
    )  # 09:00: nine hours of today's bucket, and yesterday's, which reaches into the last day
    readings = series(READERS, (END - hours(72), 240), (END - hours(48), 240), (END - hours(24), 90))
    found = judged(readings, until=cut)
    assert found is not None
    assert found.rate == pytest.approx((240 + 90) / 33)


def test_all_stories_are_measured_over_the_same_time() -> None:
    steady = candidate(story(2), series(VIEWS, *((END - hours(back), 30.0) for back in range(1, 11))))
    found = judged(series(VIEWS, (END - hours(1), 30)), steady)
    assert found is not None
    assert found.rate == pytest.approx(10)


def test_a_count_that_ended_is_not_projected() -> None:
    steady = candidate(story(2), series(VIEWS, *((END - hours(back), 30.0) for back in range(1, 11))))
    ended = series(
        VIEWS, (END - hours(9), 500), (END - hours(3), 500), (END - hours(2), 0), (END - hours(1), 0)
    )
    assert score(ended, steady).projected == 0
    assert score(series(VIEWS, (END - hours(9), 500)), steady).projected == 0


def test_counts_without_a_known_bucket_are_measured_by_their_cadence() -> None:
    unknown = Metric("views", MetricKind.count)
    readings = series(unknown, *((END - hours(back), 30.0) for back in range(1, 11)))
    assert score(readings).projected == pytest.approx(180)


# --- none -----------------------------------------------------------------------------------------


def test_a_story_without_a_reading_in_the_window_has_no_score() -> None:
    assert judged(series(POINTS, (START - hours(1), 100)), *half_hourly(), of=OLD) is None
    assert judged(series(POINTS, (END + hours(1), 100)), *half_hourly()) is None


def test_a_story_without_this_signal_has_no_score() -> None:
    signal = survey(half_hourly(), WEEK, END)["points"]
    assert score_story(story(1), None, signal) is None
