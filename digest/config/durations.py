"""Durations as people write them: "7d", "36h", "1d12h"."""

from __future__ import annotations

import datetime as dt
import re

_UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_SHAPE = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_LONGEST = 10 * 366 * 86400

ALLOWED = 'a duration such as "7d", "36h", "30m" or "1d12h"'


def parse_duration(text: str) -> dt.timedelta:
    """Weeks, days, hours, minutes, seconds, each at most once and in this order; "0" is none at all.

    A day is 24 hours, whatever a clock change makes of it. Raises ValueError, saying what is allowed;
    also for more than ten years.
    """
    written = text.strip().lower().replace(" ", "")
    if written == "0":
        return dt.timedelta(0)
    match = _SHAPE.fullmatch(written)
    if not written or match is None:
        raise ValueError(f"{text!r} is not {ALLOWED}")
    parts = zip(match.groups(), _UNITS.values(), strict=True)
    seconds = sum(int(number) * unit for number, unit in parts if number is not None)
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is longer than ten years")
    return dt.timedelta(seconds=seconds)


def format_duration(duration: dt.timedelta) -> str:
    """The shortest form in days, hours, minutes and seconds that `parse_duration` reads back.

    Fractions of a second are dropped; a negative one has a leading minus, which nothing reads back.
    """
    seconds = int(abs(duration).total_seconds())
    parts = []
    for letter in "dhms":
        number, seconds = divmod(seconds, _UNITS[letter])
        if number:
            parts.append(f"{number}{letter}")
    if not parts:
        return "0"
    return ("-" if duration < dt.timedelta(0) else "") + "".join(parts)
