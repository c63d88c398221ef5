"""RSS, Atom and RDF -> story drafts, by feedparser.

feedparser gets bytes and nothing else: it never fetches, resolves links of the feed itself (xml:base, the
channel's link, where the feed was found) and reads what is not well-formed. Cleaning is ours (nh3).
"""

from __future__ import annotations

import calendar
import datetime as dt
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import feedparser
from feedparser.encodings import convert_to_utf8

from digest.errors import ImportFailed
from digest.importers.body import from_text
from digest.importers.clean import cut, heading, line, plain
from digest.importers.dates import not_future, when
from digest.importers.draft import Fields, Refused, draft, picture
from digest.importers.imported import Imported, Rejected
from digest.importers.links import canonical_url, is_url
from digest.model import Link, Picture, StoryDraft

MAX_FEED = 20 * 1024 * 1024
"""Bytes, unpacked. The largest feed of a newsroom that we know has two."""

_SAFE_ENTITY = re.compile(rb"""\s+\w+\s+(["'])(?:&#\w{1,8};|[^&%"'<]{0,16})\1\s*>""")
_MEDIA_TEXT = re.compile(rb"<(/?)media:(description|text)\b(?:\s[^<>]*)?(?<!/)>")
_ADDRESS_AND_NAME = re.compile(r"\s*\S+@\S+\s*\((.+)\)\s*\Z")
_UNSORTED = {
    "uncategorized",
    "uncategorised",
    "unsorted",
    "allgemein",
    "non classé",
    "sin categoría",
    "geen categorie",
}
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*)*", re.DOTALL)
_HTML_START = re.compile(rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)


def read_feed(
    data: bytes,
    *,
    base_url: str,
    source: str,
    seen: dt.datetime,
    content_type: str = "",
    section: str = "",
    language: str = "",
) -> Imported:
    """Reads a whole feed; every entry ends as a draft or in `rejected`.

    `base_url` is where it was found, `seen` when: dates more than a day after it count as missing.
    `content_type` is the HTTP header, for its charset; `section` and `language` are for entries that state
    none. Raises `ImportFailed` when it is no feed, or one that is built to do harm.
    """
    parsed = _parse(data, base_url=base_url, source=source, content_type=content_type)
    feed = parsed.get("feed", {})
    atom = str(parsed.get("version") or "").startswith("atom")
    base = _first_url(feed.get("link"), base_url)
    language = language or str(feed.get("language") or "")
    notes = list(_oddities(parsed))
    drafts: dict[tuple[str, str], StoryDraft] = {}
    rejected: list[Rejected] = []
    future = undated = untitled = 0
    for row, entry in enumerate(parsed["entries"], 1):
        try:
            fields = _fields(entry, atom=atom, base=base, language=language, section=section)
            stated = fields.published
            fields.published = not_future(fields.published, seen)
            fields.updated = not_future(fields.updated, seen)
            made = draft(fields)
        except Refused as refused:
            rejected.append(Rejected(row, _item(entry), str(refused)))
            continue
        future += stated is not None and fields.published is None
        undated += stated is None
        untitled += not fields.title.strip()
        key = (made.external_id, made.url)
        if key in drafts:
            rejected.append(
                Rejected(row, made.title, "the same entry again (same id and link); the newest is kept")
            )
        if key not in drafts or _is_newer(made, drafts[key]):
            drafts[key] = made
    notes += _counted(future, "a date more than a day ahead, which counts as missing")
    notes += _counted(undated, "no date that can be read; they count from when they were first seen")
    notes += _counted(untitled, "no heading; their first words serve")
    return Imported(tuple(_distinct(drafts)), tuple(rejected), tuple(notes))


# --- the document ---------------------------------------------------------------------------------


def _parse(data: bytes, *, base_url: str, source: str, content_type: str) -> Any:
    if len(data) > MAX_FEED:
        raise ImportFailed(
            source,
            f"the feed has {len(data):,} bytes; at most {MAX_FEED:,} are read",
            hint="Ask for a feed of the newest stories only.",
        )
    if not data.strip(b"\0 \t\r\n"):
        raise ImportFailed(source, "it is empty", hint="Look again later; nothing was changed.")
    # feedparser takes a picture's own text for the entry's: under another name it stays apart.
    data = _MEDIA_TEXT.sub(rb"<\1media:digest-\2>", _spelt_out(data))
    headers = {"content-location": base_url}
    if content_type:
        headers["content-type"] = content_type
    try:
        text = convert_to_utf8(headers, data, {})
        _refuse_entities(text, source)
        parsed = feedparser.parse(
            io.BytesIO(data), response_headers=headers, resolve_relative_uris=False, sanitize_html=False
        )
    except ImportFailed:
        raise
    except Exception as error:  # feedparser breaks on some rubbish in ways of its own
        raise ImportFailed(
            source, f"the feed cannot be parsed ({type(error).__name__}: {line(str(error), 200)})"
        ) from error
    if not parsed.get("version") and not parsed["entries"]:
        raise ImportFailed(source, _what_it_is(text, parsed), hint="Check the address: open it in a browser.")
    return parsed


def _spelt_out(data: bytes) -> bytes:
    """UTF-16 with neither mark nor declaration, as UTF-8; the guess of XML 1.0 appendix F.1."""
    for encoding, first, second in (("utf-16-be", 1, 3), ("utf-16-le", 0, 2)):
        zeros = data[1 - first : 4 : 2]
        if zeros == b"\0\0" and data[first : first + 1] == b"<" and data[second : second + 1] not in b"?\0":
            return data.decode(encoding, errors="replace").encode("utf-8")
    return data


def _refuse_entities(text: bytes, source: str) -> None:
    """Refuses a DTD whose entities could grow or reach outside (billion laughs, quadratic, external).

    A feed needs none but names for single characters. Looks at the text as the parser will see it, after
    decoding, so that no encoding hides a declaration.
    """
    prolog = _PROLOG.match(text)
    start = prolog.end() if prolog else 0
    if text[start : start + 9].upper() != b"<!DOCTYPE":
        return
    root = re.compile(rb"<[A-Za-z_]").search(text, start)
    subset = text[start : root.start() if root else len(text)]
    for found in re.finditer(rb"<!ENTITY|<!ATTLIST|%\w+;", subset):
        if found.group() == b"<!ENTITY" and _SAFE_ENTITY.match(subset, found.end()):
            continue
        raise ImportFailed(
            source,
            "it declares XML entities that expand to more than a character; such feeds are not read",
            hint="Ask whoever makes this feed to write it without a DOCTYPE.",
        )


def _what_it_is(text: bytes, parsed: Mapping[str, Any]) -> str:
    prolog = _PROLOG.match(text)  # at least the declaration that feedparser puts before everything
    start = text[prolog.end() if prolog else 0 :][:2000]
    if _HTML_START.search(start):
        return "it is an HTML page, not a feed"
    if start[:1] in (b"{", b"["):
        return "it is JSON, not RSS or Atom"
    if start[:1] != b"<":
        return "it is no feed: it does not begin with a tag"
    reason = parsed.get("bozo_exception")
    return "it is XML but neither RSS, Atom nor RDF" + (f" ({line(str(reason), 200)})" if reason else "")


def _oddities(parsed: Mapping[str, Any]) -> Iterator[str]:
    problem = parsed.get("bozo_exception")
    if isinstance(problem, feedparser.CharacterEncodingOverride | feedparser.CharacterEncodingUnknown):
        yield f"the encoding is not the declared one; read as {parsed.get('encoding') or 'found'}"
    elif problem is not None and not isinstance(problem, feedparser.NonXMLContentType):
        yield f"the feed is not well-formed ({line(str(problem), 200)}); what could be read was read"
    if not parsed["entries"]:
        yield "the feed has no entries"


def _counted(count: int, what: str) -> list[str]:
    return [f"entries with {what}: {count:,}"] if count else []


def _is_newer(made: StoryDraft, other: StoryDraft) -> bool:
    """RFC 4287 4.1.1 lets a feed carry an entry several times, told apart by `updated`."""
    mine, its = made.updated or made.published, other.updated or other.published
    return mine is not None and its is not None and mine > its


def _distinct(drafts: Mapping[tuple[str, str], StoryDraft]) -> Iterator[StoryDraft]:
    """Where entries with different links share an id, the id names nothing: the links do."""
    shared = Counter(external_id for external_id, _ in drafts)
    for (external_id, url), made in drafts.items():
        yield replace(made, external_id=url) if shared[external_id] > 1 else made


# --- one entry ------------------------------------------------------------------------------------


def _fields(entry: Any, *, atom: bool, base: str, language: str, section: str) -> Fields:
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
        base=_first_url(own_base, base),
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


def _related(entry: Any) -> Iterator[Link]:
    """Atom's rel=related (RFC 4287 4.2.7.2) with a title."""
    for link in entry.get("links", []):
        title = heading(str(link.get("title") or ""))
        if link.get("rel") == "related" and title:
            try:
                yield Link(title, canonical_url(str(link.get("href") or "")))
            except ValueError:
                continue


def _first_url(*candidates: object) -> str:
    return next((str(c) for c in candidates if c and is_url(str(c))), "")


def _item(entry: Any) -> str:
    """How a person finds the entry: its heading, else its id or link."""
    for name in ("title", "id", "link", "summary"):
        text = heading(str(entry.get(name) or "")[:2000])
        if text:
            return line(text, 100)
    return "an entry without title, id and link"
