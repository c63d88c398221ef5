"""How often one link may act."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from digest.web.guard import Attempts

START = dt.datetime(2026, 11, 16, 8, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def test_a_link_may_act_so_often_and_then_has_to_wait() -> None:
    attempts = Attempts(limit=3, within=MINUTE)
    assert [attempts.wait("a", START) for _ in range(4)] == [0, 0, 0, 60]
    assert attempts.wait("a", START + dt.timedelta(seconds=45.5)) == 15
    assert attempts.wait("a", START + MINUTE) == 0


def test_one_link_does_not_slow_another() -> None:
    attempts = Attempts(limit=1, within=MINUTE)
    assert [attempts.wait(key, START) for key in ("a", "b", "a", "b")] == [0, 0, 60, 60]


def test_only_the_latest_links_are_remembered() -> None:
    attempts = Attempts(limit=1, within=MINUTE, most_keys=2)
    assert [attempts.wait(key, START) for key in ("a", "b", "c", "a")] == [0, 0, 0, 0]


def test_a_clock_that_was_set_back_blocks_nobody() -> None:
    attempts = Attempts(limit=1, within=MINUTE)
    attempts.wait("a", START)
    assert attempts.wait("a", START - dt.timedelta(days=1)) == 0


@given(st.lists(st.floats(0, 300), max_size=60))
def test_no_more_than_the_limit_ever_act_within_a_period(seconds: list[float]) -> None:
    attempts = Attempts(limit=5, within=MINUTE)
    moments = [START + dt.timedelta(seconds=each) for each in sorted(seconds)]
    acted = [moment for moment in moments if attempts.wait("a", moment) == 0]
    # Periods stand side by side: at most two of them touch any minute.
    for moment in acted:
        assert sum(moment <= other < moment + MINUTE for other in acted) <= 10
