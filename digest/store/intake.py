"""Taking in what an importer hands over, a batch a transaction.

A story belongs to the source that brought it first. Another source that knows the same URL only gives it one
more name, so that its signals find the story; its words are not mixed in, or two sources that spell a heading
in two ways would rewrite each other at every poll. What an editor wrote stays; what the source says instead
is kept beside it.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from digest.model import StoryDraft
from digest.store.dialects import among
from digest.store.sources import source_id
from digest.store.story_rows import KEPT, values, whole
from digest.store.tables import story, story_name, story_version

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoryCounts:
    """What became of the drafts; they add up to their number."""

    new: int = 0
    changed: int = 0
    same: int = 0

    def __add__(self, other: StoryCounts) -> StoryCounts:
        return StoryCounts(self.new + other.new, self.changed + other.changed, self.same + other.same)


@dataclass(slots=True)
class _Batch:
    """What has to be written."""

    by_source: int
    seen: dt.datetime
    new: list[Values] = field(default_factory=list)
    versions_of_new: dict[str, list[Values]] = field(default_factory=dict)
    names: list[Values] = field(default_factory=list)
    outdated: list[tuple[int, str]] = field(default_factory=list)
    changes: list[Values] = field(default_factory=list)
    versions: list[Values] = field(default_factory=list)


def take_in(
    connection: sa.Connection, source: str, drafts: Sequence[StoryDraft], *, seen: dt.datetime
) -> StoryCounts:
    """Stores a batch within the caller's transaction. Drafts with one external id are one story as it was at
    several moments, in their order: the last of them counts, headings before it are kept as versions."""
    if connection.dialect.name == "postgresql":
        # Two imports at once could each make the story that the other is making. Readers go on.
        connection.execute(sa.text("LOCK TABLE story_name IN SHARE ROW EXCLUSIVE MODE"))
    by_source = source_id(connection, source)
    states: dict[str, list[StoryDraft]] = defaultdict(list)
    for draft in drafts:
        states[draft.external_id].append(draft)
    known = _known(connection, by_source, list(states))
    unknown = [each for name, each in states.items() if name not in known]
    again = _renamed(connection, by_source, unknown, set(states))
    shared = _same_url_elsewhere(connection, by_source, {url for each in unknown for url in _urls(each)})
    batch = _Batch(by_source, seen)
    for name, each in states.items():
        before = known.get(name)
        if before is None and (before := again.get(name)) is not None:
            batch.names.append({"source": by_source, "external_id": name, "story": before.id})
            batch.outdated.append((before.id, before.external_id))
        if before is not None:
            if before.source == by_source:
                _change(batch, before, each)
        elif number := next((shared[url].pop() for url in _urls(each) if shared.get(url)), None):
            batch.names.append({"source": by_source, "external_id": name, "story": number})
        else:
            _make(batch, name, each)
    _insert(connection, batch)
    _write(connection, batch)
    made, changed = len(batch.new), len(batch.changes)
    return StoryCounts(made, changed, len(drafts) - made - changed)


# --- what is known --------------------------------------------------------------------------------


def _urls(states: Sequence[StoryDraft]) -> list[str]:
    both = (url for draft in reversed(states) for url in (draft.url, draft.link) if url)
    return list(dict.fromkeys(both))


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


def _renamed(
    connection: sa.Connection,
    by_source: int,
    unknown: Iterable[Sequence[StoryDraft]],
    present: set[str],
) -> dict[str, sa.Row[Any]]:
    """New external id -> the story of this source that it must be, for sources that name the same page anew.

    It has the same link and heading; the source has each page once, or says the same date; and none of the
    story's own names came along: those would be two entries beside each other.
    """
    wanted = [states[-1] for states in unknown]
    if not wanted:
        return {}
    rows = connection.execute(
        sa.select(story).where(
            story.c.source == by_source, among(connection, story.c.url, {d.url for d in wanted})
        )
    ).all()
    if not rows:
        return {}
    own: dict[int, set[str]] = defaultdict(set)
    named = sa.select(story_name.c.story, story_name.c.external_id).where(
        story_name.c.source == by_source, among(connection, story_name.c.story, {row.id for row in rows})
    )
    for number, name in connection.execute(named):
        own[number].add(name)
    free: dict[tuple[str, str], list[sa.Row[Any]]] = defaultdict(list)
    for row in rows:
        if not own[row.id] & present:
            free[row.url, (row.edited or {}).get("title", row.title)].append(row)
    found: dict[str, sa.Row[Any]] = {}
    for draft in wanted:
        like = free[draft.url, draft.title]
        published = None if draft.published is None else whole(draft.published)
        match = next((row for row in like if draft.once or (published and row.published == published)), None)
        if match is not None:
            like.remove(match)
            found[draft.external_id] = match
    return found


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


# --- what becomes of it ---------------------------------------------------------------------------


def _change(batch: _Batch, before: sa.Row[Any], states: Sequence[StoryDraft]) -> None:
    was = dict(before._mapping)  # noqa: SLF001 - SQLAlchemy's name for a public thing
    stood = was
    versions = []
    for draft in states:
        after = values(draft, seen=batch.seen, before=stood)
        if stood["title"] != after["title"]:
            versions.append(_version(stood, _observed(draft, stood, batch.seen)) | {"story": before.id})
        stood = {**stood, **after}
    if any(was[column] != stood[column] for column in KEPT):
        batch.changes.append({column: stood[column] for column in KEPT} | {"changed_story": before.id})
        batch.versions += versions


def _make(batch: _Batch, name: str, states: Sequence[StoryDraft]) -> None:
    stood = values(states[0], seen=batch.seen)
    versions = []
    for draft in states[1:]:
        after = values(draft, seen=batch.seen, before=stood)
        if stood["title"] != after["title"]:
            versions.append(_version(stood, _observed(draft, stood, batch.seen)))
        stood = after
    batch.new.append(stood | {"source": batch.by_source, "external_id": name})
    if versions:
        batch.versions_of_new[name] = versions


def _observed(draft: StoryDraft, stood: Mapping[str, Any], seen: dt.datetime) -> dt.datetime:
    """When a source showed this state: it may say so itself, as an archive of snapshots does."""
    said = draft.first_seen
    return whole(said) if said is not None and said > stood["first_seen"] else whole(seen)


def _version(stood: Mapping[str, Any], until: dt.datetime) -> Values:
    return {"until": until, "title": stood["title"], "standfirst": stood["standfirst"]}


# --- writing --------------------------------------------------------------------------------------


def _insert(connection: sa.Connection, batch: _Batch) -> None:
    """Makes the new stories, and notes what names them."""
    if not batch.new:
        return
    connection.execute(story.insert(), batch.new)
    made = sa.select(story.c.external_id, story.c.id).where(
        story.c.source == batch.by_source,
        among(connection, story.c.external_id, [row["external_id"] for row in batch.new]),
    )
    for name, number in connection.execute(made):
        batch.names.append({"source": batch.by_source, "external_id": name, "story": number})
        batch.versions += [each | {"story": number} for each in batch.versions_of_new.get(name, ())]


def _write(connection: sa.Connection, batch: _Batch) -> None:
    for number, first in batch.outdated:  # a source that renames at each poll would never stop adding names
        connection.execute(
            sa.delete(story_name).where(
                story_name.c.story == number,
                story_name.c.source == batch.by_source,
                story_name.c.external_id != first,
            )
        )
    if batch.names:
        connection.execute(story_name.insert(), batch.names)
    keep_versions(connection, batch.versions)
    if batch.changes:
        change = sa.update(story).where(story.c.id == sa.bindparam("changed_story"))
        connection.execute(change.values({name: sa.bindparam(name) for name in KEPT}), batch.changes)


def keep_versions(connection: sa.Connection, versions: Sequence[Values]) -> None:
    """Keeps each former heading of a story once, until when it last stood: some are edited back and forth."""
    if not versions:
        return
    numbers = {each["story"] for each in versions}
    query = sa.select(story_version.c.id, story_version.c.story, story_version.c.title)
    kept = {
        (row.story, row.title): row.id
        for row in connection.execute(query.where(among(connection, story_version.c.story, numbers)))
    }
    latest = {(each["story"], each["title"]): each for each in versions}
    new = [each for key, each in latest.items() if key not in kept]
    if new:
        connection.execute(story_version.insert(), new)
    again = [{"version": kept[key], "again": each["until"]} for key, each in latest.items() if key in kept]
    if again:
        change = sa.update(story_version).where(story_version.c.id == sa.bindparam("version"))
        connection.execute(change.values(until=sa.bindparam("again")), again)
