"""Between rows of `story` and the dataclasses of the model."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from digest.model import Link, Picture, Story, StoryDraft, StoryKind
from digest.store.tables import source, story

STORIES = sa.select(story, source.c.name.label("source_name")).join(source, source.c.id == story.c.source)
"""The rows that `read` understands; add conditions and an order."""

_KINDS = {kind.value: kind for kind in StoryKind}
OF_DRAFT = (
    "url",
    "title",
    "standfirst",
    "body",
    "author",
    "section",
    "language",
    "picture",
    "related",
    "kind",
    "full_text",
    "published",
    "updated",
    "first_seen",
    "date",
)
"""The columns that a source has a say in."""
KEPT = (*OF_DRAFT, "edited", "from_page")
"""The columns that an import writes."""
EDITABLE = ("title", "standfirst", "body", "author", "section", "language", "url", "picture", "kind")
"""The columns that an editor may write; from then on the source's own word is kept in `edited`."""


def whole(moment: dt.datetime) -> dt.datetime:
    """As it is kept: in UTC, whole seconds."""
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone cannot be stored: {moment}")
    return moment.astimezone(dt.UTC).replace(microsecond=0)


def values(
    draft: StoryDraft, *, seen: dt.datetime, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The columns of `KEPT` for a story that was `before` and is now as in `draft`.

    A date that the source no longer tells is not taken back, and `first_seen` never moves later: else a story
    that was looked at again would wander into another window. What an editor wrote stays. What a page told
    stays where the source says nothing, for not every import looks at pages.
    """
    first_seen = whole(draft.first_seen or seen)
    published = None if draft.published is None else whole(draft.published)
    updated = None if draft.updated is None else whole(draft.updated)
    if before is not None:
        first_seen = min(first_seen, before["first_seen"])
        published = published or before["published"]
        updated = updated or before["updated"]
    made = {
        "url": draft.url,
        "title": draft.title,
        "standfirst": draft.standfirst,
        "body": draft.body,
        "author": draft.author,
        "section": draft.section,
        "language": draft.language,
        "picture": None if draft.picture is None else dataclasses.asdict(draft.picture),
        "related": [{"title": link.title, "url": link.url} for link in draft.related],
        "kind": draft.kind.value,
        "full_text": draft.full_text,
        "published": published,
        "updated": updated,
        "first_seen": first_seen,
        "date": published or first_seen,
        "edited": None,
        "from_page": sorted(draft.from_page) or None,
    }
    if before is not None:
        _keep_of_page(made, before)
        _keep_edited(made, before)
    return made


def _keep_of_page(made: dict[str, Any], before: Mapping[str, Any]) -> None:
    told = before["from_page"] or ()
    kept = [
        column
        for column in told
        if before[column]
        and (not made[column] or (column, made[column]) == ("kind", "article") or column == "url")
    ]
    made.update({column: (before["edited"] or {}).get(column, before[column]) for column in kept})
    made["from_page"] = sorted({*kept, *(made["from_page"] or ())}) or None


def _keep_edited(made: dict[str, Any], before: Mapping[str, Any]) -> None:
    edited = before["edited"]
    if edited:
        made["edited"] = {column: made[column] for column in edited}
        made.update({column: before[column] for column in edited})


def read(row: sa.Row[Any]) -> Story:
    """A row of `STORIES` as a story."""
    return Story(
        id=row.id,
        source=row.source_name,
        external_id=row.external_id,
        url=row.url,
        title=row.title,
        first_seen=row.first_seen,
        standfirst=row.standfirst,
        body=row.body,
        author=row.author,
        section=row.section,
        language=row.language,
        picture=None if row.picture is None else Picture(**row.picture),
        published=row.published,
        updated=row.updated,
        withdrawn=row.withdrawn,
        kind=_KINDS[row.kind],
        related=tuple(Link(link["title"], link["url"]) for link in row.related) if row.related else (),
        full_text=row.full_text,
        hidden=(row.hidden or {}).get("reason", ""),
    )
