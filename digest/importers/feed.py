"""RSS, Atom and RDF -> story drafts, by feedparser.

feedparser gets bytes and nothing else: it never fetches, resolves links of the feed itself (xml:base, the
channel's link, where the feed was found) and reads what is not well-formed. Cleaning is ours (nh3).
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

import feedparser
from feedparser.encodings import convert_to_utf8

from digest.errors import ImportFailed
from digest.importers.clean import line
from digest.importers.collect import Enrich, Entry, collect
from digest.importers.entry import fields, first_url, item
from digest.importers.figures import Measure
from digest.importers.imported import Imported

MAX_FEED = 20 * 1024 * 1024
"""Bytes, unpacked. The largest feed of a newsroom that we know has two."""

_SAFE_ENTITY = re.compile(rb"""\s+\w+\s+(["'])(?:&#\w{1,8};|[^&%"'<]{0,16})\1\s*>""")
_MEDIA_TEXT = re.compile(rb"<(/?)media:(description|text)\b(?:\s[^<>]*)?(?<!/)>")
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
    enrich: Enrich | None = None,
    measure: Measure | None = None,
) -> Imported:
    """Reads a whole feed; every entry ends as a draft or in `rejected`.

    `base_url` is where it was found, `seen` when: dates more than a day after it count as missing.
    `content_type` is the HTTP header, for its charset; `section` and `language` are for entries that state
    none; `enrich` looks at the pages, and `measure` takes the
    figures that entries carry. Raises `ImportFailed` when it is no feed, or one that is built to do harm.
    """
    parsed = _parse(data, base_url=base_url, source=source, content_type=content_type)
    feed = parsed.get("feed", {})
    atom = str(parsed.get("version") or "").startswith("atom")
    base = first_url(feed.get("link"), base_url)
    language = language or str(feed.get("language") or "")
    entries = (
        Entry(item(entry), fields(entry, atom=atom, base=base, language=language, section=section))
        for entry in parsed["entries"]
    )
    return collect(entries, seen=seen, notes=_oddities(parsed), enrich=enrich, measure=measure)


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
