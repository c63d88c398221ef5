"""When a local time happens: the one rule for times that clock changes skip or repeat.

**A local time happens at the first instant at which the local clock shows it, or shows a later time.** So a
time that is skipped in spring happens as the gap ends; one that is repeated in autumn happens the first time.
From this follows what everything else rests on: of two local times the earlier never happens later.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo


def instant(zone: ZoneInfo, local: dt.datetime) -> dt.datetime:
    """The moment, in UTC, at which the naive `local` time happens in `zone`."""
    aware = local.replace(tzinfo=zone, fold=0)
    # For a repeated time fold=0 is the first pass. For a skipped one it counts with the offset before the
    # change and so lands behind the gap's end; with the offset after it (fold=1) it lands before the gap
    # (PEP 495). The end of the gap lies between the two.
    after = aware.astimezone(dt.UTC)
    if after.astimezone(zone).replace(tzinfo=None) == local:
        return after
    before = aware.replace(fold=1).astimezone(dt.UTC)
    while after - before > _SECOND:  # offsets change on whole seconds
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).replace(tzinfo=None) >= local:
            after = middle
        else:
            before = middle
    return after


_SECOND = dt.timedelta(seconds=1)
