"""What may enter the store: text without control characters, HTML that passed nh3, links in one form.

Everything that a source says passes through here, because it ends in other people's mailboxes.
"""

from __future__ import annotations

import html as entities
import re
import unicodedata
from collections import Counter

import nh3

from digest.importers.links import MAX_URL, canonical_url, is_url

__all__ = [
    "BLOCKS",
    "DROPPED",
    "INLINE",
    "MAX_HTML",
    "MAX_TITLE",
    "MAX_URL",
    "bounded",
    "canonical_url",
    "cut",
    "heading",
    "is_url",
    "line",
    "looks_like_html",
    "plain",
    "printable",
    "sanitise",
]

MAX_HTML = 1_000_000
"""Characters of HTML looked at; what is longer is no story."""
_MAX_DEPTH = 500
MAX_TITLE = 500
"""Characters. A longer heading is cut at a word."""

_UNPRINTABLE = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"  # C0, DEL and C1 but for tab, line ends and NEL
    "\xad\u200b\u2060\ufeff"  # invisible: soft hyphen, zero width space, word joiner, byte order mark
    "\u202a-\u202e"  # embeddings and overrides: isolates do their work without turning the neighbours
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # lone surrogates, non-characters
    "\U0001fffe\U0001ffff\U000e0001\U000f0000-\U0010ffff"  # more of them, language tag, private planes
    "]"
)
_FOLD = re.compile(r"[^\S\u00a0\u202f]+")  # spaces that keep a figure and its unit together stay
_JOINERS = "\u200d\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"  # the first glues, others follow
_OPEN_ISOLATES, _CLOSE_ISOLATE = "\u2066\u2067\u2068", "\u2069"

DROPPED = {
    "script", "style", "iframe", "object", "embed", "applet", "noscript", "template", "form", "button",
    "select", "textarea", "svg", "math", "canvas", "audio", "video", "title",
}  # fmt: skip
"""Elements that go with all that is in them."""
_BREAKING = {
    "address", "article", "aside", "blockquote", "br", "center", "dd", "div", "dl", "dt", "figcaption",
    "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p",
    "pre", "section", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
}  # fmt: skip
"""Elements at whose edges a word ends."""
INLINE = {"a", "abbr", "b", "cite", "code", "em", "i", "q", "s", "strong", "sub", "sup", "u"}
BLOCKS = {"blockquote", "br", "h2", "h3", "h4", "li", "ol", "p", "pre", "ul"}
_NESTING = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]{0,30})")
_ANY_TAG = re.compile(r"</?[a-zA-Z][^<>]*>?")
_SHALLOW = {
    "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option",
    "p", "param", "source", "td", "th", "tr", "track", "wbr",
}  # fmt: skip
"""Elements that hold nothing or end by themselves where the next one begins."""
_TAG = re.compile(r"<[^>]*>")
_HTML = re.compile(
    r"</(?:[bipqsu]|a|abbr|blockquote|br|center|cite|code|div|em|font|figure|h[1-6]|li|ol|pre|script|section"
    r"|small|span|strong|style|sub|sup|table|td|tr|ul)\s*>"
    r"|<(?:br|hr|p|img\s[^>]*)\s*/?>"
    r"|&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos|nbsp|[lr][sd]quo|[nm]dash|hellip|szlig|euro|copy|[A-Za-z]{1,2}"
    r"(?:acute|grave|uml|circ|tilde|cedil|ring|slash))"
    r";",
    re.IGNORECASE,
)


def printable(text: str) -> str:
    """Without control characters, lone surrogates, invisible characters and bidirectional overrides."""
    return _UNPRINTABLE.sub("", text)


def line(text: str, limit: int | None = None) -> str:
    """One line of plain text: printable, NFC, white space folded, isolates balanced, at most `limit` long."""
    folded = _FOLD.sub(" ", unicodedata.normalize("NFC", printable(text))).strip()
    if limit is not None:
        folded = cut(folded, limit)
    return _balance(folded, limit)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, cut at a word, with an ellipsis where something is missing."""
    if len(text) <= limit:
        return text
    end = limit - 1
    space = end if text[end].isspace() else text.rfind(" ", 0, end)
    if space > limit // 2:  # else one word fills the line, as in scripts that write no spaces
        end = space
    while end and (unicodedata.combining(text[end]) or text[end] in _JOINERS or text[end - 1] in _JOINERS[0]):
        end -= 1  # never between a letter and its accent, or within one emoji
    return text[:end].rstrip(" \u00a0\u202f,;:-–—(") + "…"


def _balance(text: str, limit: int | None) -> str:
    """Closes open isolates (U+2066..2069) so that a heading cannot turn what follows it."""
    if not any(mark in text for mark in _OPEN_ISOLATES + _CLOSE_ISOLATE):
        return text
    made, depth = [], 0
    for character in text:
        if character in _OPEN_ISOLATES:
            depth += 1
        elif character == _CLOSE_ISOLATE:
            if not depth:
                continue
            depth -= 1
        made.append(character)
    balanced = "".join(made) + _CLOSE_ISOLATE * depth
    if limit is not None and len(balanced) > limit:
        return balanced.translate({ord(mark): None for mark in _OPEN_ISOLATES + _CLOSE_ISOLATE})
    return balanced


def looks_like_html(text: str) -> bool:
    """Whether text of unknown kind carries markup: a known closing tag, a line break or an entity.

    ``vector<int>`` and ``AT&T`` do not.
    """
    return _HTML.search(text) is not None


def bounded(html: str) -> str:
    """HTML that nh3 takes in a time that does not explode: printable, at most `MAX_HTML` long and not nested
    deeper than any page is. What is deeper loses its tags: the time grows with the square of the depth."""
    shorter = printable(html[:MAX_HTML])
    if shorter.count("<") < _MAX_DEPTH:
        return shorter
    depth, opened = 0, Counter[str]()
    for closing, name in _NESTING.findall(shorter):
        tag = name.lower()
        if tag in _SHALLOW:
            continue
        if not closing:
            opened[tag] += 1
            depth += 1
            if depth > _MAX_DEPTH:
                return _ANY_TAG.sub(" ", shorter)
        elif opened[tag]:
            opened[tag] -= 1
            depth -= 1
    return shorter


def plain(html: str) -> str:
    """The text of HTML as one line; scripts, styles, forms left out, words of two blocks kept apart."""
    if "<" not in html and "&" not in html:
        return line(html)
    kept = nh3.clean(
        bounded(html), tags=_BREAKING, clean_content_tags=DROPPED, attributes={"*": set()}, link_rel=None
    )
    return line(entities.unescape(_TAG.sub(" ", kept)))


def heading(text: str, *, html: bool | None = None) -> str:
    """A heading of at most `MAX_TITLE` characters. `html` None: found out by looking."""
    is_html = looks_like_html(text) if html is None else html
    return line(plain(text) if is_html else text, MAX_TITLE)


def sanitise(html: str) -> str:
    """HTML fit for an excerpt in an email: paragraphs, lists, quotes, headings 2 to 4, links and emphasis.

    No class, style or picture; links only to absolute http, https and mailto addresses.
    """
    return nh3.clean(
        bounded(html),
        tags=INLINE | BLOCKS,
        clean_content_tags=DROPPED,
        attributes={"a": {"href"}, "*": {"lang", "dir"}},
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel=None,
    )
