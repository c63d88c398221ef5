"""Times as sources write them, turned into aware UTC datetimes, or refused: a wrong guess moves a story into
another week."""

from __future__ import annotations

import datetime as dt
import re
from email.utils import parsedate_to_datetime

FUTURE = dt.timedelta(days=1)
"""A date further ahead of when it was read than this counts as missing: a wrong zone is hours, a wrong clock
or a scheduled post is more."""

_DIGITS = re.compile(r"-?\d+(\.\d+)?\Z")
_ISO_LIKE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T\s]+(.*))?\Z", re.DOTALL)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)[T_\s-]?(?:(\d\d)(\d\d)(\d\d)?)?(Z|[+-]\d\d:?\d\d)?\Z")
_ZULU = re.compile(r"\s*(?:UTC|GMT|Z)\Z", re.IGNORECASE)
_CLOCK = re.compile(r"\d{1,2}:\d\d")


def when(text: str, zone: dt.tzinfo = dt.UTC) -> dt.datetime | None:
    """The time that a cell states, or None when it states none ("" or a zero).

    Reads ISO 8601 (also with ``/`` or a space), Unix seconds, milliseconds and microseconds, ``YYYYMMDD``
    with or without a time, and RFC 2822. Without a zone it is local time in `zone`. Raises ValueError for
    everything else, and for dates before 1971, which are a counter's zero and not a day.
    """
    stated = text.strip()
    if not stated or not stated.strip("0.:-/T "):
        return None
    try:
        moment = _unix(stated) if _DIGITS.match(stated) else None
        moment = moment or _compact(stated) or _iso(stated) or _rfc2822(stated)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        moment = moment.astimezone(dt.UTC)
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        raise ValueError(
            f"{_short(stated)} is no time that can be read without guessing (ISO 8601 or Unix seconds can)"
        ) from None
    if moment.year < 1971:
        raise ValueError(f"{_short(stated)} lies before 1971")
    return moment


def not_future(moment: dt.datetime | None, seen: dt.datetime) -> dt.datetime | None:
    """The date, or None where it lies more than `FUTURE` after it was seen."""
    return None if moment is not None and moment > seen + FUTURE else moment


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _unix(text: str) -> dt.datetime | None:
    whole = len(text.partition(".")[0].lstrip("-"))
    if whole <= 8:  # too short for a second of our time: a date or nothing
        return None
    for digits, divisor in ((11, 1), (14, 1000), (17, 1_000_000)):
        if whole <= digits:
            return dt.datetime.fromtimestamp(float(text) / divisor, dt.UTC)
    return None


def _compact(text: str) -> dt.datetime | None:
    found = _COMPACT.match(text)
    if not found:
        return None
    year, month, day, hour, minute, second, zone = found.groups()
    made = f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}{zone or ''}"
    return dt.datetime.fromisoformat(made)


def _iso(text: str) -> dt.datetime | None:
    zulu = _ZULU.search(text)
    stem = text[: zulu.start()] if zulu else text
    found = _ISO_LIKE.match(stem)
    if not found:
        return None
    year, month, day, clock = found.groups()
    made = f"{year}-{int(month):02}-{int(day):02}"
    if clock:
        hour, colon, rest = clock.strip().partition(":")
        rest = re.sub(r"\s+([+-]\d)", r"\1", rest)
        made += f"T{hour.rjust(2, '0')}{colon}{rest}"
    moment = dt.datetime.fromisoformat(made)
    return moment.replace(tzinfo=dt.UTC) if zulu and moment.tzinfo is None else moment


def _rfc2822(text: str) -> dt.datetime:
    if not _CLOCK.search(text) or not re.search(r"[A-Za-z]{3}", text):
        raise ValueError("no date of RFC 2822")  # the standard library reads far too much into other text
    return parsedate_to_datetime(text)
