"""Fields as a source states them -> a `StoryDraft`, or a refusal with its reason.

What arrives differs (an entry of a feed, a row of a table); what a story must have, how long its parts may be
and what is done about a missing one is the same for every importer, and is decided here.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from digest.importers.body import Body, read_body
from digest.importers.clean import cut, heading, line
from digest.importers.figures import Measured
from digest.importers.kinds import kind_of
from digest.importers.links import canonical_url
from digest.model import Link, Picture, StoryDraft, StoryKind

MAX_STANDFIRST = 400
"""Characters. A first paragraph up to this long serves as the standfirst where the source has none."""
MAX_SUMMARY = 1000
"""Characters. A summary that the source wrote itself may be longer."""
FULL_TEXT_WORDS = 150
"""A body shorter than this is a teaser, whatever it is called."""
_MAX_ID, _MAX_NAME, _MAX_ALT = 500, 200, 500


class Refused(Exception):  # noqa: N818 - a verdict on one item, not a failure
    """This item cannot become a story; the message is the reason."""


@dataclass(slots=True)
class Fields:
    """A story in the words of its source: nothing checked, nothing cleaned.

    `base` resolves relative links; `title_html` None means that it is found out by looking.
    """

    external_id: str = ""
    url: str = ""
    link: str = ""
    """The source's own address for it, where `url` is another."""
    base: str = ""
    title: str = ""
    title_html: bool | None = None
    summary: str = ""
    content: str = ""
    author: str = ""
    section: str = ""
    language: str = ""
    pictures: list[Picture] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    published: dt.datetime | None = None
    updated: dt.datetime | None = None
    first_seen: dt.datetime | None = None
    kind: StoryKind = StoryKind.article
    types: list[str] = field(default_factory=list)
    """What kind of page it says it is, in the words of schema.org or ogp.me."""
    tags: list[str] = field(default_factory=list)
    from_page: set[str] = field(default_factory=set)
    """Names of a draft's fields that the page told."""
    figures: list[Measured] = field(default_factory=list)
    """Of its popularity, as they stand now."""
    related: list[Link] = field(default_factory=list)


def draft(fields: Fields, *, once: bool = False) -> StoryDraft:
    """Raises `Refused` when there is no heading or no link: nobody could read on. `once` as in the draft."""
    url = _url(fields)
    body = _body(fields)
    title = heading(fields.title, html=fields.title_html) or _title_from(fields, body)
    standfirst, rest = _standfirst(fields, body)
    return StoryDraft(
        external_id=identifier(fields.external_id, url),
        url=url,
        title=title,
        standfirst=standfirst,
        body=rest.html,
        author=heading(cut(fields.author, 2000))[:_MAX_NAME],
        section=cut(heading(cut(fields.section, 2000)), _MAX_NAME),
        language=language_tag(fields.language),
        picture=_picture(fields.pictures, body.pictures),
        published=fields.published,
        updated=fields.updated,
        first_seen=fields.first_seen,
        kind=kind_of(url, types=fields.types, names=(fields.section, *fields.tags))
        if fields.kind is StoryKind.article
        else fields.kind,
        related=(*fields.related, *body.related),
        full_text=_is_full(fields, body),
        once=once,
        link=fields.link,
        from_page=tuple(sorted(fields.from_page)),
    )


def identifier(stated: str, url: str) -> str:
    """The name under which a source's story is known: what the source says, else its link. Stable.

    An id says nothing but itself (RFC 4287 4.2.6.1), so even an address is kept as it is: two posts on one
    page differ in the fragment alone. Very long names become their hash.
    """
    name = line(stated) or url
    return name if len(name) <= _MAX_ID else "sha256:" + hashlib.sha256(name.encode()).hexdigest()


def language_tag(stated: str) -> str:
    """A BCP 47 tag in its usual spelling ("en", "pt-BR"); "" for what is none."""
    parts = line(stated).replace("_", "-").split("-")
    if not parts[0].isalpha() or not all(p.isascii() and p.isalnum() and len(p) <= 8 for p in parts):
        return ""
    rest = [p.upper() if len(p) == 2 else p.title() if len(p) == 4 else p.lower() for p in parts[1:]]
    return "-".join([parts[0].lower(), *rest])


def picture(
    url: str, *, base: str = "", alt: str | None = None, caption: str = "", credit: str = "", width: str = "",
    height: str = "",
) -> Picture | None:  # fmt: skip
    """A picture with an absolute address, or None where there is none or it is a tracking pixel."""
    try:
        address = canonical_url(url, base=base)
    except ValueError:
        return None
    sizes = [int(n) if n.isdecimal() and len(n) < 6 else None for n in (line(width), line(height))]
    if any(size is not None and size < 3 for size in sizes):
        return None
    return Picture(
        address,
        None if alt is None else line(alt, _MAX_ALT),
        heading(caption),
        line(credit, _MAX_NAME),
        *sizes,
    )


def _url(fields: Fields) -> str:
    try:
        return canonical_url(fields.url, base=fields.base)
    except ValueError as error:
        stated = line(fields.url, 80)
        raise Refused(f"{error} ({stated})" if stated else str(error)) from None


def _body(fields: Fields) -> Body:
    captions = [
        *fields.captions,
        *(text for p in fields.pictures for text in (p.caption, p.alt or "") if text),
    ]
    return read_body(fields.content or fields.summary, base=fields.base or fields.url, captions=captions)


def _title_from(fields: Fields, body: Body) -> str:
    """Short posts have no heading: their first words stand for it."""
    text = body.paragraphs[0].text if body.paragraphs and not fields.title.strip() else ""
    if not text:
        raise Refused("no heading")
    return cut(text, 120)


def _standfirst(fields: Fields, body: Body) -> tuple[str, Body]:
    """The standfirst and what follows it; the body never begins by saying the standfirst again."""
    if not fields.content:  # the only text there is: its first paragraph introduces, the rest is the body
        return body.opening(MAX_STANDFIRST)
    summary = read_body(fields.summary, base=fields.base or fields.url, captions=fields.captions)
    text = cut(summary.text, MAX_SUMMARY)
    said = text.rstrip("… ")
    if not said or body.text.startswith(said):  # a cut of the text itself, as blogs write it
        return body.opening(MAX_STANDFIRST)
    first = body.paragraphs[0].text if body.paragraphs else ""
    return text, replace(body, paragraphs=body.paragraphs[1:]) if first == text else body


def _picture(stated: Iterable[Picture], found: tuple[Picture, ...]) -> Picture | None:
    """The first picture that the source names, with the words that the text has for it.

    Without one it is the text's own first.
    """
    by_url = {p.url.partition("?")[0]: p for p in reversed(found)}
    for each in stated:
        words = by_url.get(each.url.partition("?")[0])
        if words is None:
            return each
        return replace(
            each, alt=words.alt if each.alt is None else each.alt, caption=each.caption or words.caption
        )
    return found[0] if found else None


def _is_full(fields: Fields, body: Body) -> bool:
    return bool(fields.content) and not body.cut_short and len(body.text.split()) >= FULL_TEXT_WORDS
