"""Taking in what an importer hands over, a batch a transaction.

A story belongs to the source that brought it first. Another source that knows the same URL only gives it one
more name, so that its signals find the story; its words are not mixed in, or two sources that spell a heading
in two ways would rewrite each other at every poll.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from digest.model import StoryDraft
from digest.store.dialects import among
from digest.store.sources import source_id
from digest.store.story_rows import OF_DRAFT, values, whole
from digest.store.tables import story, story_name, story_version


@dataclass(frozen=True, slots=True)
class StoryCounts:
    """What became of the drafts; they add up to their number."""

    new: int = 0
    changed: int = 0
    same: int = 0

    def __add__(self, other: StoryCounts) -> StoryCounts:
        return StoryCounts(self.new + other.new, self.changed + other.changed, self.same + other.same)


def take_in(
    connection: sa.Connection, source: str, drafts: Sequence[StoryDraft], *, seen: dt.datetime
) -> StoryCounts:
    """Stores a batch within the caller's transaction. Of two drafts with one external id the later counts."""
    if connection.dialect.name == "postgresql":
        # Two imports at once could each make the story that the other is making. Readers go on.
        connection.execute(sa.text("LOCK TABLE story_name IN SHARE ROW EXCLUSIVE MODE"))
    by_source = source_id(connection, source)
    latest: dict[str, StoryDraft] = {}
    for draft in drafts:
        earlier = latest.get(draft.external_id)
        latest[draft.external_id] = draft if earlier is None else _after(earlier, draft)
    known = _known(connection, by_source, list(latest))
    shared = _same_url_elsewhere(
        connection, by_source, {d.url for name, d in latest.items() if name not in known}
    )
    new: list[StoryDraft] = []
    names: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    versions: list[dict[str, Any]] = []
    for name, draft in latest.items():
        before = known.get(name)
        if before is not None:
            if before.source != by_source:
                continue
            after = values(draft, seen=seen, before=before)
            if any(getattr(before, column) != after[column] for column in OF_DRAFT):
                changes.append(after | {"changed_story": before.id})
                if before.title != after["title"]:
                    versions.append(
                        {
                            "story": before.id,
                            "until": whole(seen),
                            "title": before.title,
                            "standfirst": before.standfirst,
                        }
                    )
        elif shared.get(draft.url):
            names.append({"source": by_source, "external_id": name, "story": shared[draft.url].pop()})
        else:
            new.append(draft)
    names += _insert(connection, by_source, new, seen)
    _write(connection, names, changes, versions)
    return StoryCounts(len(new), len(changes), len(drafts) - len(new) - len(changes))


def _after(earlier: StoryDraft, draft: StoryDraft) -> StoryDraft:
    """The later of two drafts of one story, with the dates by the rule for a story that is known already: a
    list that names its stories hour by hour has one of them many times in a batch."""
    seen = [each.first_seen for each in (earlier, draft) if each.first_seen is not None]
    return replace(
        draft,
        published=draft.published or earlier.published,
        updated=draft.updated or earlier.updated,
        first_seen=min(seen, default=None),
    )


def _known(connection: sa.Connection, by_source: int, external_ids: list[str]) -> dict[str, sa.Row[Any]]:
    """External id -> the story that this source knows by it."""
    query = sa.select(story_name.c.external_id, story_name.c.story).where(
        story_name.c.source == by_source, among(connection, story_name.c.external_id, external_ids)
    )
    names = {row.external_id: row.story for row in connection.execute(query)}
    # Two simple look-ups: a fresh PostgreSQL, without statistics, makes a slow plan for a join of the two.
    rows = connection.execute(sa.select(story).where(among(connection, story.c.id, set(names.values()))))
    stories = {row.id: row for row in rows}
    return {name: stories[number] for name, number in names.items()}


def _same_url_elsewhere(connection: sa.Connection, by_source: int, urls: set[str]) -> dict[str, list[int]]:
    """URL -> stories that only other sources know, oldest first.

    One that this source knows under another id is left alone: it was submitted twice, and stays two stories.
    """
    found: dict[str, list[int]] = defaultdict(list)
    if not urls:
        return found
    own = sa.exists().where(story_name.c.story == story.c.id, story_name.c.source == by_source)
    query = sa.select(story.c.url, story.c.id).where(among(connection, story.c.url, urls), ~own)
    for url, number in connection.execute(query.order_by(story.c.date, story.c.id)):
        found[url].append(number)
    return found


def _insert(
    connection: sa.Connection, by_source: int, drafts: list[StoryDraft], seen: dt.datetime
) -> list[dict[str, Any]]:
    """Makes the stories; returns the rows that name them."""
    if not drafts:
        return []
    rows = [
        values(draft, seen=seen) | {"source": by_source, "external_id": draft.external_id} for draft in drafts
    ]
    connection.execute(story.insert(), rows)
    made = sa.select(story.c.external_id, story.c.id).where(
        story.c.source == by_source,
        among(connection, story.c.external_id, [draft.external_id for draft in drafts]),
    )
    return [
        {"source": by_source, "external_id": name, "story": number}
        for name, number in connection.execute(made)
    ]


def _write(
    connection: sa.Connection,
    names: list[dict[str, Any]],
    changes: list[dict[str, Any]],
    versions: list[dict[str, Any]],
) -> None:
    if names:
        connection.execute(story_name.insert(), names)
    if versions:
        connection.execute(story_version.insert(), versions)
    if changes:
        change = sa.update(story).where(story.c.id == sa.bindparam("changed_story"))
        connection.execute(change.values({name: sa.bindparam(name) for name in OF_DRAFT}), changes)
