"""Caps per section and author: who gets in, and who made room for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from digest.model import LeftOutBy, RankingSettings, Story
from digest.ranking.entry import Entry


@dataclass(frozen=True, slots=True)
class Capped:
    """A story that a cap kept out. `reason` reads "Politics already has 3"."""

    entry: Entry
    by: LeftOutBy
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """All in the order of the entries that were given, but the pinned stories first in `chosen`."""

    chosen: tuple[Entry, ...]
    capped: tuple[Capped, ...]
    below: tuple[Entry, ...]
    """Would have been allowed in, had there been room."""
    replaced: dict[int, Capped]
    """Chosen story id -> the better story whose place it took because of a cap."""


def select(ordered: Sequence[Entry], settings: RankingSettings) -> Selection:
    """Takes the best `count`, at most `per_section` of a section and `per_author` of an author (0: any).

    Pinned stories are always in, even beyond `count`, and count for the caps: an editor's word goes first,
    and the caps are kept with what is left. Stories without a section or author are not capped by it.
    """
    pinned = [entry for entry in ordered if entry.pinned]
    others = [entry for entry in ordered if not entry.pinned]
    room = max(0, settings.count - len(pinned))
    taken = _Taken(settings)
    for entry in pinned:
        taken.add(entry.story)
    chosen, capped, below = list(pinned), list[Capped](), list[Entry]()
    for entry in others:
        if len(chosen) == len(pinned) + room:
            below.append(entry)
            continue
        full = taken.full(entry.story)
        if full is None:
            taken.add(entry.story)
            chosen.append(entry)
        else:
            capped.append(Capped(entry, *full))
    best = {entry.story.id for entry in others[:room]}
    made_room = iter([one for one in capped if one.entry.story.id in best])
    replaced = dict(_pairs(chosen[len(pinned) :], best, made_room))
    return Selection(tuple(chosen), tuple(capped), tuple(below), replaced)


def _pairs(chosen: list[Entry], best: set[int], made_room: Iterator[Capped]) -> Iterator[tuple[int, Capped]]:
    late = [entry.story.id for entry in chosen if entry.story.id not in best]
    yield from zip(late, made_room, strict=False)


class _Taken:
    """How many of each section and author are in."""

    def __init__(self, settings: RankingSettings) -> None:
        self._caps: tuple[tuple[LeftOutBy, int, Callable[[Story], str]], ...] = (
            (LeftOutBy.section_cap, settings.per_section, lambda story: story.section),
            (LeftOutBy.author_cap, settings.per_author, lambda story: story.author),
        )
        self._counts: Counter[tuple[LeftOutBy, str]] = Counter()

    def add(self, story: Story) -> None:
        for by, _, name in self._caps:
            self._counts[by, _key(name(story))] += 1

    def full(self, story: Story) -> tuple[LeftOutBy, str] | None:
        for by, cap, name in self._caps:
            key = _key(name(story))
            count = self._counts[by, key]
            if cap and key and count >= cap:
                return by, f"{' '.join(name(story).split())} already has {count}"
        return None


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()
