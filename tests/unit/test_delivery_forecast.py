"""When an edition would be out, said before it is approved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.delivery.forecast import About, Forecast, Measured, Plan, forecast
from digest.delivery.throttle import Throttle
from digest.model import Rate

LONDON = ZoneInfo("Europe/London")
TUESDAY = dt.datetime(2026, 11, 17, 8, 0, tzinfo=dt.UTC)
SECOND, HOUR, DAY = 1, 3600, 86400


def told(
    recipients: int,
    *rates: Rate,
    used: Sequence[tuple[float, int]] = (),
    growth: Rate | None = None,
    speed: float | None = 20.0,
    start: dt.datetime = TUESDAY,
    hours: float = 24,
    zone: dt.tzinfo = LONDON,
    connections: int = 4,
) -> Forecast:
    measured = None if speed is None else Measured(speed, 4)
    stale = start + dt.timedelta(hours=hours)
    return forecast(Plan(recipients, start, stale, rates, used, growth, measured, connections), zone)


def said(found: Forecast) -> list[str]:
    return [notice.words for notice in found.notices]


def test_the_measured_speed_tells_the_finish() -> None:
    found = told(13_200)
    assert found.words == "finishes 08:11"
    assert found.finish == TUESDAY + dt.timedelta(minutes=11)
    assert (found.late, found.notices) == (0, ())


def test_times_are_those_of_the_newsletters_zone() -> None:
    assert told(13_200, zone=ZoneInfo("Europe/Helsinki")).words == "finishes 10:11"


def test_an_edition_for_nobody_is_done_at_once() -> None:
    assert told(0).words == "finishes 08:00"


def test_with_fewer_connections_it_takes_longer_and_with_more_nothing_is_promised() -> None:
    assert told(13_200, connections=2).words == "finishes 08:22"
    assert told(13_200, connections=8).words == "finishes 08:11"


def test_a_limit_a_second_is_a_speed() -> None:
    assert told(13_200, Rate(10, SECOND)).words == "finishes 08:22"
    assert told(13_200, Rate(10, SECOND), speed=None).words == "finishes not before 08:22"


def test_more_than_the_day_allows_leaves_on_another_day() -> None:
    found = told(62_300, Rate(50_000, DAY))
    assert said(found)[0] == ("exceeds the relay's 50,000 a day by 12,300: the rest would leave on Wednesday")
    assert found.notices[0].copies == 12_300
    assert found.notices[0].at
    assert found.notices[0].at.date() == dt.date(2026, 11, 18)
    assert found.words == "finishes Wednesday 08:12"


def test_what_left_already_counts() -> None:
    found = told(2_000, Rate(10_000, DAY), used=[(3600, 9_000)])
    assert "10,000 a day (9,000 of them are used) by 1,000" in said(found)[0]
    assert found.words == "finishes Wednesday 07:00"
    assert told(2_000, Rate(10_000, DAY), used=[(2 * DAY, 9_000)]).notices == ()


def test_an_hourly_limit_spreads_it_over_hours() -> None:
    found = told(25_000, Rate(10_000, HOUR))
    assert said(found) == ["exceeds the relay's 10,000 an hour by 15,000: the rest would leave from 09:00"]
    assert found.words == "finishes 10:04"


def test_copies_that_would_be_too_late_are_counted() -> None:
    found = told(51_200, Rate(50_000, DAY))
    assert found.late == 1_200
    assert said(found)[1] == "1,200 would be too late (lateness 1d)"
    found = told(36_100, speed=10.0, hours=1)
    assert (found.late, said(found)) == (100, ["100 would be too late (lateness 1h)"])


def test_the_cap_on_growth_delays_and_leaves_nobody_out() -> None:
    found = told(40_000, growth=Rate(15_000, HOUR))
    assert found.notices[0].words == (
        "the last edition was smaller: 15,000 leave in an hour (growth), and the other 25,000 would follow "
        "from 09:00"
    )
    assert found.words == "finishes 10:08"
    assert found.notices[0].about is About.growth


def test_without_a_measured_speed_only_limits_are_known() -> None:
    assert told(5_000, speed=None).words == "how long sending takes can be said once an edition has left"
    assert told(5_000, speed=None).finish is None
    found = told(25_000, Rate(10_000, HOUR), speed=None)
    assert found.words == "finishes not before 10:00"
    assert said(found)[0] == "no edition has left yet: only the limits are counted"


def test_what_would_take_a_month_has_no_finish() -> None:
    found = told(1_000_000, Rate(10, HOUR))
    assert found.words == "takes more than a month"
    assert found.finish is None
    assert found.late == 1_000_000 - 24 * 10
    months = told(40_000, Rate(1_000, DAY), Rate(39_999, HOUR), hours=1e4)
    assert said(months)[0].endswith("the rest would leave on Wednesday")
    assert said(months)[1].endswith("after more than a month")


def test_a_far_day_is_named_by_its_date() -> None:
    assert told(10_500, Rate(1_000, DAY)).words == "finishes 27 November 08:05"


def test_a_change_of_clocks_on_the_way_is_kept() -> None:
    night = dt.datetime(
        2026, 10, 25, 0, 30, tzinfo=dt.UTC
    )  # 01:30 in London, an hour before it is 01:30 again
    assert told(72_000, start=night).words == "finishes 01:30"


@settings(max_examples=40, deadline=None)
@given(
    recipients=st.integers(1, 3_000),
    speed=st.integers(1, 50),
    limits=st.tuples(st.integers(0, 40), st.integers(0, 1_500), st.integers(0, 5_000)),
    used=st.lists(st.tuples(st.integers(0, 80_000), st.integers(1, 400)), max_size=4),
    growth=st.none() | st.builds(Rate, st.integers(200, 2_000), st.just(HOUR)),
)
def test_it_agrees_with_a_run_through_the_throttle(
    recipients: int,
    speed: int,
    limits: tuple[int, int, int],
    used: list[tuple[float, int]],
    growth: Rate | None,
) -> None:
    """A run that starts each copy as soon as the throttle and the relay's speed let it."""
    rates = [Rate(count, span) for count, span in zip(limits, (SECOND, HOUR, DAY), strict=True)]
    found = told(recipients, *rates, used=used, growth=growth, speed=float(speed), hours=100)
    throttle = Throttle(rates)
    throttle.seed(0.0, used)
    throttle = throttle.narrowed(growth) if growth else throttle
    now, left = 0.0, recipients
    while left and now < 31 * DAY:
        taken = throttle.take(now, min(left, 1 + speed // 10))
        left -= taken
        now += taken / speed or max(throttle.wait(now), 1e-3)
    if found.finish is None:
        assert now > 20 * DAY
        return
    assert not left
    predicted = (found.finish - TUESDAY).total_seconds()
    assert predicted == pytest.approx(now, rel=0.06, abs=60)
