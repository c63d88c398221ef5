"""The order of the list once it is known who is in it: pins at their positions, everyone else around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from digest.ranking.entry import Entry


def arrange(chosen: Sequence[Entry], pinned: Mapping[int, int | None]) -> list[Entry]:
    """`chosen`, best first, with those that have a fixed position (from 1) put there.

    A position beyond the end means the end. Of two stories fixed at one position the better one has it and
    the other the next free one after it, or, at the end of the list, the nearest free one before.
    """
    places: list[Entry | None] = [None] * len(chosen)
    fixed = [(position, entry) for entry in chosen if (position := pinned.get(entry.story.id)) is not None]
    for position, entry in sorted(fixed, key=lambda pair: pair[0]):  # stable: the better one first
        wanted = min(max(position, 1), len(places)) - 1
        free = [place for place, holder in enumerate(places) if holder is None]
        after = [place for place in free if place >= wanted]
        places[after[0] if after else free[-1]] = entry
    rest = iter([entry for entry in chosen if pinned.get(entry.story.id) is None])
    return [next(rest) if entry is None else entry for entry in places]
