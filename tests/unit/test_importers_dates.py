"""Times are read without guessing."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.importers.dates import not_future, when

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
