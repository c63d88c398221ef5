"""HTML -> a flat list of paragraphs, its pictures and their captions.

What comes out is simple enough to judge line by line: lists and quotations are kept as what opens before and
closes after a paragraph, everything else that pages are built of is gone.
"""

from __future__ import annotations

import html as entities
import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import nh3

from digest.importers.clean import DROPPED, INLINE, bounded, cut, line
from digest.importers.furniture import is_caption_class, is_furniture_class
from digest.importers.links import canonical_url
from digest.model import Link, Picture

_MAX_INLINE = 20  # deeper nesting says nothing more, and every paragraph repeats what is open
_TEXT_TAGS = {"p", "h2", "h3", "h4", "li", "pre"}
_HOLDERS = {"ul", "ol", "blockquote"}
_RENAMED = {"h1": "h2", "h5": "h4", "h6": "h4", "dt": "p", "dd": "p", "strike": "s", "del": "s"}
_STRUCTURE = {
    "address", "article", "aside", "center", "dd", "del", "div", "dl", "dt", "figcaption", "figure", "footer",
    "h1", "h5", "h6", "header", "hr", "img", "main", "nav", "section", "span", "strike", "table", "tbody",
    "td", "tfoot", "th", "thead", "tr",
}  # fmt: skip
_VOID = {"br", "hr", "img"}
_SIDES = ("width", "height")
_EMPTY = re.compile(r"<(\w+)[^>]*>\s*</\1>")
_NOT_A_PICTURE = re.compile(
    r"/~r?/|/pixel|doubleclick|feedburner|stats\.wordpress|gravatar\.com|/emoji/|/smil(ie|ey)s?/|/blank\.gif"
    r"|spacer|feedsportal|/1x1",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One block of text. `before` and `after` open and close what holds it (a list, a quotation)."""

    tag: str
    html: str
    text: str
    links: tuple[Link, ...] = ()
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        return f"{self.before}<{self.tag}>{self.html}</{self.tag}>{self.after}"


def loosely_cleaned(html: str, base: str) -> str:
    """Well-formed, without scripts, links absolute; classes stay for telling furniture apart."""

    def resolve(url: str) -> str | None:
        try:
            return canonical_url(url, base=base) if base or url.startswith("//") else None
        except ValueError:
            return None

    return nh3.clean(
        bounded(html),
        tags=INLINE | _STRUCTURE | _TEXT_TAGS | _HOLDERS | {"br"},
        clean_content_tags=DROPPED,
        attributes={
            "a": {"href"},
            "img": {"src", "alt", "width", "height", "data-src", "data-lazy-src"},
            "*": {"class", "lang", "dir"},
        },
        url_schemes={"http", "https", "mailto"},
        url_relative=resolve,
        link_rel=None,
    )


@dataclass
class _Open:
    """The text block that is being read."""

    tag: str = "p"
    html: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)


class Walker(HTMLParser):
    """Turns well-formed HTML into a flat list of paragraphs, and collects pictures and captions."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.paragraphs: list[Paragraph] = []
        self.pictures: list[Picture] = []
        self.captions: list[str] = []
        self._block = _Open()
        self._inline: list[tuple[str, str]] = []
        self._holders: list[str] = []
        self._before = ""
        self._skipped: list[str] = []  # open elements inside one that is left out
        self._skipped_text: list[str] = []
        self._skipped_caption = False
        self._link: list[str] = []
        self._href = ""

    # Events

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        tag = _RENAMED.get(tag, tag)
        if tag == "img":
            self._picture(given)
        elif self._skipped:
            if tag not in _VOID:
                self._skipped.append(tag)
        elif tag == "br":
            self._break()
        elif tag not in _VOID and self._left_out(tag, given):
            self.flush()
            self._skipped, self._skipped_text = [tag], []
        elif tag in INLINE:
            self._start_inline(tag, given)
        elif tag != "span":
            self.flush()
            self._open(tag)

    def handle_endtag(self, tag: str) -> None:
        tag = _RENAMED.get(tag, tag)
        if self._skipped:
            self._skipped.pop()
            if not self._skipped and self._skipped_caption:
                self._caption(line(" ".join(self._skipped_text)))
        elif tag in INLINE:
            self._end_inline(tag)
        elif tag not in _VOID and tag != "span":
            self.flush()
            if tag in _HOLDERS and tag in self._holders:
                self._close_holder(tag)

    def handle_data(self, data: str) -> None:
        if self._skipped:
            self._skipped_text.append(data)
            return
        self._block.html.append(entities.escape(data, quote=False))
        self._block.text.append(data)
        self._link.append(data)

    # What they mean

    def flush(self) -> None:
        """Ends the present block; inline elements that are still open go on in the next one."""
        block, self._block = self._block, _Open()
        text = line("".join(block.text))
        if text:
            closing = "".join(f"</{tag}>" for tag, _ in reversed(self._inline))
            html = _trimmed(without_empty("".join(block.html) + closing))
            self.paragraphs.append(Paragraph(block.tag, html, text, tuple(block.links), self._before))
            self._before = ""
        self._block.html.extend(start for _, start in self._inline)
        self._block.tag = "li" if self._holders and self._holders[-1] != "blockquote" else "p"

    def _open(self, tag: str) -> None:
        if tag in _HOLDERS:
            self._before += f"<{tag}>"
            self._holders.append(tag)
        elif tag in _TEXT_TAGS:
            self._block.tag = tag

    def _start_inline(self, tag: str, given: dict[str, str]) -> None:
        if tag == "a":
            self._link, self._href = [], given.get("href", "")
        if len(self._inline) >= _MAX_INLINE:
            return
        kept = [(name, given[name]) for name in ("href", "lang", "dir") if given.get(name)]
        start = f"<{tag}" + "".join(f' {name}="{entities.escape(value)}"' for name, value in kept) + ">"
        self._inline.append((tag, start))
        self._block.html.append(start)

    def _end_inline(self, tag: str) -> None:
        if tag == "a":
            title = line("".join(self._link))
            if title and self._href.startswith("http"):
                self._block.links.append(Link(title, self._href))
        while self._inline:  # well-formed: the innermost is the one that ends
            closed, _ = self._inline.pop()
            self._block.html.append(f"</{closed}>")
            if closed == tag:
                break

    def _close_holder(self, tag: str) -> None:
        self._holders.remove(tag)
        opened = f"<{tag}>"
        if self._before.endswith(opened):  # nothing was in it
            self._before = self._before.removesuffix(opened)
        elif self.paragraphs:
            last = self.paragraphs[-1]
            self.paragraphs[-1] = replace(last, after=f"{last.after}</{tag}>")
        self._block.tag = "p"

    def _break(self) -> None:
        """Two line breaks are a paragraph to the eye."""
        if self._block.html and self._block.html[-1] == "<br>":
            self.flush()
        elif self._block.html:
            self._block.html.append("<br>")
            self._block.text.append(" ")

    def _left_out(self, tag: str, given: dict[str, str]) -> bool:
        classes = given.get("class", "")
        self._skipped_caption = tag == "figcaption" or is_caption_class(classes)
        if not (self._skipped_caption or tag in ("nav", "table") or is_furniture_class(classes)):
            return False
        return tag != "table" or self._is_data(classes)

    @staticmethod
    def _is_data(classes: str) -> bool:
        """Old pages lay out whole articles in tables: only what calls itself a data table goes."""
        return bool(re.search(r"data|infobox|wikitable|stats", classes, re.IGNORECASE))

    def _picture(self, given: dict[str, str]) -> None:
        url = given.get("src", "")
        for lazy in (given.get("data-src", ""), given.get("data-lazy-src", "")):
            if lazy.startswith("http"):
                url = lazy
        sizes = [int(n) if (n := given.get(side, "")).isdecimal() and len(n) < 6 else None for side in _SIDES]
        if any(size is not None and size < 50 for size in sizes) or _NOT_A_PICTURE.search(url):
            return
        try:
            url = canonical_url(url)
        except ValueError:
            return
        alt = line(given["alt"], 500) if "alt" in given else None
        self.pictures.append(Picture(url, alt, width=sizes[0], height=sizes[1]))

    def _caption(self, text: str) -> None:
        if not text:
            return
        self.captions.append(text)
        if self.pictures and not self.pictures[-1].caption:
            self.pictures[-1] = replace(self.pictures[-1], caption=cut(text, 500))


def _trimmed(html: str) -> str:
    """Without space and line breaks at both ends; a pattern would search every gap inside."""
    html = html.strip()
    while html.endswith("<br>"):
        html = html.removesuffix("<br>").rstrip()
    while html.startswith("<br>"):
        html = html.removeprefix("<br>").lstrip()
    return html


def without_empty(html: str) -> str:
    """Without elements that hold nothing, such as a link around a picture."""
    while (shorter := _EMPTY.sub("", html)) != html:
        html = shorter
    return html
