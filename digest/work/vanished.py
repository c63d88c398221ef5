"""Stories that vanished from a source which lists everything it has (`withdrawn = "gone"`).

Never the rule for a feed: that lists the newest, and a story that is missing from it is only old.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Protocol

from digest.model import StoryDraft

_MOST = 0.5
_FEW = 4


class Withdraw(Protocol):
    """Knows what a source has brought (digest.store.stories.Stories)."""

    def not_listed(
        self, source_name: str, names: AbstractSet[str], *, since: dt.datetime | None = None
    ) -> tuple[list[int], int]: ...

    def withdraw(self, number: int, *, at: dt.datetime, by: str, reason: str = "") -> bool: ...


class Listed:
    """What a document lists, noted as its drafts pass by."""

    def __init__(self, drafts: Iterable[StoryDraft]) -> None:
        self._drafts = drafts
        self.names: set[str] = set()
        self.oldest: dt.datetime | None = None

    def __iter__(self) -> Iterator[StoryDraft]:
        for draft in self._drafts:
            self.names.add(draft.external_id)
            date = draft.published or draft.first_seen
            if date is not None:
                self.oldest = min(self.oldest or date, date)
            yield draft


def withdraw_vanished(
    stories: Withdraw, source: str, listed: Listed, *, rejected: int, now: dt.datetime
) -> str:
    """Withdraws what `source` brought before and lists no more; says so, "" where nothing is missing.

    What is older than all that is listed stays: a list that begins anew each year says nothing of the last.
    Nothing is withdrawn by a document of which rows were rejected, or that lacks more than half of what there
    was: it is likelier to be broken than right.
    """
    missing, of = stories.not_listed(source, listed.names, since=listed.oldest)
    if not missing:
        return ""
    lacks = f"{len(missing):,} of its {of:,} stories are no longer in it"
    if rejected:
        return f"{lacks}; none was withdrawn, for what was rejected may be they: mend the rejected rows"
    if not listed.names or len(missing) > max(of * _MOST, _FEW):
        return (
            f"{lacks}; none was withdrawn, for so many at once look like a broken list. If it is right, "
            'withdrawn = "gone" is not for this source'
        )
    done = sum(
        stories.withdraw(number, at=now, by=f"source {source}", reason="no longer in its source")
        for number in missing
    )
    return f"withdrawn, no longer in it: {done:,}"
