"""Numbers and moments as an editor would write them."""

from __future__ import annotations

import dataclasses
import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from digest.model import Metric, MetricKind
from digest.ranking import figures
from tests.ranking_material import POINTS, READERS, VIEWS

WEEK = dt.timedelta(days=7)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (4210, "4,210"),
        (0, "0"),
        (2.5, "2.5"),
        (9.99, "10"),
        (12.6, "13"),
        (3.0, "3"),
        (1_234_567.4, "1,234,567"),
    ],
)
def test_numbers_have_thousands_separators_and_few_decimals(value: float, written: str) -> None:
    assert figures.number(value) == written


def test_a_metric_is_called_by_its_own_word() -> None:
    assert figures.unit(POINTS, WEEK) == "points"
    assert figures.unit(VIEWS, WEEK) == "page views"


def test_daily_readers_summed_over_a_week_are_reader_days() -> None:
    assert figures.unit(READERS, WEEK) == "reader-days"
    assert figures.unit(READERS, dt.timedelta(days=1)) == "readers"


@pytest.mark.parametrize("bucket", [dt.timedelta(hours=1), dt.timedelta(days=2), None])
def test_other_sums_of_readers_are_reads(bucket: dt.timedelta | None) -> None:
    hourly = dataclasses.replace(READERS, bucket=bucket)
    assert figures.unit(hourly, WEEK) == "reads"
    assert figures.measured(1, figures.unit(hourly, WEEK)) == "1 read"
    assert figures.unit(hourly) == "readers"  # as a rate: so many in an hour


def test_a_week_s_readers_counted_in_one_bucket_are_readers() -> None:
    assert figures.unit(dataclasses.replace(READERS, bucket=WEEK), WEEK) == "readers"


def test_readers_counted_once_stay_readers() -> None:
    once = Metric("readers", MetricKind.total, distinct=True)
    assert figures.measured(4210, figures.unit(once, WEEK)) == "4,210 readers"


def test_one_is_not_a_plural() -> None:
    assert figures.measured(1, "points") == "1 point"
    assert figures.measured(1.4, "points") == "1.4 points"
    assert figures.stories(1) == "1 story"
    assert figures.stories(1200) == "1,200 stories"


@pytest.mark.parametrize(
    ("ratio", "written"), [(2.13, "2.1x"), (9.96, "10x"), (38.4, "38x"), (1234.0, "1,234x")]
)
def test_ratios_lose_their_decimal_when_they_are_large(ratio: float, written: str) -> None:
    assert figures.times(ratio) == written


@pytest.mark.parametrize(
    ("span", "written"),
    [
        (dt.timedelta(0), "0 minutes"),
        (dt.timedelta(seconds=61), "1 minute"),
        (dt.timedelta(minutes=40), "40 minutes"),
        (dt.timedelta(hours=1), "1 hour"),
        (dt.timedelta(hours=36), "36 hours"),
        (dt.timedelta(days=3), "3 days"),
    ],
)
def test_lengths_are_told_in_their_largest_sensible_unit(span: dt.timedelta, written: str) -> None:
    assert figures.length(span) == written


def test_moments_are_told_in_their_own_zone() -> None:
    at = dt.datetime(2026, 11, 14, 8, 5, tzinfo=ZoneInfo("Europe/Berlin"))
    assert figures.moment(at) == "14 November, 08:05 CET"


@pytest.mark.parametrize(
    ("place", "written"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (12, "12th"), (21, "21st"), (113, "113th")],
)
def test_ordinals(place: int, written: str) -> None:
    assert figures.ordinal(place) == written


def test_a_long_heading_is_cut_at_a_word() -> None:
    quoted = figures.quoted(
        "Whistleblower: the breach was, in the words of those who saw it, catastrophic", 40
    )
    assert quoted == "“Whistleblower: the breach was, in the…”"
    assert figures.quoted("a" * 70, 20) == f"“{'a' * 19}…”"
    assert figures.quoted("  two\n lines ") == "“two lines”"
