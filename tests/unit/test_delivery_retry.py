"""When deferred copies are tried again, and what progress says."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.delivery import RetryPolicy, Stop
from digest.delivery.progress import Meter, Progress
from digest.model import DeliveryState

NOW = dt.datetime(2026, 11, 16, 8, 0, tzinfo=dt.UTC)
STALE = NOW + dt.timedelta(days=3)
MINUTE = dt.timedelta(minutes=1)
POLICY = RetryPolicy()


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 30), (2, 60), (3, 120), (4, 240), (5, 360), (50, 360)])
def test_waits_double_up_to_six_hours(attempts: int, minutes: int) -> None:
    assert POLICY.next_attempt(attempts, NOW, stale=STALE, random=lambda: 0.0) == NOW + minutes * MINUTE


def test_jitter_only_lengthens() -> None:
    assert POLICY.next_attempt(1, NOW, stale=STALE, random=lambda: 0.999) <= NOW + 37.5 * MINUTE  # type: ignore[operator]


def test_the_wait_that_the_server_asked_for_is_obeyed() -> None:
    at = POLICY.next_attempt(1, NOW, stale=STALE, random=lambda: 0.0, asked=5 * MINUTE)
    assert at == NOW + 5 * MINUTE
    at = POLICY.next_attempt(1, NOW, stale=STALE, random=lambda: 0.0, asked=10 * 60 * MINUTE)
    assert at == NOW + 600 * MINUTE


def test_no_server_can_make_us_come_back_at_once() -> None:
    at = POLICY.next_attempt(1, NOW, stale=STALE, random=lambda: 0.0, asked=dt.timedelta(seconds=1))
    assert at == NOW + MINUTE


def test_a_wait_that_would_reach_beyond_the_end_is_cut_for_one_more_try() -> None:
    """With five hours left, the six of the doubling wait would give up with time to spare."""
    for luck in (0.0, 0.999):
        at = POLICY.next_attempt(9, NOW, stale=NOW + 300 * MINUTE, random=itertools.repeat(luck).__next__)
        assert at is not None
        assert NOW + 220 * MINUTE < at < NOW + 300 * MINUTE
    asked = POLICY.next_attempt(1, NOW, stale=NOW + 300 * MINUTE, random=lambda: 0.0, asked=301 * MINUTE)
    assert asked is None  # no sooner than the server wants


def test_a_copy_is_tried_for_as_long_as_the_edition_is_news() -> None:
    """Deferred at every try, it is tried to the end, each time at least half an hour later."""
    tries, now = 0, NOW
    while at := POLICY.next_attempt(tries + 1, now, stale=NOW + 24 * 60 * MINUTE, random=lambda: 0.5):
        assert at - now >= 30 * MINUTE
        tries, now = tries + 1, at
    assert 6 <= tries <= 12
    assert NOW + 24 * 60 * MINUTE - now <= 40 * MINUTE


def test_too_late_is_none() -> None:
    assert POLICY.next_attempt(1, NOW, stale=NOW + 30 * MINUTE, random=lambda: 0.0) is None
    assert POLICY.next_attempt(1, NOW, stale=NOW + 31 * MINUTE, random=lambda: 0.0) is not None


@given(
    st.integers(0, 10_000),
    st.floats(0, 0.999999),
    st.none() | st.timedeltas(dt.timedelta(0), dt.timedelta(days=7)),
)
def test_a_next_attempt_is_later_and_before_the_edition_is_stale(
    attempts: int, luck: float, asked: dt.timedelta | None
) -> None:
    at = POLICY.next_attempt(attempts, NOW, stale=STALE, random=lambda: luck, asked=asked)
    if at is not None:
        assert NOW + max(asked or 30 * MINUTE, MINUTE) <= at < STALE


# --- progress -----------------------------------------------------------------------------------------


def test_progress_tells_rate_and_time_left() -> None:
    time = 0.0
    seen: list[Progress] = []
    meter = Meter(100, seen.append, lambda: time)
    for _ in range(40):
        time += 0.05
        meter.count(DeliveryState.accepted)
    last = meter.look()
    assert (last.done, last.left) == ({DeliveryState.accepted: 40}, 60)
    assert last.rate == pytest.approx(20)
    assert last.seconds_left == pytest.approx(3)
    assert 15 < len(seen) < 30  # ten a second, not one a copy


def test_the_rate_is_of_the_last_ten_seconds() -> None:
    time = 0.0
    meter = Meter(1000, None, lambda: time)
    for _ in range(100):
        time += 0.1
        meter.count(DeliveryState.accepted)
        meter.look()
    time += 60
    meter.look()
    time += 1
    assert meter.look().rate < 1


def test_there_is_no_time_left_without_a_rate() -> None:
    meter = Meter(10, None, lambda: 0.0)
    assert meter.look().seconds_left is None
    assert meter.look().settled == 0


def test_copies_that_go_back_to_the_queue_are_no_progress() -> None:
    meter = Meter(10, None, lambda: 0.0)
    meter.count(DeliveryState.queued)
    assert meter.look().left == 10


# --- stop ---------------------------------------------------------------------------------------------


def test_asking_twice_is_urgent_and_listeners_hear_both() -> None:
    stop, heard = Stop(), list[bool]()
    stop.listen(lambda: heard.append(stop.urgent))
    stop.ask()
    stop.ask()
    assert heard == [False, True]
