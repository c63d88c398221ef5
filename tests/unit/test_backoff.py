from __future__ import annotations

import datetime as dt

from digest.work.backoff import Backoff

NOW = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def test_each_failure_in_a_row_doubles_the_wait_up_to_the_longest() -> None:
    backoff = Backoff(MINUTE, 15 * MINUTE)
    waits = [(backoff.failed("relay", NOW) - NOW) / MINUTE for _ in range(40)]
    assert waits[:6] == [1, 2, 4, 8, 15, 15]
    assert set(waits[6:]) == {15}


def test_it_waits_until_the_moment_and_then_no_longer() -> None:
    backoff = Backoff(MINUTE, 15 * MINUTE)
    assert not backoff.waits("relay", NOW)
    backoff.failed("relay", NOW)
    assert backoff.waits("relay", NOW)
    assert backoff.waits("relay", NOW + MINUTE * 0.99)
    assert not backoff.waits("relay", NOW + MINUTE)


def test_what_was_asked_for_is_waited_for_where_that_is_longer() -> None:
    backoff = Backoff(MINUTE, 15 * MINUTE)
    assert backoff.failed("relay", NOW, asked=120 * MINUTE) == NOW + 120 * MINUTE
    assert backoff.waits("relay", NOW + 119 * MINUTE)
    assert backoff.failed("relay", NOW, asked=MINUTE) == NOW + 2 * MINUTE


def test_a_success_forgets_the_failures_of_that_thing_only() -> None:
    backoff = Backoff(MINUTE, 15 * MINUTE)
    for what in ("relay", "relay", "other"):
        backoff.failed(what, NOW)
    backoff.went_well("relay")
    backoff.went_well("never failed")
    assert not backoff.waits("relay", NOW)
    assert backoff.waits("other", NOW)
    assert backoff.failed("relay", NOW) == NOW + MINUTE


def test_a_clock_that_was_set_back_does_not_prolong_a_wait() -> None:
    backoff = Backoff(MINUTE, 15 * MINUTE)
    backoff.failed("relay", NOW)
    assert not backoff.waits("relay", NOW - dt.timedelta(days=1))
