"""A story's page -> what it says of itself: OpenGraph (ogp.me), JSON-LD (schema.org), meta and link elements.

Pure: bytes in, facts out. Nothing is taken for true that the page does not state.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

from digest.importers import jsonld
from digest.importers.body import from_text
from digest.importers.clean import heading, line, plain
from digest.importers.dates import when
from digest.importers.draft import FULL_TEXT_WORDS, Fields, language_tag, picture
from digest.importers.kinds import kind_of
from digest.importers.links import canonical_url, is_url
from digest.model import Picture, StoryKind

MAX_PAGE = 5 * 1024 * 1024
"""Bytes looked at; what a page says of itself stands at its beginning."""
_MAX_SCRIPT = 1_000_000
_MAX_VALUES = 20
_MAX_IMAGES = 500

_CHARSET = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w:.-]{2,40})""", re.IGNORECASE)
_HEADER_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w:.-]{2,40})""", re.IGNORECASE)

_TITLES = ("og:title", "twitter:title", "parsely-title", "dc.title", "title")
_DESCRIPTIONS = ("og:description", "description", "twitter:description", "dc.description", "abstract")
_IMAGES = (
    "og:image",
    "og:image:url",
    "og:image:secure_url",
    "twitter:image",
    "twitter:image:src",
    "thumbnail",
)
_ALTS = ("og:image:alt", "twitter:image:alt")
_AUTHORS = (
    "author",
    "article:author",
    "byl",
    "parsely-author",
    "sailthru.author",
    "dc.creator",
    "dcterms.creator",
)
_SECTIONS = ("article:section", "parsely-section", "section", "sailthru.section", "cxenseparse:recs:category")
_PUBLISHED = (
    "article:published_time", "article:published", "og:article:published_time", "datepublished",
    "parsely-pub-date", "sailthru.date", "publishdate", "publish-date", "pubdate", "published",
    "dc.date.issued", "dcterms.created", "dc.date", "dcterms.date", "date", "article.published",
    "cxenseparse:recs:publishtime",
)  # fmt: skip
_UPDATED = ("article:modified_time", "og:updated_time", "datemodified", "last-modified", "dcterms.modified")
_BY = re.compile(r"\Aby:?\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says of itself; "" and None where it says nothing."""

    url: str = ""
    """Its canonical address, where that is on the same site."""
    title: str = ""
    standfirst: str = ""
    author: str = ""
    section: str = ""
    language: str = ""
    picture: Picture | None = None
    published: dt.datetime | None = None
    updated: dt.datetime | None = None
    kind: StoryKind = StoryKind.article
    types: tuple[str, ...] = ()
    text: str = ""
    """The whole article as plain text, where the page states it (articleBody)."""


def read_page(data: bytes, *, url: str, content_type: str = "") -> Page:
    """Reads the HTML of the page that was found at `url`. `content_type` is the HTTP header, for its charset.
    Never raises: rubbish says nothing."""
    found = _Elements()
    try:
        found.feed(_decoded(data[:MAX_PAGE], content_type))
        found.close()
    except AssertionError:  # html.parser gives up on some broken declarations; what came before counts
        pass
    node = jsonld.subject(found.scripts)
    said = _Said(found, node, url)
    kinds = (*jsonld.types(node), *found.meta["og:type"])
    section = said.section()
    address = said.address()
    return Page(
        url=address,
        title=said.title(),
        standfirst=said.standfirst(),
        author=said.author(),
        section=section,
        language=said.language(),
        picture=said.picture(),
        published=said.time(_PUBLISHED, "datePublished", "dateCreated", "uploadDate"),
        updated=said.time(_UPDATED, "dateModified"),
        kind=kind_of(address or url, types=kinds, names=[section]),
        types=kinds,
        text=said.text(),
    )


def fill(fields: Fields, page: Page) -> None:
    """Completes what a source states by what the page says; the source's own words always come first."""
    if page.url and page.url != fields.url:
        # The name that the source has for it is its own link, by which it comes again.
        fields.link = _own_name(fields)
        fields.external_id = fields.external_id or fields.link
        fields.url = page.url
        fields.from_page.add("url")
    for name, column, value in (
        ("title", "title", page.title),
        ("author", "author", page.author),
        ("section", "section", page.section),
        ("language", "language", page.language),
    ):
        if value and not getattr(fields, name).strip():
            setattr(fields, name, value)
            fields.from_page.add(column)
    if page.title and "title" in fields.from_page:
        fields.title_html = False
    if not fields.content.strip() and len(page.text.split()) >= FULL_TEXT_WORDS:
        fields.content = from_text(page.text)
        fields.from_page |= {"body", "full_text"}
    if page.standfirst and not fields.summary.strip():
        fields.summary = from_text(page.standfirst)
        fields.from_page.add("standfirst")
    _fill_picture(fields, page)
    fields.published = fields.published or page.published
    fields.updated = fields.updated or page.updated
    if page.types:
        fields.types = [*fields.types, *page.types]
        fields.from_page.add("kind")


def _own_name(fields: Fields) -> str:
    try:
        return canonical_url(fields.url, base=fields.base)
    except ValueError:
        return ""


def _fill_picture(fields: Fields, page: Page) -> None:
    """A picture of the page's, or the words that the page has for the source's."""
    if page.picture is None:
        return
    if not fields.pictures:
        fields.pictures = [page.picture]
        fields.from_page.add("picture")
        return
    first = fields.pictures[0]
    if _file(first.url) == _file(page.picture.url):
        fields.pictures[0] = Picture(
            first.url,
            page.picture.alt if first.alt is None else first.alt,
            first.caption or page.picture.caption,
            first.credit or page.picture.credit,
            first.width,
            first.height,
        )


# --- what is said ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Said:
    """Looks up each fact in the places where pages state it, the most deliberate one first."""

    found: _Elements
    node: jsonld.Node
    base: str

    def _meta(self, names: Iterable[str]) -> Iterable[str]:
        return (value for name in names for value in self.found.meta[name])

    def _node(self, *keys: str) -> Iterable[str]:
        return (text for key in keys for text in jsonld.texts(self.node.get(key)))

    def address(self) -> str:
        """`rel=canonical`, else `og:url`: on the same site, and not its front page."""
        for stated in (*self.found.canonical, *self.found.meta["og:url"]):
            try:
                made = canonical_url(stated, base=self.base)
            except ValueError:
                continue
            if not is_url(self.base) or (_site(made) == _site(self.base) and _is_page(made, self.base)):
                return made
        return ""

    def title(self) -> str:
        stated = (*self._meta(_TITLES[:1]), *self._node("headline"), *self._meta(_TITLES[1:]))
        return _first(heading(text) for text in (*stated, self.found.title, *self._node("name")))

    def standfirst(self) -> str:
        stated = (*self._meta(_DESCRIPTIONS), *self._node("description"))
        return _first(plain(text) for text in stated)

    def author(self) -> str:
        stated = (*self._node("author", "creator"), *self._meta(_AUTHORS))
        names = (_BY.sub("", heading(text[:500])) for text in stated if not is_url(text) and "@" not in text)
        kept = list(dict.fromkeys(name for name in names if name and len(name) <= 120))
        of_node = sum(1 for _ in self._node("author", "creator"))
        return ", ".join(kept[: max(1, min(3, of_node))])

    def section(self) -> str:
        stated = (*self._meta(_SECTIONS), *self._node("articleSection"))
        return _first(heading(text) for text in stated if not is_url(text) and len(text) <= 80)

    def language(self) -> str:
        stated = (
            self.found.language,
            *self._node("inLanguage"),
            *self._meta(("og:locale", "content-language")),
        )
        return _first(language_tag(text) for text in stated)

    def time(self, names: Iterable[str], *keys: str) -> dt.datetime | None:
        for text in (*self._meta(names), *self._node(*keys)):
            try:
                moment = when(line(text, 60))
            except ValueError:
                continue
            if moment is not None:
                return moment
        return None

    def picture(self) -> Picture | None:
        """The picture that is meant for sharing, with whatever words the page has for it."""
        listed = list(jsonld.images(self.node))
        by_file = {_file(image.url): image for image in reversed(listed)}
        for stated in (*self._meta(_IMAGES), *(image.url for image in listed)):
            known = by_file.get(_file(stated)) or (listed[0] if len(listed) == 1 else jsonld.Image(stated))
            made = picture(
                stated,
                base=self.base,
                alt=self._alt(stated),
                caption=plain(known.caption),
                credit=plain(known.credit),
                width=_size(self.found.meta["og:image:width"]) or known.width,
                height=_size(self.found.meta["og:image:height"]) or known.height,
            )
            if made is not None:
                return made
        return None

    def _alt(self, url: str) -> str | None:
        """What the page says that the picture shows: beside it in the head, else where it stands."""
        stated = (line(text) for text in (*self._meta(_ALTS), self.found.alts.get(_file(url), "")))
        return next((text for text in stated if text and not _is_file_name(text, url)), None)

    def text(self) -> str:
        return _first(self._node("articleBody"))


def _first(values: Iterable[str]) -> str:
    return next((value for value in values if value), "")


def _size(values: Iterable[str]) -> str:
    """Of a picture that is named for sharing: some programs that do not know its size write 1."""
    stated = line(_first(values)).removesuffix("px")
    return stated if stated.isdecimal() and int(stated[:6]) > 2 else ""


def _site(url: str) -> str:
    host = urlsplit(url).hostname or ""
    return re.sub(r"\A(?:www|m|mobile|amp)\.", "", host)


def _is_page(url: str, found_at: str) -> bool:
    """Some sites call their front page the canonical address of everything."""
    return urlsplit(url).path.strip("/") != "" or urlsplit(found_at).path.strip("/") == ""


def _file(url: str) -> str:
    """What is the same of a picture's address in all its sizes: its last part that is a file."""
    return (
        unquote(urlsplit(url.strip()).path if "//" in url else url.partition("?")[0])
        .rpartition("/")[2]
        .lower()
    )


def _is_file_name(text: str, url: str) -> bool:
    """Systems that were given no words put the file's name there."""
    stem = re.sub(r"[^a-z0-9]+", "", _file(url).rpartition(".")[0] or _file(url))
    said = re.sub(r"\.(?:jpe?g|png|gif|webp|avif)\Z", "", text.lower())
    return " " not in text and (said != text.lower() or re.sub(r"[^a-z0-9]+", "", said) in stem)


# --- elements -------------------------------------------------------------------------------------


class _Elements(HTMLParser):
    """Collects what stands in the elements that speak of the page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.meta: defaultdict[str, list[str]] = defaultdict(list)
        self.canonical: list[str] = []
        self.scripts: list[str] = []
        self.alts: dict[str, str] = {}
        self.language = ""
        self.title = ""
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in reversed(attrs)}
        if tag == "meta":
            self._meta(given)
        elif tag == "link" and "canonical" in given.get("rel", "").lower().split():
            self.canonical.append(given.get("href", ""))
        elif tag == "html":
            self.language = self.language or given.get("lang", "") or given.get("xml:lang", "")
        elif tag == "img" and given.get("alt") and len(self.alts) < _MAX_IMAGES:
            for name in ("src", "data-src"):
                if given.get(name):
                    self.alts.setdefault(_file(given[name]), line(given["alt"], 500))
        elif tag == "time" and ("pubdate" in given or given.get("itemprop") == "datePublished"):
            self._add("datepublished", given.get("datetime", ""))
        elif (tag == "script" and "ld+json" in given.get("type", "").lower()) or (
            tag == "title" and not self.title
        ):
            self._text = []

    def handle_endtag(self, tag: str) -> None:
        if self._text is None or tag not in ("script", "title"):
            return
        text, self._text = "".join(self._text), None
        if tag == "script":
            self.scripts.append(text[:_MAX_SCRIPT])
        else:
            self.title = self.title or line(text, 500)

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def _meta(self, given: dict[str, str]) -> None:
        content = given.get("content", "")
        for attribute in ("property", "name", "itemprop", "http-equiv"):
            for name in given.get(attribute, "").lower().split():
                self._add(name, content)

    def _add(self, name: str, content: str) -> None:
        values = self.meta[name]
        if content.strip() and len(values) < _MAX_VALUES:
            values.append(content)


def _decoded(data: bytes, content_type: str) -> str:
    """By mark, header, the page's own word, else UTF-8, else Windows-1252 (WHATWG HTML 13.2.3, shortened)."""
    if data[:3] == b"\xef\xbb\xbf":
        return data.decode("utf-8-sig", "replace")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    header = _HEADER_CHARSET.search(content_type)
    own = _CHARSET.search(data[:8192])
    for name in (header and header[1], own and own[1].decode("ascii", "replace")):
        if name and not name.lower().startswith("utf-16"):
            try:
                return data.decode("cp1252" if name.lower() in ("iso-8859-1", "latin1") else name, "replace")
            except LookupError:
                continue
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
