"""What must be changed in good MJML source so that the compiler writes it as it was meant.

mrml 6 writes attribute values with Rust's debug formatting: a newline, a tab, a backslash, NBSP, ZWJ, U+200B
or a combining mark comes out as ``\\n`` or ``\\u{200b}``. Numeric entities pass untouched, and css-inline
turns them back into characters. It also miscalculates image widths from a padding of a bare ``0``.
"""

from __future__ import annotations

import re
from html import unescape

from digest.render.checks import Attribute, Piece, scan
from digest.render.components import COMPONENTS

_SPACE = "\t\n\f\r "
_SPACES = re.compile(f"[{_SPACE}]+")
_BARE_ZERO = re.compile(r"(?<![\w.%])0(?![\w.%])")
_MARKUP = {'"': "&#34;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\\": "&#92;"}
_LENGTHS = frozenset(
    f"{prefix}padding{side}"
    for prefix in ("", "inner-")
    for side in ("", "-top", "-right", "-bottom", "-left")
)


def attribute_value(value: str) -> str:
    """A value as written in source (entities allowed) so that mrml and an HTML parser give it back unchanged.

    White space becomes single-line: each run of it one space, none at the ends. Controls that HTML cannot
    hold are dropped.
    """
    kept = "".join(letter for letter in unescape(value) if _can_stand(letter))
    return "".join(
        _MARKUP.get(letter) or (letter if letter < "\x7f" else f"&#{ord(letter)};")
        for letter in _SPACES.sub(" ", kept).strip(" ")
    )


def _can_stand(letter: str) -> bool:
    """Whether HTML can hold the character: no control, surrogate or noncharacter (HTML Standard 13.2.3.5)."""
    code = ord(letter)
    if code < 0x20:
        return letter in _SPACE
    return not (0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or 0xFDD0 <= code < 0xFDF0) and (
        code & 0xFFFE != 0xFFFE
    )


def _tag(piece: Piece) -> str:
    written = "".join(f" {_attribute(piece, attribute)}" for attribute in piece.attributes)
    return f"<{piece.name}{written}{' /' if piece.kind == 'void' else ''}>"


def _attribute(piece: Piece, attribute: Attribute) -> str:
    if attribute.value is None:
        return attribute.name
    value = attribute_value(attribute.value)
    if piece.name.startswith("mj-") and attribute.name in _LENGTHS:
        value = _BARE_ZERO.sub("0px", value)
    return f'{attribute.name}="{value}"'


_WIDE_SPACE = re.compile(r"[\t\n\f\r ]{2,}|[\t\n\f\r]")
_KEEPS_SPACE = frozenset(("pre", "textarea"))


def repaired(source: str) -> tuple[str, str]:
    """Source that compiles to what it says, and the CSS of its ``<mj-style inline="inline">``.

    That CSS is taken out because mrml leaves it in the head; the caller inlines it. Runs of white space
    between words become one space (not in ``pre``), which HTML shows alike and which saves a tenth.
    """
    out: list[str] = []
    css: list[str] = []
    keeping = 0
    inlined = False
    between_components = True
    for piece in scan(source):
        raw = source[piece.start : piece.end]
        if piece.kind in ("open", "void", "close") and piece.name in COMPONENTS:
            holds_words = bool(COMPONENTS[piece.name].content)
            between_components = piece.kind != "open" or not holds_words
        if piece.name == "mj-style" and piece.kind == "open":
            inlined = any(a.name == "inline" and a.value == "inline" for a in piece.attributes)
            if inlined:
                continue
        elif piece.name == "mj-style" and inlined:
            inlined = False
            continue
        if piece.kind == "css":
            (css if inlined else out).append(_WIDE_SPACE.sub(" ", raw).strip())
        elif piece.kind in ("open", "void"):
            keeping += piece.kind == "open" and piece.name in _KEEPS_SPACE
            out.append(_tag(piece))
        elif piece.kind == "text" and not keeping:
            # Between components white space means nothing, and mrml stops at it in some places (mj-head).
            if raw.strip(_SPACE) or not between_components:
                out.append(_WIDE_SPACE.sub(" ", raw))
        else:
            keeping -= piece.kind == "close" and piece.name in _KEEPS_SPACE
            out.append(raw)
    return "".join(out), "\n".join(css)
