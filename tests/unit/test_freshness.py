"""Whether a source still brings news."""

from __future__ import annotations

import datetime as dt

import pytest

from digest.store.sources import Brought
from digest.work.freshness import Freshness, freshness

NOW = dt.datetime(2026, 11, 16, 8, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("pause", "age", "word"),
    [
        (1, 23, Freshness.fresh),  # an agency: never stale within a day
        (1, 25, Freshness.stale),
        (62, 70, Freshness.fresh),  # a paper that rests at weekends
        (62, 94, Freshness.stale),
        (None, 100, Freshness.fresh),  # no rhythm yet
        (None, 200, Freshness.stale),
    ],
)
def test_a_source_is_held_against_its_own_rhythm(pause: int | None, age: int, word: Freshness) -> None:
    longest = None if pause is None else pause * HOUR
    assert freshness(Brought(9, NOW - age * HOUR, longest), NOW) is word


def test_a_source_without_stories_is_neither() -> None:
    assert freshness(Brought(), NOW) is Freshness.none
