"""Local times that clock changes skip and repeat: one rule, on named clocks and on all of them."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.schedule import instant

ZONES = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
FROM, UNTIL = dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)  # noqa: DTZ001 - local times are naive
LOCAL = st.datetimes(FROM, UNTIL).map(lambda at: at.replace(microsecond=0))


@pytest.mark.parametrize(
    ("zone", "local", "moment"),
    [
        ("Europe/London", "2026-11-16 09:00", "2026-11-16T09:00+00:00"),
        ("Europe/London", "2026-03-29 01:30", "2026-03-29T01:00+00:00"),  # skipped: as the gap ends
        ("Europe/London", "2026-10-25 01:30", "2026-10-25T00:30+00:00"),  # repeated: the first time
        ("Europe/London", "2026-10-25 02:00", "2026-10-25T02:00+00:00"),
        ("America/New_York", "2026-03-08 02:30", "2026-03-08T07:00+00:00"),
        ("America/New_York", "2026-11-01 01:30", "2026-11-01T05:30+00:00"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03T15:30+00:00"),
        ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04T14:45+00:00"),
        ("Asia/Kathmandu", "2026-11-16 00:00", "2026-11-15T18:15+00:00"),
        ("Asia/Kathmandu", "1986-01-01 00:10", "1985-12-31T18:30+00:00"),
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30T10:00+00:00"),  # a day that never was
        ("Pacific/Apia", "2011-12-31 00:00", "2011-12-30T10:00+00:00"),
        ("America/Sao_Paulo", "2018-11-04 00:00", "2018-11-04T03:00+00:00"),  # no midnight that day
    ],
)
def test_a_local_time_happens_at_one_moment(zone: str, local: str, moment: str) -> None:
    assert instant(ZoneInfo(zone), dt.datetime.fromisoformat(local)) == dt.datetime.fromisoformat(moment)


@given(st.sampled_from(ZONES), LOCAL)
def test_it_is_the_first_moment_at_which_the_clock_shows_that_time_or_a_later_one(
    key: str, local: dt.datetime
) -> None:
    zone = ZoneInfo(key)
    moment = instant(zone, local)

    def shown(at: dt.datetime) -> dt.datetime:
        return at.astimezone(zone).replace(tzinfo=None)

    assert moment.tzinfo is dt.UTC
    assert shown(moment) >= local
    assert shown(moment - dt.timedelta(seconds=1)) < local
    for hours in (1, 2, 12, 24, 30):
        assert shown(moment - dt.timedelta(hours=hours)) < local


@given(st.sampled_from(ZONES), LOCAL, st.timedeltas(dt.timedelta(0), dt.timedelta(days=3)))
def test_an_earlier_local_time_never_happens_later(key: str, local: dt.datetime, by: dt.timedelta) -> None:
    zone = ZoneInfo(key)
    assert instant(zone, local) <= instant(zone, local + dt.timedelta(seconds=int(by.total_seconds())))
