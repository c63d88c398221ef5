"""Which column of a table is which part of a story or a reading: by its name, or as ``--map`` says."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from digest.errors import UsageError

STORY: Mapping[str, tuple[str, ...]] = {
    "external_id": (
        "external_id", "id", "guid", "story", "story_id", "short_id", "uid", "uuid", "article_id", "slug",
    ),
    "title": (
        "title", "title_last", "headline", "heading", "title_first", "web_title", "article_title",
        "page_title", "post_title", "name",
    ),
    "url": (
        "url", "link", "href", "permalink", "canonical_url", "web_url", "article_url",
        "page_url", "short_url", "address",
    ),
    "author": ("author", "by", "byline", "authors", "creator", "dc_creator", "submitter", "writer", "user"),
    "section": (
        "section", "category", "rubric", "desk", "channel", "section_name",
        "canonical_section", "categories", "tags",
    ),
    "published": (
        "published", "published_at", "publish_date", "publication_date", "pubdate", "pub_date",
        "date_published", "web_publication_date", "date", "post_date",
    ),
    "updated": ("updated", "updated_at", "modified", "modified_at", "date_modified", "last_modified"),
    "first_seen": ("first_seen", "first_seen_at", "seen", "seen_at"),
    "standfirst": (
        "standfirst", "summary", "description", "subtitle", "excerpt", "abstract", "dek", "teaser", "lead",
    ),
    "body": ("body", "content", "content_html", "html", "text", "content_text", "full_text"),
    "picture": (
        "picture", "image", "image_url", "picture_url", "img", "thumbnail", "photo",
        "feature_image", "url_to_image", "cover_image",
    ),
    "picture_alt": ("picture_alt", "image_alt", "alt", "alt_text", "feature_image_alt"),
    "picture_caption": ("picture_caption", "image_caption", "caption", "feature_image_caption"),
    "picture_credit": ("picture_credit", "image_credit", "credit", "photographer"),
    "language": ("language", "lang", "locale"),
    "kind": ("kind", "type"),
    "at": ("at", "ts", "timestamp", "scraped_at", "scrape_date", "measured_at", "observed_at"),
}  # fmt: skip
"""Field -> the names of columns that are taken for it. The first that is not empty in a row counts."""

CREATED = ("created", "created_at", "date_created", "created_est", "creation_date")
"""These are the date of a story only in a table that does not say when it was first seen: a story that comes
back weeks after it was written belongs to the week in which it came back."""

READING: Mapping[str, tuple[str, ...]] = {
    "story": (
        "story", "story_id", "external_id", "id", "guid", "url", "link", "page_url", "page", "permalink",
        "short_id", "path", "page_path", "address",
    ),
    "at": (
        "at", "ts", "time", "timestamp", "datetime", "date", "hour", "day", "bucket", "bucket_start",
        "observed_at", "seen_at",
    ),
    "value": (
        "value", "count", "total", "readers", "visitors", "unique_visitors", "users", "active_users",
        "pageviews", "page_views", "views", "hits", "points", "score", "clicks", "sessions",
    ),
}  # fmt: skip
"""As `STORY`, for readings. The metric's own name is looked for before the others."""


_LISTED = 40


@dataclass(frozen=True, slots=True)
class Columns:
    """What was decided: field -> the columns that it is read from, in order of preference."""

    of: Mapping[str, tuple[str, ...]]
    unused: tuple[str, ...]

    def cell(self, field: str, row: Mapping[str, str]) -> str:
        """The first of the field's cells that is not empty; "" without one."""
        for column in self.of.get(field, ()):
            text = row.get(column, "")
            if text and not text.isspace():
                return text
        return ""


def parse_map(settings: Iterable[str], known: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Reads ``field=column`` and ``field=first|second``; the field may be given by any of its names.

    Raises `UsageError` for what is not of that form, or no field.
    """
    made: dict[str, tuple[str, ...]] = {}
    for setting in settings:
        name, equals, columns = setting.partition("=")
        chosen = tuple(column.strip() for column in columns.split("|") if column.strip())
        if not equals or not chosen:
            raise UsageError(
                f"--map {setting!r} has no column", hint="Write --map field=column, such as title=Headline."
            )
        key = normal(name)
        field = next((f for f, names in known.items() if key == f or key in names), "")
        if not field:
            near = difflib.get_close_matches(key, known, n=1)
            raise UsageError(
                f"--map {setting!r}: there is no field {name.strip()!r}"
                + (f"; did you mean {near[0]}?" if near else ""),
                hint=f"Fields: {', '.join(known)}.",
            )
        made[field] = chosen
    return made


def choose(
    found: Sequence[str],
    known: Mapping[str, tuple[str, ...]],
    mapped: Mapping[str, tuple[str, ...]],
    *,
    nested: bool = False,
) -> Columns:
    """Decides from the header. `mapped` wins over names; `nested` allows it dotted paths.

    Raises `UsageError` when `mapped` names a column that is not there.
    """
    by_name: dict[str, str] = {}
    for column in found:
        by_name.setdefault(normal(column), column)
    of: dict[str, tuple[str, ...]] = {}
    for field, names in known.items():
        if field in mapped:
            of[field] = tuple(
                _named(column, found, by_name, field, nested=nested) for column in mapped[field]
            )
            continue
        taken = {column for columns in mapped.values() for column in columns}
        of[field] = tuple(by_name[n] for n in names if n in by_name and by_name[n] not in taken)
    used = {column.partition(".")[0] if nested else column for columns in of.values() for column in columns}
    return Columns(of, tuple(column for column in found if column not in used))


def require(
    columns: Columns, fields: Sequence[str], found: Sequence[str], where: str, *, nested: bool
) -> None:
    """Raises `UsageError` naming the columns found when none of them is taken for one of `fields`; `nested`:
    they are the names in JSON objects."""
    for field in fields:
        if not columns.of.get(field):
            raise UsageError(
                f"{where}: no {'name' if nested else 'column'} for {field}; found: {listed(found)}",
                hint=("" if nested else "The first line must name the columns. ")
                + f"Say which one it is: --map {field}={'NAME' if nested else 'COLUMN'}",
            )


def listed(found: Sequence[str]) -> str:
    """Names of columns for a message; not all of them where there are very many."""
    return (", ".join(found[:_LISTED]) or "none") + (", ..." if len(found) > _LISTED else "")


def normal(name: str) -> str:
    """How names of columns are compared: "Published at", "published-at", "publishedAt" and "PUBLISHED_AT"
    are one."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip().strip("\ufeff"))
    return re.sub(r"[\s\-./:_]+", "_", apart.lower()).strip("_")


def _named(column: str, found: Sequence[str], by_name: Mapping[str, str], field: str, *, nested: bool) -> str:
    if column in found:
        return column
    if normal(column) in by_name:
        return by_name[normal(column)]
    if nested and column.partition(".")[0] in found:
        return column
    raise UsageError(
        f"--map {field}={column}: there is no column {column!r}",
        hint=f"Found: {listed(found)}.",
    )
