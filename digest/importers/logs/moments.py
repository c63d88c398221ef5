"""The moments in which requests came, as logs write them, in Unix seconds.

Seconds follow one another, so the expensive part (which minute, in which zone) is looked up.
"""

from __future__ import annotations

import datetime as dt

_MONTHS = {
    "Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6,
    "Jul": 7, "Aug": 8, "Sep": 9, "Oct": 10, "Nov": 11, "Dec": 12,
}  # fmt: skip
_UNREADABLE = "its time cannot be read"
_MOST = 50_000
"""Minutes remembered: more than a month of them, and some megabytes."""

_clf: dict[str, int] = {}
_iso: dict[str, int] = {}


def clf(text: str) -> int:
    """``17/May/2015:10:05:03 +0000``, the %t of Apache and $time_local of nginx. Raises ValueError."""
    minute = text[:17] + text[20:]
    known = _clf.get(minute)
    if known is None:
        known = _remember(_clf, minute, _clf_minute(text))
    return known + _second(text[17:20], ":")


def iso(text: str) -> int:
    """ISO 8601 with a zone, such as ``2026-11-16T08:00:03.52+01:00``. Raises ValueError, without zone too."""
    minute = text[:16] + text[-6:]
    known = _iso.get(minute) if text[-1:] != "Z" and text[19:20] in "+-" else None
    if known is None:
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("its time states no zone")
        seconds = int(moment.timestamp())
        if len(text) == 25:
            _remember(_iso, minute, seconds - moment.second)
        return seconds
    return known + _second(text[16:19], ":")


def utc(date: str, time: str) -> int:
    """The date and time columns of W3C logs, which are UTC. Raises ValueError."""
    return iso(f"{date}T{time[:8]}+00:00")


def any_form(value: object) -> int:
    """A time of a JSON log: ISO 8601, the form of the common log, Unix seconds or milliseconds."""
    if isinstance(value, str):
        if value[2:3] == "/":
            return clf(value)
        if value[4:5] == "-":
            return iso(value)
        value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
        while seconds > 1e11:  # milliseconds, micro- or nanoseconds: the year 5138 is not meant
            seconds /= 1000
        if seconds > 3e7:
            return int(seconds)
    raise ValueError(_UNREADABLE)


def _clf_minute(text: str) -> int:
    try:
        moment = dt.datetime(
            int(text[7:11]), _MONTHS[text[3:6]], int(text[:2]), int(text[12:14]), int(text[15:17]),
            tzinfo=_zone(text[20:]),
        )  # fmt: skip
        return int(moment.timestamp())
    except (ValueError, KeyError, OverflowError):
        raise ValueError(_UNREADABLE) from None


def _zone(text: str) -> dt.timezone:
    """Of " +0100"."""
    sign, digits = {" +": 1, " -": -1}[text[:2]], text[2:]
    if len(digits) != 4:
        raise ValueError(_UNREADABLE)
    return dt.timezone(sign * dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))


def _second(text: str, mark: str) -> int:
    digits = text[1:]
    if text[:1] != mark or not (digits.isascii() and digits.isdigit()) or digits > "60":
        raise ValueError(_UNREADABLE)
    return int(digits)


def _remember(known: dict[str, int], minute: str, seconds: int) -> int:
    if len(known) >= _MOST:
        known.clear()
    known[minute] = seconds
    return seconds
