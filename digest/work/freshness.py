"""Whether a source still brings news: judged by its own rhythm, not by one rule for all."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from digest.store.sources import Brought

_LEAST = dt.timedelta(days=1)
_UNKNOWN = dt.timedelta(days=7)
_SLACK = 1.5


class Freshness(StrEnum):
    none = "none"
    """It has brought no story yet."""
    fresh = "fresh"
    stale = "stale"


def freshness(brought: Brought, now: dt.datetime) -> Freshness:
    """Stale is a source whose newest story is older than one and a half times its longest pause between two
    stories in 90 days, and older than a day; so a paper that rests at weekends is not stale on a Sunday, nor
    a monthly after three weeks. One with fewer than three stories in that time has no rhythm yet: a week.
    """
    if brought.newest is None:
        return Freshness.none
    limit = _UNKNOWN if brought.longest_pause is None else max(brought.longest_pause * _SLACK, _LEAST)
    return Freshness.stale if now - brought.newest > limit else Freshness.fresh
