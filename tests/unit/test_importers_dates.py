"""Times are read without guessing."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.importers.dates import OrderSeen, not_future, when
from digest.model import DateOrder

UTC = dt.UTC


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-16", dt.datetime(2026, 11, 16, tzinfo=UTC)),
        ("2026-11-16T08:30:00Z", dt.datetime(2026, 11, 16, 8, 30, tzinfo=UTC)),
        ("2026-11-16 08:30:00 UTC", dt.datetime(2026, 11, 16, 8, 30, tzinfo=UTC)),
        ("2026-11-16T08:30:00.000-06:00", dt.datetime(2026, 11, 16, 14, 30, tzinfo=UTC)),
        ("2026-11-16 8:30 +0100", dt.datetime(2026, 11, 16, 7, 30, tzinfo=UTC)),
        ("2026/1/6 8:30", dt.datetime(2026, 1, 6, 8, 30, tzinfo=UTC)),
        ("20261116", dt.datetime(2026, 11, 16, tzinfo=UTC)),
        ("20261116_083000", dt.datetime(2026, 11, 16, 8, 30, tzinfo=UTC)),
        ("1604883058", dt.datetime(2020, 11, 9, 0, 50, 58, tzinfo=UTC)),
        ("1604883058.0", dt.datetime(2020, 11, 9, 0, 50, 58, tzinfo=UTC)),
        ("1604883058000", dt.datetime(2020, 11, 9, 0, 50, 58, tzinfo=UTC)),
        ("1604883058000000", dt.datetime(2020, 11, 9, 0, 50, 58, tzinfo=UTC)),
        ("Mon, 16 Nov 2026 08:30:00 +0200", dt.datetime(2026, 11, 16, 6, 30, tzinfo=UTC)),
        ("Mon, 16 Nov 2026 08:30:00 EST", dt.datetime(2026, 11, 16, 13, 30, tzinfo=UTC)),
    ],
)
def test_a_stated_time_is_read(text: str, moment: dt.datetime) -> None:
    assert when(text) == moment


def test_a_time_without_zone_is_local() -> None:
    london = ZoneInfo("Europe/London")
    assert when("2026-07-01 12:00", london) == dt.datetime(2026, 7, 1, 11, tzinfo=UTC)
    assert when("1604883058", london) == when("1604883058")


@pytest.mark.parametrize("text", ["", "  ", "0", "0000-00-00 00:00:00"])
def test_an_empty_cell_states_no_time(text: str) -> None:
    assert when(text) is None


@pytest.mark.parametrize(
    "text",
    ["08/04/2016 11:52", "16.11.2026", "yesterday", "12", "2026-13-40", "1970-01-01", "99999999999999999999"],
)
def test_what_would_have_to_be_guessed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"guessing|1971"):
        when(text)


@given(st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_every_form_of_a_moment_is_the_same_moment(moment: dt.datetime) -> None:
    whole = moment.replace(microsecond=0)
    seconds = int(whole.timestamp())
    forms = [whole.isoformat(), whole.strftime("%Y-%m-%d %H:%M:%S UTC"), whole.strftime("%Y%m%dT%H%M%SZ")]
    if seconds > 10**8:
        forms.append(str(seconds))
    assert {when(form) for form in forms} == {whole}


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        made = when(text)
    except ValueError:
        return
    assert made is None or made.tzinfo is not None


def test_a_date_more_than_a_day_ahead_counts_as_missing() -> None:
    seen = dt.datetime(2026, 11, 16, tzinfo=UTC)
    assert not_future(seen + dt.timedelta(hours=23), seen) is not None
    assert not_future(seen + dt.timedelta(hours=25), seen) is None
    assert not_future(None, seen) is None


@pytest.mark.parametrize(
    ("text", "order", "moment"),
    [
        ("8/4/2016 11:52", DateOrder.mdy, dt.datetime(2016, 8, 4, 11, 52, tzinfo=UTC)),
        ("8/4/2016 11:52", DateOrder.dmy, dt.datetime(2016, 4, 8, 11, 52, tzinfo=UTC)),
        ("08.04.2016", DateOrder.dmy, dt.datetime(2016, 4, 8, tzinfo=UTC)),
        ("08-04-16, 1:05:06 PM", DateOrder.dmy, dt.datetime(2016, 4, 8, 13, 5, 6, tzinfo=UTC)),
        ("12/31/99 12:00 a.m.", DateOrder.mdy, dt.datetime(1999, 12, 31, tzinfo=UTC)),
        ("12/31/2016T23:59 -05:00", DateOrder.mdy, dt.datetime(2017, 1, 1, 4, 59, tzinfo=UTC)),
    ],
)
def test_numbers_with_the_year_last_are_read_in_the_order_that_was_said(
    text: str, order: DateOrder, moment: dt.datetime
) -> None:
    assert when(text, order=order) == moment


@pytest.mark.parametrize("text", ["13/13/2016", "31/4/2016", "1/2/2016 13:00 PM", "1/2-2016", "1/2/201"])
def test_numbers_that_are_no_day_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no time"):
        when(text, order=DateOrder.dmy)


def test_without_an_order_nothing_is_guessed() -> None:
    with pytest.raises(ValueError, match="guessing"):
        when("31/12/2016")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("August 4, 2016", dt.datetime(2016, 8, 4, tzinfo=UTC)),
        ("Thursday, 4 August 2016 11:52", dt.datetime(2016, 8, 4, 11, 52, tzinfo=UTC)),
        ("4th Aug. 2016 at 1:05 pm", dt.datetime(2016, 8, 4, 13, 5, tzinfo=UTC)),
        ("4-Sept-2016", dt.datetime(2016, 9, 4, tzinfo=UTC)),
    ],
)
def test_english_months_are_read(text: str, moment: dt.datetime) -> None:
    assert when(text) == moment


@pytest.mark.parametrize(
    "text", ["4 mars 2016", "4 Augmented 2016", "August 2016", "4 août 2016", "Mayor 4, 2016"]
)
def test_other_words_are_no_months(text: str) -> None:
    with pytest.raises(ValueError, match="no time"):
        when(text)


@given(st.lists(st.dates(dt.date(1971, 1, 2), dt.date(2069, 1, 1)), max_size=8), st.sampled_from(DateOrder))
def test_the_order_of_a_column_is_found_or_left_open_but_never_wrong(
    days: list[dt.date], order: DateOrder
) -> None:
    written = [
        f"{d.day}/{d.month}/{d.year}" if order is DateOrder.dmy else f"{d.month}/{d.day}/{d.year}"
        for d in days
    ]
    seen = OrderSeen()
    for text in written:
        seen.add(text)
    if seen.order is None:
        assert any(d.day <= 12 and d.day != d.month for d in days)
        assert all(d.day <= 12 for d in days)
        return
    for text, day in zip(written, days, strict=True):
        assert when(text, order=seen.order) == dt.datetime(day.year, day.month, day.day, tzinfo=UTC)


def test_two_orders_in_one_column_are_none() -> None:
    seen = OrderSeen()
    seen.add("13/4/2016")
    seen.add("4/13/2016")
    assert seen.order is None
    assert (seen.dmy, seen.mdy) == ("13/4/2016", "4/13/2016")


def test_points_mean_that_the_day_comes_first() -> None:
    seen = OrderSeen()
    seen.add("4.8.2016")
    assert seen.order is DateOrder.dmy
    seen.add("4/8/2016")
    assert seen.order is None


@given(st.text(max_size=40))
def test_no_order_makes_anything_else_of_a_text(text: str) -> None:
    for order in (None, *DateOrder):
        try:
            found = when(text, order=order)
        except ValueError:
            continue
        assert found is None or found.tzinfo is UTC
