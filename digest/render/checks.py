"""Checks of MJML source before it is compiled, because the compiler fails open.

mrml drops what it does not know, writes wrong attributes as they are, names byte offsets or nothing in its
errors, and dies on 20,000 nested tags. So the source is read here first; every problem has its offset, which
`digest.render.templates.Environment.locate` turns into the file and line of the Jinja template.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

from digest.render.components import COMPONENTS, HTML, REFUSED, VOID

MOST_CHARACTERS = 1_000_000
MOST_TAGS = 20_000
DEEPEST = 100
"""Nested tags. Outlook's engine gives up at about 50 tables; the compiler's stack ends far later."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the source at `offset` (characters from its beginning)."""

    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """`value` is as written, entities and all; None for an attribute without one."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of source. `kind`: open, void (``<x/>``), close, text, comment, doctype, css or broken."""

    kind: str
    start: int
    end: int
    name: str = ""
    attributes: tuple[Attribute, ...] = ()


# Each alternative begins with another character and nothing is given back, so that the time is linear.
_TAG = re.compile(r"<(/?)([A-Za-z][\w:.-]*+)((?:[^<>\"']|\"[^\"]*+\"|'[^']*+')*+)>")
_ATTRIBUTE = re.compile(r"\s+([^\s=/\"'<>]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'))?+")
_CSS_END = re.compile(r"</\s*(mj-style|style)\s*>", re.IGNORECASE)
_SELF_CLOSED = re.compile(r"\s*/?\s*")


def scan(source: str) -> Iterator[Piece]:
    """Cuts source into pieces that together are the whole of it. Never fails: what is no tag is "broken"."""
    at = 0
    while at < len(source):
        if source[at] != "<":
            end = source.find("<", at)
            end = len(source) if end < 0 else end
            yield Piece("text", at, end)
        elif source.startswith("<!--", at):
            end = source.find("-->", at + 4)
            end = len(source) if end < 0 else end + 3
            yield Piece("comment" if source.endswith("-->", at + 4, end) else "broken", at, end)
        elif source.startswith("<!", at):
            end = source.find(">", at)
            end = len(source) if end < 0 else end + 1
            yield Piece("doctype", at, end)
        else:
            piece = _tag(source, at)
            end = piece.end
            yield piece
            if piece.kind == "open" and piece.name in ("mj-style", "style"):
                close = _CSS_END.search(source, end)
                stop = close.start() if close else len(source)
                if stop > end:
                    yield Piece("css", end, stop)
                end = stop
        at = end


def _tag(source: str, at: int) -> Piece:
    found = _TAG.match(source, at)
    if not found:
        end = source.find("<", at + 1)
        return Piece("broken", at, len(source) if end < 0 else end)
    slash, name, inside = found[1], found[2], found[3]
    if slash:
        return Piece("close" if not inside.strip() else "broken", at, found.end(), name)
    attributes = []
    place = 0
    while attribute := _ATTRIBUTE.match(inside, place):
        double, single = attribute[2], attribute[3]
        attributes.append(Attribute(attribute[1], double if double is not None else single))
        place = attribute.end()
    rest = inside[place:]
    if not _SELF_CLOSED.fullmatch(rest):
        return Piece("broken", at, found.end(), name, tuple(attributes))
    kind = "void" if "/" in rest or name.lower() in VOID else "open"
    return Piece(kind, at, found.end(), name, tuple(attributes))


_COLOUR = re.compile(
    r"#(?:[0-9a-f]{3}|[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8})|[a-z]+|rgba?\([\d\s.,%/]+\)|hsla?\([\d\s.,%/a-z]+\)",
    re.IGNORECASE,
)
_LENGTHS = re.compile(r"-?(?:\d+(?:\.\d+)?(?:px|%|em|rem|pt)?)(?:\s+-?\d+(?:\.\d+)?(?:px|%|em|rem|pt)?){0,3}")
_LENGTH_NAMES = frozenset(("padding", "padding-top", "padding-right", "padding-bottom", "padding-left"))


class _Checker:
    """One walk over the pieces with the stack of open tags."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.stack: list[tuple[str, int]] = []
        self.tags = 0
        self.roots: list[str] = []

    def say(self, offset: int, text: str) -> None:
        self.problems.append(Problem(offset, text))

    def run(self) -> list[Problem]:
        if len(self.source) > MOST_CHARACTERS:
            self.say(0, f"{len(self.source):,} characters of MJML; at most {MOST_CHARACTERS:,} are compiled")
            return self.problems
        handlers = {
            "open": self.opened,
            "void": self.opened,
            "close": self.closed,
            "text": self.text,
            "broken": self.broken,
        }
        for piece in scan(self.source):
            if piece.kind in ("open", "void") and self.too_much(piece):
                return self.problems
            if piece.kind in handlers:
                handlers[piece.kind](piece)
        for name, offset in self.stack:
            self.say(offset, f"<{name}> is never closed")
        if not self.problems and self.roots != ["mjml"]:
            self.say(0, "the source must be one <mjml> element")
        if not self.problems and "<mj-body" not in self.source:
            self.say(0, "<mjml> has no <mj-body>")
        return self.problems

    def too_much(self, piece: Piece) -> bool:
        self.tags += 1
        if self.tags > MOST_TAGS:
            self.say(piece.start, f"more than {MOST_TAGS:,} tags")
        elif len(self.stack) >= DEEPEST:
            self.say(piece.start, f"<{piece.name}> is nested more than {DEEPEST} tags deep")
        else:
            return False
        return True

    def container(self) -> str:
        """The nearest MJML component around this place, "" for none."""
        return next((name for name, _ in reversed(self.stack) if name in COMPONENTS), "")

    def opened(self, piece: Piece) -> None:
        name, parent = piece.name, self.container()
        if not self.stack:
            self.roots.append(name)
        if name in REFUSED:
            self.say(piece.start, f"<{name}> is not possible here: {REFUSED[name]}")
        elif name in COMPONENTS:
            self.component(piece, parent)
        elif name.startswith("mj-") or name.lower() not in HTML:
            # Names with a colon are Outlook's (v:rect, o:p).
            if ":" not in name:
                self.say(piece.start, f"unknown tag <{name}>{_near(name, (*COMPONENTS, *HTML))}")
        elif not parent or COMPONENTS[parent].content != "html":
            where = f"in <{parent}>" if parent else "outside of <mjml>"
            self.say(piece.start, f"<{name}> is not allowed {where}: put HTML into <mj-text> or <mj-raw>")
        self.attributes(piece)
        if piece.kind == "open":
            self.stack.append((name, piece.start))

    def component(self, piece: Piece, parent: str) -> None:
        if not self.stack:
            if piece.name != "mjml":
                self.say(piece.start, f"<{piece.name}> is outside of <mjml>")
            return
        allowed = COMPONENTS[parent].children if parent else frozenset()
        if self.stack[-1][0] != parent or (piece.name not in allowed and "*" not in allowed):
            self.say(piece.start, f"<{piece.name}> is not allowed in <{self.stack[-1][0]}>")

    def attributes(self, piece: Piece) -> None:
        seen: set[str] = set()
        component = COMPONENTS.get(piece.name)
        inside_defaults = any(name == "mj-attributes" for name, _ in self.stack)
        for attribute in piece.attributes:
            name = attribute.name
            if name in seen:
                self.say(piece.start, f"<{piece.name}> has {name} twice")
            seen.add(name)
            if component is None:
                if name.lower().startswith("on"):
                    self.say(piece.start, f"{name} on <{piece.name}>: mail programs remove scripts")
                continue
            if name not in component.attributes and "*" not in component.attributes:
                near = _near(name, component.attributes)
                self.say(piece.start, f"<{piece.name}> has no attribute {name}{near}")
            elif attribute.value is None:
                self.say(piece.start, f'{name} on <{piece.name}> needs a value: {name}="..."')
            else:
                self.value(piece, name, unescape(attribute.value).strip())
        if piece.name in ("mj-image", "img") and "alt" not in seen and not inside_defaults:
            self.say(piece.start, f'<{piece.name}> has no alt: say what it shows, or alt="" for decoration')

    def value(self, piece: Piece, name: str, value: str) -> None:
        if (name.endswith("color") and value and not _COLOUR.fullmatch(value)) or (
            name == "background-color" and not value
        ):
            self.say(piece.start, f"{name}={value!r} on <{piece.name}> is not a colour")
        if name in _LENGTH_NAMES and value and not _LENGTHS.fullmatch(value):
            self.say(
                piece.start, f"{name}={value!r} on <{piece.name}> is not a length such as 0px or 8px 24px"
            )

    def closed(self, piece: Piece) -> None:
        name = piece.name
        if name.lower() in VOID:
            self.say(piece.start, f"</{name}>: <{name}> has no closing tag")
        elif self.stack and self.stack[-1][0] == name:
            self.stack.pop()
        elif any(opened == name for opened, _ in self.stack):
            while self.stack[-1][0] != name:
                opened, offset = self.stack.pop()
                self.say(offset, f"<{opened}> is never closed")
            self.stack.pop()
        else:
            self.say(piece.start, f"</{name}> closes nothing")

    def text(self, piece: Piece) -> None:
        words = self.source[piece.start : piece.end].strip()
        if not words:
            return
        parent = self.container()
        if not parent or COMPONENTS[parent].content not in ("text", "html"):
            offset = piece.start + self.source[piece.start : piece.end].index(words[0])
            where = f"in <{parent}>" if parent else "outside of <mjml>"
            self.say(offset, f"stray text {where}: {words[:40]!r}")

    def broken(self, piece: Piece) -> None:
        shown = " ".join(self.source[piece.start : piece.start + 50].split())
        if self.source.startswith("<!--", piece.start):
            self.say(piece.start, "a comment is never closed")
        else:
            self.say(
                piece.start, f"this is no tag: {shown!r} (a value without quotes? a < that should be &lt;?)"
            )


def _near(name: str, names: object) -> str:
    close = difflib.get_close_matches(name, sorted(names), n=1)  # type: ignore[call-overload]
    return f"; did you mean {close[0]}?" if close else ""


def check(source: str) -> tuple[Problem, ...]:
    """All problems of MJML source, in the order of their places; () if it can be compiled."""
    return tuple(sorted(_Checker(source).run(), key=lambda problem: problem.offset))
