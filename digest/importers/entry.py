"""One entry of a feed, as feedparser gives it -> `Fields`, in the words of the source."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from digest.importers.body import from_text
from digest.importers.clean import cut, heading, line, plain
from digest.importers.dates import when
from digest.importers.draft import Fields, picture
from digest.importers.figures import Measured
from digest.importers.links import canonical_url, is_url
from digest.model import Link, Metric, MetricKind, Picture

_ADDRESS_AND_NAME = re.compile(r"\s*\S+@\S+\s*\((.+)\)\s*\Z")
_POINTS = re.compile(r"\bPoints:\s*(\d+)")
_COMMENTS = re.compile(r"# Comments:\s*(\d+)")
_UNSORTED = {
    "uncategorized",
    "uncategorised",
    "unsorted",
    "allgemein",
    "non classé",
    "sin categoría",
    "geen categorie",
}


def fields(entry: Any, *, atom: bool, base: str, language: str, section: str) -> Fields:
    """What the entry states. `base`, `language` and `section` are the feed's, for where it states none."""
    title = entry.get("title_detail") or {}
    summary, content = _texts(entry, atom=atom)
    about_picture = plain(str(entry.get("media_digest-description") or entry.get("media_digest-text") or ""))
    if not (summary.get("value") or content.get("value")):  # a video's description is all that it has
        summary = {"value": from_text(entry.get("media_digest-description") or "")}
        about_picture = ""
    enclosed = [link for link in entry.get("links", []) if link.get("rel") == "enclosure"]
    pictures = [p for p in _pictures(entry, enclosed, base) if p is not None]
    if pictures and about_picture:
        pictures[0] = replace(pictures[0], caption=cut(about_picture, 500))
    own_base = str((content or summary).get("base") or title.get("base") or "")
    return Fields(
        external_id=str(entry.get("id") or ""),
        url=_link(entry),
        base=first_url(own_base, base),
        title=str(entry.get("title") or ""),
        title_html=_is_html(title, atom=atom),
        summary=str(summary.get("value") or ""),
        content=str(content.get("value") or ""),
        author=_author(entry),
        section=_section(entry) or section,
        language=str((content or summary).get("language") or title.get("language") or language or ""),
        pictures=pictures,
        captions=[about_picture] if about_picture else [],
        published=_date(entry, "published") or _date(entry, "updated") or _date(entry, "created"),
        updated=_date(entry, "updated"),
        tags=[str(tag.get("term") or "") for tag in entry.get("tags", [])],
        figures=list(_figures(entry, summary)),
        related=list(_related(entry)),
    )


def _texts(entry: Any, *, atom: bool) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The summary and the content, each with its type and base. The longest content wins (Atom allows one;
    RSS feeds carry several). Content in another medium (type image, video) is none."""
    summary = dict(entry.get("summary_detail") or {"value": entry.get("summary", "")})
    contents = [
        each
        for each in entry.get("content", [])
        if str(each.get("type") or "text/html").partition("/")[0] in ("text", "application")
    ]
    content: Mapping[str, Any] = max(contents, key=lambda each: len(str(each.get("value") or "")), default={})
    if str(content.get("value") or "").strip() == str(summary.get("value") or "").strip():
        content = {}
    return (_as_html(summary), _as_html(content)) if atom else (summary, content)


def _as_html(text: Mapping[str, Any]) -> Mapping[str, Any]:
    """Plain text may look like HTML: it is escaped, so that "use the <b> tag" survives (RFC 4287 3.1.1.1)."""
    return (
        {**text, "value": from_text(str(text.get("value") or ""))}
        if text.get("type") == "text/plain"
        else text
    )


def _is_html(detail: Mapping[str, Any], *, atom: bool) -> bool | None:
    """Atom says what a text is; RSS leaves it to us (None) unless feedparser found markup in it."""
    kind = detail.get("type")
    if kind in ("text/html", "application/xhtml+xml"):
        return True
    return False if atom and kind is not None else None


def _link(entry: Any) -> str:
    """RSS's link, Atom's rel=alternate, else a guid that is an address, else what is enclosed.

    A link through FeedBurner's counter gives way to the page's own.
    """
    stated = str(entry.get("feedburner_origlink") or entry.get("link") or "")
    for rel in ("alternate", "self", "enclosure"):
        links = (str(link.get("href") or "") for link in entry.get("links", []) if link.get("rel") == rel)
        stated = stated or next(links, "")
    name = str(entry.get("id") or "")
    if stated.strip() and (is_url(stated) or not is_url(name)):
        return stated
    return name if is_url(name) else stated


def _date(entry: Any, name: str) -> dt.datetime | None:
    parsed = dict.get(entry, f"{name}_parsed")  # dict's own: feedparser's `get` mixes updated and published
    if parsed is not None:
        try:
            moment = dt.datetime.fromtimestamp(calendar.timegm(parsed), dt.UTC)
        except (ValueError, OverflowError, OSError):
            return None
        return moment if moment.year > 1970 else None
    try:
        return when(line(str(dict.get(entry, name) or "")))
    except ValueError:
        return None


def _author(entry: Any) -> str:
    """The authors' names; an address is nobody's name."""
    # RSS 2.0 writes "address (name)"; feedparser cuts it in the wrong place at longer top-level domains.
    named = _ADDRESS_AND_NAME.match(str(entry.get("author") or ""))
    stated = [named.group(1)] if named else [str(a.get("name") or "") for a in entry.get("authors", [])]
    names = dict.fromkeys(name for name in map(heading, stated) if name and "@" not in name)
    return ", ".join(list(names)[:3])


def _section(entry: Any) -> str:
    """The first category in words; keywords, addresses and names for "no category" are none."""
    for tag in entry.get("tags", []):
        name = heading(str(tag.get("label") or tag.get("term") or ""))
        keyword = "keyword" in str(tag.get("scheme") or "")
        if (
            name
            and "://" not in name
            and len(name) <= 80
            and not keyword
            and name.casefold() not in _UNSORTED
        ):
            return name
    return ""


def _pictures(entry: Any, enclosed: list[Any], base: str) -> Iterator[Picture | None]:
    """What the feed itself calls a picture, best first: media:content by width, enclosure, thumbnail."""
    credited = [plain(str(c.get("content") or "")) for c in entry.get("media_credit", [])]
    credit = next(filter(None, credited), "")
    images = [m for m in entry.get("media_content", []) if _is_image(m)]
    images.sort(key=lambda m: -int(w) if (w := str(m.get("width") or "")).isdecimal() and len(w) < 6 else 0)
    for each in images:
        yield _media(each, base, credit)
    for each in enclosed:
        if str(each.get("type") or "").startswith("image/"):
            yield picture(str(each.get("href") or ""), base=base)
    for each in entry.get("media_thumbnail", []):
        yield _media(each, base, credit)
    image = entry.get("image")
    if isinstance(image, Mapping) and image.get("href"):
        yield picture(str(image["href"]), base=base)


def _media(given: Mapping[str, Any], base: str, credit: str) -> Picture | None:
    return picture(
        str(given.get("url") or ""),
        base=base,
        credit=credit,
        width=str(given.get("width") or ""),
        height=str(given.get("height") or ""),
    )


def _is_image(media: Mapping[str, Any]) -> bool:
    if media.get("medium") == "image" or str(media.get("type") or "").startswith("image/"):
        return True
    known = media.get("medium") or media.get("type")
    return not known and bool(
        re.search(r"\.(?:jpe?g|png|webp|gif|avif)(?:$|\?)", str(media.get("url") or ""), re.IGNORECASE)
    )


def _figures(entry: Any, summary: Mapping[str, Any]) -> Iterator[Measured]:
    """What feeds say of a story's popularity as it stands now: media:statistics (Media RSS), slash:comments
    and thr:total (RFC 4685), and the lines that feeds of Hacker News end with."""
    statistics = entry.get("media_statistics")
    views = statistics.get("views") if isinstance(statistics, Mapping) else None
    text = str(summary.get("value") or "")
    hacker_news = text if "news.ycombinator.com/item" in text else ""
    points, comments = _POINTS.search(hacker_news), _COMMENTS.search(hacker_news)
    stated = {
        "views": [views],
        "points": [points and points[1]],
        "comments": [entry.get("slash_comments"), entry.get("thr_total"), comments and comments[1]],
    }
    for name, values in stated.items():
        said = (line(str(value)) for value in values if value is not None)
        if value := next((text for text in said if text.isascii() and text.isdigit() and len(text) < 16), ""):
            yield Measured(Metric(name, MetricKind.total), float(value))


def _related(entry: Any) -> Iterator[Link]:
    """Atom's rel=related (RFC 4287 4.2.7.2) with a title."""
    for link in entry.get("links", []):
        title = heading(str(link.get("title") or ""))
        if link.get("rel") == "related" and title:
            try:
                yield Link(title, canonical_url(str(link.get("href") or "")))
            except ValueError:
                continue


def first_url(*candidates: object) -> str:
    """The first that is a web address, or nothing."""
    return next((str(c) for c in candidates if c and is_url(str(c))), "")


def item(entry: Any) -> str:
    """How a person finds the entry: its heading, else its id or link."""
    for name in ("title", "id", "link", "summary"):
        text = heading(str(entry.get(name) or "")[:2000])
        if text:
            return line(text, 100)
    return "an entry without title, id and link"
