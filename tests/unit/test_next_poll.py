"""When a source is looked at next."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config.settings import Source
from digest.store.sources import SourceState
from digest.work.next_poll import DAY, LONGEST, mark, next_poll, wait, wait_asked_for

NOW = dt.datetime(2026, 11, 16, 8, 0, tzinfo=dt.UTC)
SOURCE = Source(name="paper", url="https://paper.example/feed")
SECOND = dt.timedelta(seconds=1)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Mon, 16 Nov 2026 08:02:00 GMT", 120),
        ("Monday, 16-Nov-26 08:02:00 GMT", 120),
        ("Mon Nov 16 08:02:00 2026", 120),
        ("Mon, 16 Nov 2026 07:00:00 GMT", 0),
    ],
)
def test_retry_after_is_read_in_all_its_forms(said: str, seconds: int) -> None:
    assert wait_asked_for(said, "", NOW) == seconds * SECOND


@pytest.mark.parametrize("said", ["", "-5", "1.5", "soon", "٣", "Mon, 99 Nov 2026 08:02:00 GMT"])
def test_what_is_no_retry_after_is_none(said: str) -> None:
    assert wait_asked_for(said, "", NOW) is None


def test_a_servers_date_is_held_against_its_own_clock() -> None:
    said, date = "Mon, 16 Nov 2026 20:02:00 GMT", "Mon, 16 Nov 2026 20:00:00 GMT"
    assert wait_asked_for(said, date, NOW) == 120 * SECOND


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{1,30}", fullmatch=True), st.text(max_size=40))
def test_any_retry_after_is_a_wait_or_nothing(said: str, date: str) -> None:
    asked = wait_asked_for(said, date, NOW)
    assert asked is None or asked >= dt.timedelta()
    assert SOURCE.every <= wait(SOURCE, 1, status=503, asked=asked, random=lambda: 0.99) <= 1.25 * DAY


@given(
    st.integers(0, 10**6),
    st.sampled_from([0, 200, 404, 410, 429, 500, 503]),
    st.none() | st.timedeltas(dt.timedelta(), dt.timedelta(days=30)),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from([dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=7)]),
)
def test_a_wait_is_never_shorter_than_the_usual_one_and_ends(
    failures: int, status: int, asked: dt.timedelta | None, dice: float, every: dt.timedelta
) -> None:
    source = SOURCE.model_copy(update={"every": every})
    waited = wait(source, failures, status=status, asked=asked, random=lambda: dice)
    assert every <= waited <= 1.25 * max(DAY, every)
    if status not in (410, 429, 503):
        assert waited <= 1.25 * max(LONGEST, every)
    if status == 429 and asked is not None:
        assert waited >= min(asked, DAY)


@given(st.timedeltas(-DAY, DAY), st.none() | st.timedeltas(-DAY, DAY))
def test_the_next_poll_is_now_or_later_and_never_out_of_reach(
    last: dt.timedelta, after: dt.timedelta | None
) -> None:
    not_before = None if after is None else NOW + last + after
    state = SourceState("paper", last_poll=NOW + last, not_before=not_before, address=mark(SOURCE))
    assert NOW <= next_poll(SOURCE, state, NOW) <= NOW + DAY
