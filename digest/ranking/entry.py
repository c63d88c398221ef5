"""A story on its way through the ranking."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from digest.model import Order, Story
from digest.ranking.score import Scored
from digest.ranking.weigh import Part


@dataclass(frozen=True, slots=True)
class Entry:
    story: Story
    scored: Scored | None
    pinned: bool = False
    parts: tuple[Part, ...] = ()
    """What each signal says, the heaviest first."""

    @property
    def value(self) -> float | None:
        return None if self.scored is None else self.scored.score.value


def in_order(entries: Iterable[Entry], order: Order) -> list[Entry]:
    """Best first, the same for the same stories whatever order they came in.

    Popular: by score, equal scores by the later date (it had less time for as much), then by the lower story
    id; stories without figures last. Latest: by the later date, then by the lower story id.
    """

    # Sorts are stable, so the last one decides first; a date as a number would cost more than all of them.
    ordered = sorted(entries, key=lambda entry: entry.story.id)
    ordered.sort(key=lambda entry: entry.story.date, reverse=True)
    if order is Order.popular:
        ordered.sort(key=lambda entry: -math.inf if entry.value is None else entry.value, reverse=True)
    return ordered
