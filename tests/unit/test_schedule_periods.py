"""Windows tile time, steps keep their order, and a changed schedule neither overlaps nor leaves a hole."""

from __future__ import annotations

import datetime as dt
import itertools
import zoneinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.config.settings import Newsletter
from digest.errors import ConfigError
from digest.model import Period, Window
from digest.schedule import (
    Moment,
    Schedule,
    containing,
    first,
    following,
    last_complete,
    period,
    periods_after,
    periods_between,
)

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
NAMED = ("Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia",
         "America/Sao_Paulo", "Pacific/Kiritimati", "UTC")  # fmt: skip
ZONES = st.sampled_from(NAMED) | st.sampled_from(
    sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
)
TIMES = st.sampled_from([dt.time(0), dt.time(1, 30), dt.time(2, 15), dt.time(23, 59)]) | st.times().map(
    lambda time: time.replace(second=0, microsecond=0)
)
INSTANTS = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2060, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001 - bounds are naive by contract


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    days = draw(st.sampled_from([7, 1]))
    weekdays = st.none() if days == 1 else st.none() | st.integers(0, 6)
    start = Moment(None if days == 1 else draw(st.integers(0, 6)), draw(TIMES))
    build, lock, send = (Moment(draw(weekdays), draw(TIMES)) for _ in range(3))
    return Schedule(ZoneInfo(draw(ZONES)), days, start, build, lock, send)


def weekly(zone: str = "Europe/London", start: str = "mon 00:00", **changes: str) -> Schedule:
    section = {
        "zone": zone,
        "window_start": start,
        "build": "08:00",
        "lock": "09:00",
        "send": "10:00",
        **changes,
    }
    return Schedule.of(Newsletter(name="W", sender="n@example.org").model_copy(update=section))


def daily(zone: str = "Europe/London", start: str = "00:00", **changes: str) -> Schedule:
    return weekly(zone, start, window="1d", **changes)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


# --- examples -------------------------------------------------------------------------------------


def test_the_default_newsletter_has_a_week_a_day_of_grace_and_a_morning() -> None:
    schedule = Schedule.of(Newsletter(name="W", sender="n@example.org"))
    assert period(schedule, dt.date(2026, 11, 9)) == Period(
        dt.date(2026, 11, 9),
        Window(utc("2026-11-09T00:00"), utc("2026-11-16T00:00")),
        build_at=utc("2026-11-16T06:00"),
        lock_at=utc("2026-11-17T08:00"),
        send_at=utc("2026-11-17T09:00"),
    )


@pytest.mark.parametrize(
    ("zone", "start", "hours"),
    [
        ("Europe/London", "2026-11-09", 168),
        ("Europe/London", "2026-03-23", 167),
        ("Europe/London", "2026-10-19", 169),
        ("America/New_York", "2026-03-02", 167),
        ("America/New_York", "2026-10-26", 169),
        ("Australia/Lord_Howe", "2026-09-28", 167.5),
        ("Australia/Lord_Howe", "2026-03-30", 168.5),
        ("Asia/Kathmandu", "2026-03-23", 168),
        ("Pacific/Apia", "2011-12-26", 144),
        ("America/Sao_Paulo", "2018-10-29", 167),
    ],
)
def test_a_week_has_the_hours_that_its_clocks_give_it(zone: str, start: str, hours: float) -> None:
    assert period(weekly(zone), dt.date.fromisoformat(start)).window.length == hours * HOUR


def test_a_week_may_begin_at_a_midnight_that_never_was() -> None:
    window = period(weekly("America/Sao_Paulo", "sun 00:00"), dt.date(2018, 11, 4)).window
    assert window.start == utc("2018-11-04T03:00")
    assert window.start.astimezone(ZoneInfo("America/Sao_Paulo")).hour == 1


def test_a_day_that_never_was_has_no_period() -> None:
    schedule = daily("Pacific/Apia")
    before = period(schedule, dt.date(2011, 12, 29))
    after = following(schedule, before)
    assert after.start_date == dt.date(2011, 12, 31)
    assert after.window.start == before.window.end
    assert last_complete(schedule, after.window.start) == before
    with pytest.raises(ValueError, match=r"2011-12-30: that day never was in Pacific/Apia"):
        period(schedule, dt.date(2011, 12, 30))


def test_a_week_starts_on_its_weekday_only() -> None:
    with pytest.raises(ValueError, match="no period starts on Tue 2026-11-10"):
        period(weekly(), dt.date(2026, 11, 10))


def test_steps_in_the_missing_hour_keep_their_order_a_minute_apart() -> None:
    schedule = weekly(start="sun 01:10", build="sun 01:20", lock="sun 01:30", send="sun 01:40")
    squeezed = period(schedule, dt.date(2026, 3, 22))
    assert squeezed.window.end == squeezed.build_at == utc("2026-03-29T01:00")
    assert squeezed.lock_at == utc("2026-03-29T01:01")
    assert squeezed.send_at == utc("2026-03-29T01:02")


def test_steps_in_the_repeated_hour_happen_the_first_time() -> None:
    schedule = weekly(start="sun 00:00", build="sun 01:20", lock="sun 01:30", send="sun 02:00")
    doubled = period(schedule, dt.date(2026, 10, 18))
    assert doubled.build_at == utc("2026-10-25T00:20")
    assert doubled.lock_at == utc("2026-10-25T00:30")
    assert doubled.send_at == utc("2026-10-25T02:00")


def test_a_build_at_the_very_end_of_the_window_is_at_once() -> None:
    found = period(weekly(build="mon 00:00", lock="mon 00:00", send="mon 00:00"), dt.date(2026, 11, 9))
    assert found.build_at == found.window.end
    assert (found.lock_at - found.build_at, found.send_at - found.lock_at) == (7 * DAY, 7 * DAY)


def test_for_a_day_only_the_times_count() -> None:
    section = {"window": "1d", "name": "D", "sender": "n@example.org"}  # its moments have weekdays
    found = period(Schedule.of(Newsletter.model_validate(section)), dt.date(2026, 11, 18))
    assert found.window.length == DAY
    assert (found.build_at, found.lock_at, found.send_at) == (
        utc("2026-11-19T06:00"),
        utc("2026-11-19T08:00"),
        utc("2026-11-19T09:00"),
    )


def test_a_weekly_step_without_a_weekday_is_the_next_such_time() -> None:
    found = period(weekly(build="06:00", lock="05:00", send="05:30"), dt.date(2026, 11, 9))
    assert found.build_at == utc("2026-11-16T06:00")
    assert (found.lock_at, found.send_at) == (utc("2026-11-17T05:00"), utc("2026-11-17T05:30"))


@pytest.mark.parametrize(
    ("change", "key", "allowed"),
    [
        ({"window_start": "00:00"}, "window_start", "mon 00:00"),
        ({"build": "noon"}, "build", "mon 06:00"),
        ({"zone": "Mars/Olympus"}, "zone", "Europe/London"),
        ({"zone": "/etc/localtime"}, "zone", "Europe/London"),
    ],
)
def test_a_schedule_that_cannot_be_names_its_key(change: dict[str, str], key: str, allowed: str) -> None:
    usual = Newsletter(name="W", sender="n@example.org")
    with pytest.raises(ConfigError, match=allowed) as caught:
        Schedule.of(usual.model_copy(update=change))
    assert caught.value.key == key


def test_the_last_complete_week_is_the_one_that_has_ended() -> None:
    at = utc("2026-11-16T00:00")
    assert last_complete(weekly(), at).start_date == dt.date(2026, 11, 9)
    assert last_complete(weekly(), at - dt.timedelta(seconds=1)).start_date == dt.date(2026, 11, 2)
    assert containing(weekly(), at).start_date == dt.date(2026, 11, 16)


def test_a_new_newsletter_begins_with_the_first_build_that_is_still_to_come() -> None:
    schedule = weekly()
    assert first(schedule, utc("2026-11-16T08:00")).start_date == dt.date(2026, 11, 9)
    assert first(schedule, utc("2026-11-16T08:01")).start_date == dt.date(2026, 11, 16)
    slow = weekly(start="mon 00:00", build="sun 23:00")
    assert first(slow, utc("2026-11-17T00:00")).start_date == dt.date(2026, 11, 9)


def test_periods_between_two_moments_lie_wholly_between_them() -> None:
    found = periods_between(weekly(), utc("2026-11-03T00:00"), utc("2026-11-30T00:00"))
    assert [one.start_date.day for one in found] == [9, 16, 23]
    assert len(periods_between(weekly(), utc("2026-11-02T00:00"), utc("2026-11-30T00:00"))) == 4
    assert len(periods_between(weekly(), utc("1990-01-01T00:00"), utc("2026-11-30T00:00"), limit=5)) == 5


# --- a changed schedule ---------------------------------------------------------------------------


def test_a_short_remainder_joins_the_next_window() -> None:
    before = period(weekly(), dt.date(2026, 11, 9))
    after = following(weekly(start="wed 00:00"), before)
    assert (after.window.start, after.window.end) == (utc("2026-11-16T00:00"), utc("2026-11-25T00:00"))
    assert after.start_date == dt.date(2026, 11, 16)
    assert following(weekly(start="wed 00:00"), after).start_date == dt.date(2026, 11, 25)


def test_a_long_remainder_is_a_window_of_its_own() -> None:
    before = period(weekly(start="wed 00:00"), dt.date(2026, 11, 11))
    after = following(weekly(start="tue 00:00"), before)
    assert (after.window.start, after.window.end) == (utc("2026-11-18T00:00"), utc("2026-11-24T00:00"))
    assert after.start_date == dt.date(2026, 11, 18)
    assert following(weekly(start="tue 00:00"), after) == period(
        weekly(start="tue 00:00"), dt.date(2026, 11, 24)
    )


def test_from_weeks_to_days_and_back() -> None:
    week = period(weekly(), dt.date(2026, 11, 9))
    day = following(daily(), week)
    assert (day.start_date, day.window.length) == (dt.date(2026, 11, 16), DAY)
    saturday = period(daily(), dt.date(2026, 11, 20))
    assert following(weekly(), saturday).window.length == 9 * DAY
    tuesday = period(daily(), dt.date(2026, 11, 16))
    assert following(weekly(), tuesday).window.length == 6 * DAY


def test_a_new_zone_never_uses_a_start_date_twice() -> None:
    before = period(daily("Pacific/Kiritimati"), dt.date(2026, 11, 16))
    after = following(daily("UTC"), before)
    assert after.start_date == dt.date(2026, 11, 17)
    assert (after.window.start, after.window.end) == (utc("2026-11-16T10:00"), utc("2026-11-18T00:00"))


def test_a_short_day_gives_its_date_to_neither_neighbour() -> None:
    before = period(daily(start="06:00"), dt.date(2026, 11, 16))
    late = daily(start="23:00")
    after = following(late, before)
    assert (after.window.start, after.window.end) == (utc("2026-11-17T06:00"), utc("2026-11-18T23:00"))
    assert after.start_date == dt.date(2026, 11, 17)
    assert following(late, after) == period(late, dt.date(2026, 11, 18))


def test_what_is_complete_never_overlaps_an_edition_of_the_old_schedule() -> None:
    edition = period(weekly(), dt.date(2026, 11, 9))
    wednesday = weekly(start="wed 00:00")
    assert last_complete(wednesday, utc("2026-11-19T00:00"), previous=edition) == edition
    found = last_complete(wednesday, utc("2026-12-05T00:00"), previous=edition)
    assert found == period(wednesday, dt.date(2026, 11, 25))
    assert last_complete(weekly(), utc("2026-11-30T00:00"), previous=edition).start_date == dt.date(
        2026, 11, 23
    )


# --- properties -----------------------------------------------------------------------------------


@given(schedules(), INSTANTS)
@example(daily("Pacific/Apia"), utc("2011-12-29T12:00"))
@example(daily("America/Sao_Paulo"), utc("2018-11-03T12:00"))
@example(weekly("Australia/Lord_Howe", "sun 02:15"), utc("2026-09-28T12:00"))
def test_windows_tile_time(schedule: Schedule, at: dt.datetime) -> None:
    current = containing(schedule, at)
    assert at in current.window
    assert period(schedule, current.start_date) == current
    for before, after in itertools.pairwise(
        itertools.islice(periods_after(schedule, current, current.window.start), 5)
    ):
        assert before.window.end == after.window.start
        assert before.start_date < after.start_date
        assert last_complete(schedule, after.window.start) == before
        assert containing(schedule, after.window.end - dt.timedelta(microseconds=1)) == after
        assert abs(after.window.length - schedule.days * DAY) <= 26 * HOUR


@given(schedules(), INSTANTS)
@example(
    weekly(start="sun 01:10", build="sun 01:20", lock="sun 01:30", send="sun 01:40"), utc("2026-03-28T00:00")
)
def test_steps_come_in_order(schedule: Schedule, at: dt.datetime) -> None:
    found = containing(schedule, at)
    assert found.window.start < found.window.end <= found.build_at < found.lock_at < found.send_at
    assert found.send_at - found.window.end <= (3 * schedule.days + 2) * DAY


@given(schedules(), INSTANTS)
def test_the_first_period_is_the_earliest_still_to_be_built(schedule: Schedule, since: dt.datetime) -> None:
    found = first(schedule, since)
    assert found.build_at >= since
    assert last_complete(schedule, found.window.start).build_at < since or (
        last_complete(schedule, found.window.start).build_at == found.build_at
    )


@given(st.lists(schedules(), min_size=2, max_size=4), INSTANTS, st.integers(0, 3))
def test_no_change_of_schedule_makes_an_overlap_or_a_hole(
    several: list[Schedule], at: dt.datetime, turns: int
) -> None:
    current = containing(several[0], at)
    for schedule in several[1:]:
        for after in itertools.islice(periods_after(schedule, current, current.window.end), turns + 1):
            assert after.window.start == current.window.end
            assert after.start_date > current.start_date
            assert after.window.length * 2 >= schedule.days * DAY - 26 * HOUR
            assert after.build_at >= after.window.end
            current = after
