"""An editor's word on one edition, changed one action at a time. Each function gives new `Choices`.

Positions count from 1. A position holds one story: who stood there moves one further down.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from digest.model import Choices


def pin(choices: Choices, story: int, position: int | None = None) -> Choices:
    """`story` is in the list, at `position` or, with None, where its figures put it. Takes back an exclusion.

    Raises ValueError for a position below 1.
    """
    if position is not None and position < 1:
        raise ValueError(f"positions count from 1, not {position}")
    pinned = {other: place for other, place in choices.pinned.items() if other != story}
    if position is not None:
        holders = {place: other for other, place in pinned.items() if place is not None}
        wanted = position
        while wanted in holders:
            pinned[holders[wanted]] = wanted + 1
            wanted += 1
    pinned[story] = position
    return Choices(pinned=pinned, excluded=choices.excluded - {story})


def unpin(choices: Choices, story: int) -> Choices:
    """`story` is judged by its figures again; nothing happens when it was not pinned."""
    pinned = {other: place for other, place in choices.pinned.items() if other != story}
    return dataclasses.replace(choices, pinned=pinned)


def exclude(choices: Choices, story: int) -> Choices:
    """`story` stays out of this edition; takes back a pin."""
    return dataclasses.replace(unpin(choices, story), excluded=choices.excluded | {story})


def include(choices: Choices, story: int) -> Choices:
    """Takes back an exclusion: `story` is judged by its figures again."""
    return dataclasses.replace(choices, excluded=choices.excluded - {story})


def move(choices: Choices, picks: Sequence[int], story: int, position: int) -> Choices:
    """`story` goes to `position` of the list as the editor sees it, `picks`, and everyone else closes up.

    Only `story` is newly fixed there; those fixed before keep their place relative to the list, so that a
    later figure can still move the others. A position beyond the end is the end. Raises ValueError when
    `story` is not in the list or `position` is below 1.
    """
    if story not in picks:
        raise ValueError(f"story {story} is not in the list")
    if position < 1:
        raise ValueError(f"positions count from 1, not {position}")
    order = [other for other in picks if other != story]
    order.insert(position - 1, story)
    places = {other: place for place, other in enumerate(order, 1)}
    pinned = {
        other: places.get(other, place) if place is not None else None
        for other, place in choices.pinned.items()
    }
    pinned[story] = places[story]
    return Choices(pinned=pinned, excluded=choices.excluded)
