"""From a story's body to the plain paragraphs of an excerpt, without the furniture of a web page.

Furniture is what stands in a body and is not the story: captions run into the text, "Explore further" lines,
a trailing "Read more", bylines, calls to subscribe.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser

SHORTEST, LONGEST = 60, 90
"""Words of an excerpt, where whole paragraphs allow it."""

_PARAGRAPHS = frozenset(("p", "div", "section", "article", "blockquote", "main", "header"))
_LEFT_OUT = frozenset(
    (
        *("aside", "audio", "button", "dl", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4"),
        *("h5", "h6", "iframe", "math", "nav", "noscript", "ol", "pre", "script", "select", "style", "svg"),
        *("table", "template", "textarea", "ul", "video"),
    )
)
_LEAD_IN = re.compile(
    r"(explore further|read more|read also|also read|related(?: stories| articles| links)?|see also"
    r"|more on this(?: story)?|continue reading|recommended|in pictures|watch|listen|don['’]t miss"
    r"|further reading|photo|photograph|image|picture|video|credit|caption|source)\s*:",
    re.IGNORECASE,
)
_WHOLE_LINE = re.compile(
    r"(advertisement|sponsored|explore further|read more|continue reading|keep reading|related(?: stories)?"
    r"|see also|share(?: this)?(?: story| article)?|comments?"
    r"|(?:sign up|subscribe|follow us|get our)\b.*|the post .+ (?:first )?appeared (?:first )?on .+"
    r"|(?:©|\(c\)|copyright\b).*"
    r"|(?:this|the) (?:article|story) (?:was )?(?:originally|first) (?:published|appeared).*)"
    r"[\s.…»→>]*",
    re.IGNORECASE,
)
# A short line that ends in a bare address, as under videos: "Follow us: https://..."
_LINK_LINE = re.compile(r".{0,120}https?://\S+")
# Only behind a mark: a sentence may end with these words of its own.
_TRAILING = re.compile(
    r"\s*(?:\[\s*(?:…|\.{3})\s*\]"
    r"|(?:(?<=[.!?…\])\"'”’])|…|\.{3})\s*"
    r"\(?(?:read more|continue reading|keep reading|read the full story)\b\)?)"
    r"[\s.…»→>]*$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*(?=\s)|[。！？][」』”]*")


class _Paragraphs(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, float]] = []
        self._text: list[str] = []
        self._linked = 0
        self._in_link = 0
        self._skipping: list[str] = []

    def flush(self) -> None:
        text = " ".join("".join(self._text).split())
        if text:
            self.found.append((text, min(1.0, self._linked / len(text))))
        self._text, self._linked = [], 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the parser's signature
        if tag in _LEFT_OUT:
            self.flush()
            self._skipping.append(tag)
        elif tag in _PARAGRAPHS or tag == "hr":
            self.flush()
        elif tag == "br":
            self._text.append("\n")
            if "".join(self._text[-3:]).count("\n") > 1:  # two breaks are how old pages end a paragraph
                self.flush()
        elif tag == "a":
            self._in_link += 1

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            if tag in self._skipping:
                while self._skipping.pop() != tag:
                    pass
        elif tag in _PARAGRAPHS:
            self.flush()
        elif tag == "a":
            self._in_link = max(0, self._in_link - 1)

    def handle_data(self, data: str) -> None:
        if self._skipping:
            return
        if not self._in_link and "\n\n" in data:
            for part in data.split("\n\n"):
                self._text.append(part)
                self.flush()
            return
        self._text.append(data)
        if self._in_link:
            self._linked += len(data)


def _units(text: str) -> Iterator[tuple[int, int]]:
    """Where each word or dense letter ends, and what it counts in halves of a word.

    In scripts without spaces (Chinese, Japanese) two letters stand for one word.
    """
    end = 0
    inside = False
    for at, letter in enumerate(text):
        dense = _is_dense(letter)
        if inside and (dense or letter.isspace()):
            yield end, 2
            inside = False
        if dense:
            yield at + 1, 1
        elif not letter.isspace():
            inside = inside or letter.isalnum()
            end = at + 1
    if inside:
        yield end, 2


def _is_dense(letter: str) -> bool:
    return letter > "⺀" and unicodedata.east_asian_width(letter) in "WF" and letter.isalpha()


def count_words(text: str) -> int:
    """Words; in scripts without spaces two letters stand for one."""
    if max(text, default="") < "⺀":  # the usual case, ten times as fast
        return sum(any(map(str.isalnum, word)) for word in text.split())
    return (sum(halves for _, halves in _units(text)) + 1) // 2


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().casefold()


def paragraphs(body: str) -> tuple[str, ...]:
    """Every paragraph of a body as plain text, furniture included; for counting words."""
    return tuple(text for text, _ in _parse(body))


def _parse(body: str) -> list[tuple[str, float]]:
    parser = _Paragraphs()
    parser.feed(body)
    parser.close()
    parser.flush()
    return parser.found


def prose(body: str, *, known: Iterable[str] = ()) -> tuple[str, ...]:
    """The paragraphs of a story's body that are the story.

    `known` are texts that stand elsewhere in the email (title, standfirst, caption, credit): a paragraph that
    repeats one is left out, and a caption run into the beginning of a paragraph is cut off.
    """
    repeated = [text.strip() for text in known if text.strip()]
    plain = {_plain(text) for text in repeated}
    kept = []
    for found, linked in _parse(body):
        text = found
        for caption in repeated:
            # A short title may well begin a real sentence; a caption of several words hardly does.
            if len(caption.split()) > 3 and text.startswith(caption) and _plain(text) != _plain(caption):
                text = text[len(caption) :].lstrip(" .:;–—-|")
        text = _TRAILING.sub("", text).strip()
        if not text or _plain(text) in plain or linked > 0.8:
            continue
        if _LEAD_IN.match(text) or _WHOLE_LINE.fullmatch(text) or _LINK_LINE.fullmatch(text):
            continue
        kept.append(text)
    return tuple(kept)


def excerpt(
    paragraphs: Iterable[str], *, shortest: int = SHORTEST, longest: int = LONGEST
) -> tuple[str, ...]:
    """Whole paragraphs from the beginning, `shortest` to `longest` words where their lengths allow it.

    A first paragraph that is longer by itself ends with the last sentence that fits, or else with a word and
    an ellipsis.
    """
    taken: list[str] = []
    words = 0
    for text in paragraphs:
        more = count_words(text)
        if not taken and more > longest:
            return (shortened(text, longest),)
        if words >= shortest or words + more > longest:
            break
        taken.append(text)
        words += more
    return tuple(taken)


def shortened(text: str, longest: int) -> str:
    """At most `longest` words: to the end of the last sentence that fits, if that is half of them or more.

    Otherwise to a word and an ellipsis.
    """
    if count_words(text) <= longest:
        return text
    best = ""
    for end in _SENTENCE_END.finditer(text):
        head = text[: end.end()]
        size = count_words(head)
        if size > longest:
            break
        if size * 2 >= longest:
            best = head
    return best or cut_at_word(text, longest)


def cut_at_word(text: str, longest: int) -> str:
    """At most `longest` words and an ellipsis."""
    taken = 0
    halves = 0
    for end, size in _units(text):
        halves += size
        if halves > longest * 2:
            break
        taken = end
    return text[:taken].rstrip(" ,;:–—-.") + "…"
