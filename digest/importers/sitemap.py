"""Sitemaps with news (sitemaps.org 0.9, Google's sitemap-news 0.9 and sitemap-image 1.1) -> story drafts.

A sitemap without news has links and no headings: its pages can only be read one by one (``--enrich``). An
index of sitemaps is not followed, because behind one there may be every page that a site ever had; it is
said what is in it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from digest.errors import ImportFailed
from digest.importers.clean import line
from digest.importers.collect import Enrich, Entry, collect
from digest.importers.dates import when
from digest.importers.draft import Fields, picture
from digest.importers.imported import Imported
from digest.model import Picture

MAX_SITEMAP = 50 * 1024 * 1024
"""Bytes, unpacked (sitemaps.org: "no larger than 50MB")."""
MAX_PAGES = 50_000
"""Addresses of one sitemap (sitemaps.org)."""
_MAX_TEXT = 20_000
_SHOWN = 10

Path = tuple[str, ...]


def read_sitemap(
    data: bytes,
    *,
    base_url: str,
    source: str,
    seen: dt.datetime,
    section: str = "",
    language: str = "",
    enrich: Enrich | None = None,
) -> Imported:
    """Every address ends as a draft or in `rejected`; of a document that breaks off, those before the fault.

    `section` and `language` are for pages that state none. Raises `ImportFailed` when it is no sitemap, an
    index of others, or one with XML entities of its own.
    """
    if len(data) > MAX_SITEMAP:
        raise ImportFailed(
            source,
            f"the sitemap has more than {MAX_SITEMAP:,} bytes, which sitemaps.org does not allow",
            hint="Use the sitemap of news, which has the last two days only.",
        )
    found = _Reader(source)
    notes = found.read(data)
    if found.root == "sitemapindex":
        raise _is_an_index(found, source)
    if found.root != "urlset":
        raise ImportFailed(
            source, "it is no sitemap: it does not begin with urlset", hint="Check the address."
        )
    if not found.pages:
        notes.append("the sitemap has no addresses")
    if len(found.pages) > MAX_PAGES:
        notes.append(f"only the first {MAX_PAGES:,} addresses were read: sitemaps.org allows no more")
    entries = (_entry(page, base_url, section, language) for page in found.pages[:MAX_PAGES])
    return collect(entries, seen=seen, notes=notes, enrich=enrich)


def _is_an_index(found: _Reader, source: str) -> ImportFailed:
    listed = [page.first("loc") for page in found.pages]
    listed.sort(key=lambda address: "news" not in address.lower())
    some = ", ".join(line(address, 200) for address in listed[:_SHOWN])
    return ImportFailed(
        source,
        f"it is an index of {len(listed):,} sitemaps: {some}" + (", ..." if len(listed) > _SHOWN else ""),
        hint="Import the one of news by its own address.",
    )


@dataclass(slots=True)
class _Page:
    """One ``url`` (or ``sitemap``): the texts below it by the names of the elements around them."""

    texts: dict[Path, str] = field(default_factory=dict)
    images: list[dict[str, str]] = field(default_factory=list)

    def first(self, *path: str) -> str:
        return self.texts.get(path, "")


class _Reader:
    """Goes through the elements; names count without their prefix, which not everyone declares."""

    def __init__(self, source: str) -> None:
        self.root = ""
        self.pages: list[_Page] = []
        self._source = source
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0

    def read(self, data: bytes) -> list[str]:
        """Reads it all; returns what was odd."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.EntityDeclHandler = self._entity
        try:
            parser.Parse(data.lstrip(), True)
        except expat.ExpatError as error:
            if not self.root:
                raise ImportFailed(self._source, f"the sitemap cannot be parsed ({error})") from error
            return [f"the sitemap is not well-formed ({line(str(error), 200)}); what came before was read"]
        except (LookupError, ValueError) as error:  # an encoding that Python does not have
            raise ImportFailed(self._source, f"the sitemap cannot be decoded ({error})") from error
        return []

    def _entity(self, *_: object) -> None:
        raise ImportFailed(
            self._source,
            "it declares XML entities, which no sitemap needs; such are not read",
            hint="Ask whoever makes it to write it without a DOCTYPE.",
        )

    def _start(self, name: str, _: object) -> None:
        local = name.rpartition(":")[2].lower()
        if not self._path:
            self.root = local
        self._path.append(local)
        self._text, self._length = [], 0
        if len(self._path) == 2 and local in ("url", "sitemap"):
            self.pages.append(_Page())
        elif self._path[2:] == ["image"] and self.pages:
            self.pages[-1].images.append({})

    def _data(self, text: str) -> None:
        if self._length < _MAX_TEXT:
            self._text.append(text)
            self._length += len(text)

    def _end(self, _: str) -> None:
        text = "".join(self._text).strip()
        self._text, self._length = [], 0
        path = tuple(self._path[2:])
        self._path.pop()
        if not text or not path or not self.pages:
            return
        page = self.pages[-1]
        if path[0] == "image" and page.images:
            page.images[-1].setdefault(path[-1], text)
        else:
            page.texts.setdefault(path, text)


def _entry(page: _Page, base: str, section: str, language: str) -> Entry:
    title = page.first("news", "title") or page.first("video", "title")
    changed = _time(page.first("lastmod"))
    stated = Fields(
        url=page.first("loc"),
        base=base,
        title=title,
        summary=page.first("video", "description"),
        section=section,
        language=page.first("news", "publication", "language") or page.first("news", "language") or language,
        pictures=list(_pictures(page, base)),
        published=_time(page.first("news", "publication_date"))
        or _time(page.first("video", "publication_date")),
        updated=changed,
    )
    return Entry(line(title or stated.url or "an address without a link", 100), stated)


def _pictures(page: _Page, base: str) -> Iterator[Picture]:
    for image in page.images:
        made = picture(
            image.get("loc", ""), base=base, caption=image.get("caption") or image.get("title", "")
        )
        if made is not None:
            yield made
    if address := page.first("video", "thumbnail_loc"):
        made = picture(address, base=base)
        if made is not None:
            yield made


def _time(text: str) -> dt.datetime | None:
    try:
        return when(line(text))
    except ValueError:
        return None
