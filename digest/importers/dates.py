"""Times as sources write them, turned into aware UTC datetimes, or refused: a wrong guess moves a story into
another week."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from digest.model import DateOrder

FUTURE = dt.timedelta(days=1)
"""A date further ahead of when it was read than this counts as missing: a wrong zone is hours, a wrong clock
or a scheduled post is more."""

_DIGITS = re.compile(r"-?\d+(\.\d+)?\Z")
_ISO_LIKE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T\s]+(.*))?\Z", re.DOTALL)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)[T_\s-]?(?:(\d\d)(\d\d)(\d\d)?)?(Z|[+-]\d\d:?\d\d)?\Z")
_ZULU = re.compile(r"\s*(?:UTC|GMT|Z)\Z", re.IGNORECASE)
_CLOCK = re.compile(r"\d{1,2}:\d\d")


_NUMERIC = re.compile(
    r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d\d)"
    r"(?:(?:,?\s*T?\s*)(\d{1,2}:\d\d(?::\d\d(?:\.\d{1,6})?)?)\s*([ap])?\.?m?\.?\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)?)?\Z",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"(?:[a-z]+,?\s+)?(?:(\d{1,2})(?:st|nd|rd|th)?\.?[\s-]+([a-z]{3,9})\.?|([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?)"
    r",?[\s-]+(\d{4})"
    r"(?:(?:,?\s+(?:at\s+)?)(\d{1,2}:\d\d(?::\d\d)?)\s*([ap])?\.?m?\.?\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)?)?\Z",
    re.IGNORECASE,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMES_OF_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip


@dataclass(slots=True)
class OrderSeen:
    """What the dates of a column say about their order, taken together: 13/4 can only be a day and a month.

    One file is written in one order, so columns of one file are counted into one of these.
    """

    dmy: str = ""
    """A date that can only be day first; "" while there was none."""
    mdy: str = ""
    either: str = ""
    """A date that can be both, and means two different days."""
    points: bool = True
    """All of those that can be both are written with points, which nobody does with the month first."""

    def add(self, text: str) -> None:
        """Counts one cell; all that is not numbers with the year last says nothing."""
        found = _NUMERIC.match(text.strip())
        if not found:
            return
        first, second = int(found[1]), int(found[3])
        if first > 12 >= second:
            self.dmy = self.dmy or text.strip()
        elif second > 12 >= first:
            self.mdy = self.mdy or text.strip()
        elif first != second and first <= 12:
            self.either = self.either or text.strip()
            self.points = self.points and found[2] == "."

    @property
    def order(self) -> DateOrder | None:
        """The one order that fits all; None where two or none do. Without any such date it is day first,
        which changes nothing."""
        if self.dmy and self.mdy:
            return None
        if self.mdy:
            return DateOrder.mdy
        return DateOrder.dmy if self.dmy or not self.either or self.points else None


def is_numeric(text: str) -> bool:
    """Whether a cell holds a date that needs a `DateOrder`: numbers alone, the year last."""
    return _NUMERIC.match(text.strip()) is not None


def when(text: str, zone: dt.tzinfo = dt.UTC, order: DateOrder | None = None) -> dt.datetime | None:
    """The time that a cell states, or None when it states none ("" or a zero).

    Reads ISO 8601 (also with ``/`` or a space), Unix seconds, milliseconds and microseconds, ``YYYYMMDD``
    with or without a time, RFC 2822, dates with an English month, and, where `order` is given, numbers with
    the year last (two digits of a year are 1970 to 2069, as POSIX has it for most). Without a zone it is
    local time in `zone`. Raises ValueError for everything else, and for dates before 1971, which are a
    counter's zero and not a day.
    """
    stated = text.strip()
    if not stated or not stated.strip("0.:-/T "):
        return None
    try:
        moment = _unix(stated) if _DIGITS.match(stated) else None
        moment = moment or _compact(stated) or _iso(stated) or _numeric(stated, order) or _in_words(stated)
        moment = moment or _rfc2822(stated)
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


def _numeric(text: str, order: DateOrder | None) -> dt.datetime | None:
    found = _NUMERIC.match(text)
    if not found or order is None:
        return None
    first, _, second, year, *clock = found.groups()
    day, month = (first, second) if order is DateOrder.dmy else (second, first)
    whole = int(year) if len(year) == 4 else int(year) + (2000 if int(year) < 70 else 1900)
    return _at(dt.date(whole, int(month), int(day)), *clock)


def _in_words(text: str) -> dt.datetime | None:
    """English names only: in other languages some are the same word for another month."""
    found = _WORDS.match(text)
    if not found:
        return None
    day, month, other_month, other_day, year, *clock = found.groups()
    name = (month or other_month).lower()
    short = name[:3]
    if short not in _MONTHS or name not in (short, "sept", *_NAMES_OF_MONTHS):
        return None
    return _at(dt.date(int(year), _MONTHS.index(short) + 1, int(day or other_day)), *clock)


def _at(day: dt.date, clock: str | None, half: str | None, zone: str | None) -> dt.datetime:
    hour, _, rest = (clock or "0:00").partition(":")
    hours = int(hour)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError("no hour of a half day")
        hours = hours % 12 + (12 if half in "pP" else 0)
    offset = "" if zone is None else "+00:00" if zone[0] in "ZzUuGg" else zone
    return dt.datetime.fromisoformat(f"{day.isoformat()}T{hours:02}:{rest}{offset}")


def _rfc2822(text: str) -> dt.datetime:
    if not _CLOCK.search(text) or not re.search(r"[A-Za-z]{3}", text):
        raise ValueError("no date of RFC 2822")  # the standard library reads far too much into other text
    return parsedate_to_datetime(text)
