"""A story's HTML as it arrives -> clean paragraphs, its pictures with captions, its related links.

Pages are full of furniture that is not the story: a picture's caption run into the text, a line of titles
after "Explore further:", a trailing "Read more". It is taken out here, before anything becomes an excerpt.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from digest.importers.clean import line, looks_like_html, plain, printable, sanitise
from digest.importers.furniture import (
    is_closing_line,
    is_credit,
    is_related_label,
    without_caption,
    without_closing,
)
from digest.importers.paragraphs import Paragraph, Walker, loosely_cleaned, without_empty
from digest.model import Link, Picture

MAX_BODY = 200_000
"""Characters of HTML kept of one story; the rest of a longer one is left out at a paragraph."""
_MAX_RELATED = 10
_STARTS_WITH_TAG = re.compile(r"\s*<(?:/?[a-z][a-z0-9]*[\s/>]|!--|!doctype)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Body:
    """What a story says, without furniture."""

    paragraphs: tuple[Paragraph, ...] = ()
    pictures: tuple[Picture, ...] = ()
    related: tuple[Link, ...] = ()
    cut_short: bool = False
    """True where the source itself ends with "Read more" or an ellipsis: it is not the whole article."""

    @property
    def html(self) -> str:
        """The paragraphs as HTML that passed nh3, at most `MAX_BODY` characters."""
        kept, length = [], 0
        for paragraph in self.paragraphs:
            made = str(paragraph)
            length += len(made)
            if length > MAX_BODY:
                break
            kept.append(made)
        return without_empty(sanitise("".join(kept)))

    @property
    def text(self) -> str:
        return " ".join(paragraph.text for paragraph in self.paragraphs)

    def opening(self, limit: int) -> tuple[str, Body]:
        """The first paragraph as a standfirst, and the body without it.

        Where it is longer than `limit` there is no standfirst: the body stays whole, for an excerpt.
        """
        for index, paragraph in enumerate(self.paragraphs):
            if paragraph.tag == "p":
                if len(paragraph.text) > limit:
                    break
                return paragraph.text, replace(self, paragraphs=tuple(_without(list(self.paragraphs), index)))
        return "", self


def read_body(html: str, *, base: str = "", captions: Iterable[str] = ()) -> Body:
    """Reads HTML or plain text. `base` resolves relative links and pictures; `captions` are texts that are
    known to belong to a picture. Never raises: what cannot be understood is left out."""
    if not html.strip():
        return Body()
    walker = Walker()
    is_html = looks_like_html(html) or _STARTS_WITH_TAG.match(html)
    walker.feed(loosely_cleaned(html if is_html else from_text(html), base))
    walker.close()
    walker.flush()
    known = [line(c) for c in (*captions, *walker.captions, *(p.alt or "" for p in walker.pictures))]
    paragraphs, related, cut_short = _without_furniture(walker.paragraphs, [c for c in known if c])
    return Body(paragraphs, tuple(walker.pictures), related, cut_short)


def from_text(text: str) -> str:
    """Plain text as HTML: each line a paragraph."""
    blocks = re.split(r"\r?\n[ \t]*\r?\n|\r\n|\n|\r", printable(text))
    return "".join(f"<p>{entities.escape(block, quote=False)}</p>" for block in blocks if block.strip())


def _without(paragraphs: list[Paragraph], index: int) -> list[Paragraph]:
    """The list without one paragraph; the list or quotation that it opened or closed stays in order."""
    left = paragraphs[index].before + paragraphs[index].after
    rest = paragraphs[:index] + paragraphs[index + 1 :]
    if left and index < len(rest):
        rest[index] = replace(rest[index], before=left + rest[index].before)
    elif left and rest:
        rest[-1] = replace(rest[-1], after=rest[-1].after + left)
    return rest


def _without_furniture(
    paragraphs: list[Paragraph], captions: list[str]
) -> tuple[tuple[Paragraph, ...], tuple[Link, ...], bool]:
    related: list[Link] = []
    in_related = False  # a label of its own: the list under it belongs to it
    index = 0
    while index < len(paragraphs):
        paragraph = paragraphs[index]
        label = is_related_label(paragraph.text)
        if label or (in_related and paragraph.tag == "li"):
            related.extend(paragraph.links)
            in_related = in_related or label == "alone"
            paragraphs = _without(paragraphs, index)
            continue
        in_related = False
        if index < 2 and len(paragraphs) > 1 and paragraph.tag == "p":
            paragraphs[index] = paragraph = _without_captions(paragraph, captions)
        if not paragraph.text or is_credit(paragraph.text):
            paragraphs = _without(paragraphs, index)
            continue
        index += 1
    paragraphs, cut_short = _without_ending(paragraphs)
    unique = {link.url: link for link in reversed(related)}
    return tuple(paragraphs), tuple(reversed(unique.values()))[:_MAX_RELATED], cut_short


def _without_captions(paragraph: Paragraph, captions: list[str]) -> Paragraph:
    for caption in captions:
        if paragraph.text == caption:
            return replace(paragraph, text="", html="")
        shorter = without_caption(paragraph.text, caption)
        if shorter != paragraph.text and "<" not in paragraph.html:
            return replace(paragraph, text=shorter, html=entities.escape(shorter, quote=False))
    return paragraph


def _without_ending(paragraphs: list[Paragraph]) -> tuple[list[Paragraph], bool]:
    """Takes "Read more" off the end, alone or run into the last paragraph."""
    cut_short = False
    while paragraphs:
        last = paragraphs[-1]
        ending = is_closing_line(last.text)
        html, more = without_closing(last.html)
        cut_short = cut_short or more or ending == "more"
        text = plain(html) if more and not ending else ""
        if ending or (more and not text):
            paragraphs = _without(paragraphs, len(paragraphs) - 1)
            continue
        if more:
            paragraphs[-1] = replace(last, html=html, text=text)
        break
    return paragraphs, cut_short
