"""Durations read as people write them."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("7d", dt.timedelta(days=7)),
        ("36h", dt.timedelta(hours=36)),
        ("30m", dt.timedelta(minutes=30)),
        ("1d12h", dt.timedelta(hours=36)),
        ("2w", dt.timedelta(days=14)),
        (" 1D 6H ", dt.timedelta(hours=30)),
        ("90s", dt.timedelta(seconds=90)),
        ("0", dt.timedelta(0)),
        ("0m", dt.timedelta(0)),
    ],
)
def test_common_forms_are_read(text: str, duration: dt.timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", " ", "7", "d", "7x", "-7d", "1h1d", "1d1d", "1.5h", "P7D", "٣d", "7d;"])
def test_anything_else_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match='such as "7d"'):
        parse_duration(text)


@pytest.mark.parametrize("text", ["4000d", "9" * 400 + "s"])
def test_more_than_ten_years_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ten years"):
        parse_duration(text)


@given(st.integers(0, 10 * 366 * 86400))
def test_what_is_written_is_read_back(seconds: int) -> None:
    duration = dt.timedelta(seconds=seconds)

    assert parse_duration(format_duration(duration)) == duration


@given(st.text(max_size=12))
def test_nothing_but_a_value_error_is_raised(text: str) -> None:
    try:
        parse_duration(text)
    except ValueError as error:
        assert text.strip() == "" or repr(text) in str(error)  # noqa: PT017 - either outcome is right


def test_a_negative_duration_shows_its_sign() -> None:
    assert format_duration(dt.timedelta(hours=-30)) == "-1d6h"
