"""The entries of a document that is read as a whole -> drafts: feeds in XML and JSON, and sitemaps.

Entries come in the words of their source. What is done about dates to come, entries that are there twice and
ids that several entries share is the same for all of them, and is decided here.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from digest.importers.dates import not_future
from digest.importers.draft import Fields, Refused, draft
from digest.importers.figures import Measure, Measured
from digest.importers.imported import Imported, Rejected
from digest.model import Reading, StoryDraft

Enrich = Callable[[Sequence[Fields]], None]
"""Looks at the pages of stories and fills in what their source left out."""


Key = tuple[str, str]
"""External id and link."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: how a person finds it, and what it states or why that cannot be a story."""

    item: str
    stated: Fields | Refused


def collect(
    entries: Iterable[Entry],
    *,
    seen: dt.datetime,
    notes: Iterable[str] = (),
    enrich: Enrich | None = None,
    measure: Measure | None = None,
) -> Imported:
    """Every entry ends as a draft or in `rejected`. Dates more than a day after `seen` count as missing.
    Figures that entries carry go to `measure`, as of `seen`."""
    given = list(entries)
    if enrich is not None:
        enrich([entry.stated for entry in given if isinstance(entry.stated, Fields)])
    drafts: dict[Key, StoryDraft] = {}
    figures: dict[Key, Sequence[Measured]] = {}
    rejected: list[Rejected] = []
    odd: Counter[str] = Counter()
    for row, entry in enumerate(given, 1):
        try:
            made = _draft(entry.stated, seen, odd)
        except Refused as refused:
            rejected.append(Rejected(row, entry.item, str(refused)))
            continue
        key = (made.external_id, made.url)
        if key in drafts:
            rejected.append(
                Rejected(row, made.title, "the same entry again (same id and link); the newest is kept")
            )
        if key not in drafts or _is_newer(made, drafts[key]):
            drafts[key] = made
            figures[key] = entry.stated.figures if isinstance(entry.stated, Fields) else ()
    told = [f"entries with {what}: {odd[what]:,}" for what in _ODD if odd[what]]
    distinct = tuple(_distinct(drafts))
    if measure is not None:
        for made, measured in zip(distinct, figures.values(), strict=True):
            for each in measured:
                measure(each.metric, Reading(made.external_id, seen, each.value))
    return Imported(distinct, tuple(rejected), (*notes, *told))


_ODD = _FUTURE, _UNDATED, _UNTITLED = (
    "a date more than a day ahead, which counts as missing",
    "no date that can be read; they count from when they were first seen",
    "no heading; their first words serve",
)


def _draft(stated: Fields | Refused, seen: dt.datetime, odd: Counter[str]) -> StoryDraft:
    if isinstance(stated, Refused):
        raise stated
    published = not_future(stated.published, seen)
    made = draft(replace(stated, published=published, updated=not_future(stated.updated, seen)), once=True)
    odd[_FUTURE] += stated.published is not None and published is None
    odd[_UNDATED] += stated.published is None
    odd[_UNTITLED] += not stated.title.strip()
    return made


def _is_newer(made: StoryDraft, other: StoryDraft) -> bool:
    """RFC 4287 4.1.1 lets a feed carry an entry several times, told apart by `updated`."""
    mine, its = made.updated or made.published, other.updated or other.published
    return mine is not None and its is not None and mine > its


def _distinct(drafts: Mapping[Key, StoryDraft]) -> Iterator[StoryDraft]:
    """Where entries with different links share an id, the id names nothing: the links do."""
    shared = Counter(external_id for external_id, _ in drafts)
    for (external_id, url), made in drafts.items():
        yield replace(made, external_id=url) if shared[external_id] > 1 else made
