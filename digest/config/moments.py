"""The weekly and daily moments of config.toml, such as "mon 06:00": read in this one place."""

from __future__ import annotations

import datetime as dt
import re

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALLOWED = '"mon 06:00" (mon tue wed thu fri sat sun, then 00:00 to 23:59), or "06:00" for every day'

_MOMENT = re.compile(rf"(?:({'|'.join(WEEKDAYS)})[ \t]+)?([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


def parse_moment(text: str) -> tuple[int | None, dt.time]:
    """The weekday (0 is Monday, as `datetime.date.weekday`; None is every day) and the local time of day.

    Upper and lower case are the same, and white space around it does not matter. Raises ValueError, whose
    text names what was found and the allowed form.
    """
    match = _MOMENT.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is not a moment; allowed: {ALLOWED}")
    day, hour, minute = match.groups()
    return None if day is None else WEEKDAYS.index(day), dt.time(int(hour), int(minute))
