""" "Try again in N": how long a reply asks to wait (greylisting, rate limits)."""

from __future__ import annotations

import datetime as dt
import re

from digest.replies.words import LONGEST

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_UNIT = r"(?:s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)(?![a-z])"
# What may stand between the word and the figure is limited and holds no figure: each start is looked at for
# a few characters only, so that the time is linear in the length of the text.
_WAIT = re.compile(
    r"(?:try(?:ing)?|retry|again|back|gr[ea]y ?-?listed|gr[ea]y ?-?listing|deferred|wait|delayed|attempt)\b"
    r"[^.;0-9]{0,40}?"
    r"(?:(?P<clock>\d{1,2}:\d{2}:\d{2})(?![\d:])"
    rf"|(?P<number>\d{{1,6}})(?: ?(?:-|to) ?(?P<upto>\d{{1,6}}))? ?-?(?:more )?(?P<unit>{_UNIT})"
    rf"(?:,? ?(?:and )?(?P<number2>\d{{1,4}}) ?(?P<unit2>{_UNIT}))?)",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"retry[ _-]?(?:after|in|timeout)(?: of| in| is)?[ :=]{1,3}(\d{1,6})(?![\w:.-]*\w)", re.IGNORECASE
)
"""As HTTP's Retry-After: seconds (RFC 9110 10.2.3)."""
_LONGEST_WAIT = dt.timedelta(days=7)


def wait_asked(text: str) -> dt.timedelta | None:
    """How long a reply asks to wait before the next try; None where it does not say. At most seven days.

    Understood: "in 5 minutes", "for 1 hour and 30 minutes", "5-10 minutes" (the longer), "00:05:00",
    "PT5M" (ISO 8601), and "retry after 300" (seconds).
    """
    text = text[:LONGEST]
    match = _WAIT.search(text)
    if match is None:
        bare = _BARE.search(text)
        seconds = int(bare[1]) if bare else 0
    elif match["clock"]:
        hours, minutes, rest = (int(part) for part in match["clock"].split(":"))
        seconds = hours * 3600 + minutes * 60 + rest
    else:
        seconds = max(int(match["number"]), int(match["upto"] or 0)) * _UNITS[match["unit"][0].lower()]
        if match["number2"]:
            seconds += int(match["number2"]) * _UNITS[match["unit2"][0].lower()]
    return min(dt.timedelta(seconds=seconds), _LONGEST_WAIT) if seconds else None
