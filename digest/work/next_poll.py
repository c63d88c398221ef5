"""When a source is looked at next: pure arithmetic over what is known of it.

A source that answers is looked at `every` so often. One that does not is asked later and later: after
`every`, then after twice as long each time, up to six hours (or `every`, where that is longer). A server that
says when (Retry-After with 429 or 503, RFC 9110 10.2.3) is obeyed, up to a day; one that says "gone" (410,
RFC 9110 15.5.11) is asked once a day. Each of these waits is lengthened by up to a quarter, so that sources
that failed together do not come back together. Any answer, 304 as well, begins anew.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from digest.config.settings import Source
from digest.importers.links import is_url
from digest.store.sources import SourceState

LONGEST = dt.timedelta(hours=6)
"""The longest wait that doubling comes to."""
DAY = dt.timedelta(days=1)
"""The longest wait that a server can ask for, and the one after 410."""
_JITTER = 0.25
_GONE = 410
_SAYS_WHEN = (429, 503)


def mark(source: Source) -> str:
    """Stands for the address of a source: what is known of one address means nothing for its successor."""
    return hashlib.sha256(source.url.encode()).hexdigest()[:12]


def next_poll(source: Source, state: SourceState, now: dt.datetime) -> dt.datetime:
    """When it is due: `now` for one that is already.

    That is so too when its address was changed in config.toml, and when the last poll lies in the future: a
    clock was set back, and must not stop polling.
    """
    last = state.last_poll
    if last is None or state.address != mark(source) or now < last:
        return now
    return max(now, last + source.every if state.not_before is None else state.not_before)


def wait(
    source: Source,
    failures: int,
    *,
    status: int = 0,
    asked: dt.timedelta | None = None,
    random: Callable[[], float],
) -> dt.timedelta:
    """How long a source is left alone after the `failures`-th failure in a row (1 is the first).

    `status` is that of the answer, 0 for none; `asked` is what its server asks for. `random` gives a figure
    in [0, 1). A file on this machine costs nothing to look at, and keeps to `every`.
    """
    if not is_url(source.url):
        return source.every
    if status == _GONE:
        least = DAY
    elif asked is not None and status in _SAYS_WHEN:
        least = min(asked, DAY)
    else:
        least = min(source.every * 2 ** min(max(failures, 1) - 1, 16), LONGEST)
    return max(least, source.every) * (1 + _JITTER * random())


def wait_asked_for(retry_after: str, date: str, now: dt.datetime) -> dt.timedelta | None:
    """What Retry-After (RFC 9110 10.2.3) asks for, never less than nothing; None when it says nothing clear.

    It is a number of seconds, or a date in one of the three forms of RFC 9110 5.6.7. A date is held against
    that of the answer (`date`), since the server's clock made both; without one against `now`.
    """
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return dt.timedelta(seconds=min(int(text[:10]), 10**9))
    until = _http_date(text)
    if until is None:
        return None
    return max(until - (_http_date(date) or now), dt.timedelta())


def _http_date(text: str) -> dt.datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
