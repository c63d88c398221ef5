"""JSON Feed 1.0 and 1.1 (jsonfeed.org/version/1.1) -> story drafts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from digest.importers.body import from_text
from digest.importers.clean import heading, line
from digest.importers.collect import Enrich, Entry, collect
from digest.importers.dates import when
from digest.importers.draft import Fields, Refused, picture
from digest.importers.entry import first_url
from digest.importers.imported import Imported
from digest.importers.links import is_url


def is_json_feed(document: object) -> bool:
    """Whether a JSON document says that it is a JSON Feed."""
    return isinstance(document, Mapping) and "jsonfeed.org/version/" in str(document.get("version"))


def read_json_feed(
    document: Mapping[str, Any],
    *,
    base_url: str,
    seen: dt.datetime,
    section: str = "",
    language: str = "",
    enrich: Enrich | None = None,
) -> Imported:
    """Every item ends as a draft or in `rejected`. What has another type than the format says counts as
    missing; `section` and `language` are for items that state none."""
    items = document.get("items")
    base = first_url(document.get("home_page_url"), document.get("feed_url"), base_url)
    feed_author = _author(document)
    entries = (
        Entry(_item(each), _fields(each, base, section, language or _text(document, "language"), feed_author))
        for each in (items if isinstance(items, list) else [])
    )
    notes = () if items else ("the feed has no entries",)
    return collect(entries, seen=seen, notes=notes, enrich=enrich)


def _fields(item: Any, base: str, section: str, language: str, feed_author: str) -> Fields | Refused:
    if not isinstance(item, Mapping):
        return Refused("it is no JSON object")
    name = _text(item, "id")
    content = _text(item, "content_html") or from_text(_text(item, "content_text"))
    stated = [picture(_text(item, key), base=base) for key in ("image", "banner_image") if _text(item, key)]
    attached = [
        picture(_text(each, "url"), base=base) for each in _objects(item, "attachments") if _shows(each)
    ]
    tags = item.get("tags")
    tag = next((t for t in tags if isinstance(t, str) and t.strip()), "") if isinstance(tags, list) else ""
    return Fields(
        external_id=name,
        url=_text(item, "url") or _text(item, "external_url") or (name if is_url(name) else ""),
        base=base,
        title=_text(item, "title"),
        title_html=False,  # "plain text"
        summary=from_text(_text(item, "summary")),
        content=content,
        author=_author(item) or feed_author,
        section=heading(tag[:2000]) or section,
        language=_text(item, "language") or language,
        pictures=[each for each in (*stated, *attached) if each is not None],
        published=_time(item, "date_published") or _time(item, "date_modified"),
        updated=_time(item, "date_modified"),
    )


def _shows(attachment: Mapping[str, Any]) -> bool:
    return _text(attachment, "mime_type").startswith("image/")


def _text(given: Mapping[str, Any], key: str) -> str:
    """A string; a number as digits, which some write for an id ("a processor must coerce it")."""
    value = given.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    return value if isinstance(value, str) else ""


def _objects(given: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    value = given.get(key)
    yield from (each for each in (value if isinstance(value, list) else [value]) if isinstance(each, Mapping))


def _author(given: Mapping[str, Any]) -> str:
    """`authors` (1.1) or `author` (1.0): at most three names."""
    stated = [*_objects(given, "authors")] or [*_objects(given, "author")]
    names = dict.fromkeys(name for each in stated if (name := heading(_text(each, "name")[:2000])))
    return ", ".join(list(names)[:3])


def _time(item: Mapping[str, Any], key: str) -> dt.datetime | None:
    try:
        return when(line(_text(item, key)))
    except ValueError:
        return None


def _item(item: Any) -> str:
    if isinstance(item, Mapping):
        for key in ("title", "id", "url", "external_url", "summary"):
            if text := heading(_text(item, key)[:2000]):
                return line(text, 100)
    return "an item without title, id and link"
