"""Moments of config.toml: what is read and what is refused."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config.moments import WEEKDAYS, parse_moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("mon 06:00", (0, dt.time(6))),
        ("sun 23:59", (6, dt.time(23, 59))),
        (" Tue\t00:00 ", (1, dt.time(0))),
        ("06:30", (None, dt.time(6, 30))),
    ],
)
def test_a_moment_is_read(text: str, moment: tuple[int | None, dt.time]) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mon",
        "monday 06:00",
        "mon 6:00",
        "mon 24:00",
        "06:60",
        "mon06:00",
        "06:00:00",
        "0 9 * * 1",
        "mon ٠٦:٠٠",
    ],
)
def test_anything_else_is_refused_with_the_allowed_form(text: str) -> None:
    with pytest.raises(ValueError, match=r'allowed: "mon 06:00"'):
        parse_moment(text)


@given(st.none() | st.integers(0, 6), st.times())
def test_every_moment_is_read_back(day: int | None, time: dt.time) -> None:
    minute = time.replace(second=0, microsecond=0, tzinfo=None)
    text = f"{minute:%H:%M}" if day is None else f"{WEEKDAYS[day]} {minute:%H:%M}"
    assert parse_moment(text) == (day, minute)
