"""Slots: where a template has them, and how a value is escaped for the place where it stands."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from digest.errors import AddressError
from digest.model import Recipient, SlotContext, SlotName

IN_HTML = frozenset({SlotContext.html, SlotContext.attribute, SlotContext.url})
IN_TEXT = frozenset({SlotContext.text})
IN_SUBJECT = frozenset({SlotContext.header})

_NONCE = re.compile(r"[0-9A-Za-z]+")
_USUAL = re.compile(r"(?=.{0,75}\Z)(?!From )(?:[A-Za-z0-9-]+(?: [A-Za-z0-9-]+)*)?").fullmatch
_NAMES = {name.value.replace("_", "."): name for name in SlotName}


@dataclass(frozen=True, slots=True)
class Slot:
    name: SlotName
    context: SlotContext


Piece = str | Slot


def split(part: str, template: str, nonce: str, allowed: frozenset[SlotContext]) -> list[Piece]:
    """The template cut at its slots, in order. `part` names it in errors.

    Raises ValueError for a nonce that is none, an unknown or damaged slot, and one in a place that its
    context does not fit: a text slot in HTML would not be escaped.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError(f"nonce: {nonce!r} is not letters and digits")
    pieces: list[Piece] = []
    end = 0
    for match in re.finditer(rf"SLOT-{nonce}-([a-z.]+)-([a-z]+)-TOLS", template):
        pieces.append(template[end : match.start()])
        pieces.append(_slot(part, match, allowed))
        end = match.end()
    pieces.append(template[end:])
    for piece in pieces:
        if isinstance(piece, str) and (at := piece.find(f"SLOT-{nonce}")) >= 0:
            raise ValueError(f"{part}: a damaged slot at {piece[at : at + 80]!r}")
    return [piece for piece in pieces if piece != ""]


def _slot(part: str, match: re.Match[str], allowed: frozenset[SlotContext]) -> Slot:
    name, context = _NAMES.get(match[1]), match[2]
    if name is None or context not in SlotContext.__members__:
        raise ValueError(f"{part}: unknown slot {match[0]}")
    slot = Slot(name, SlotContext(context))
    if slot.context not in allowed:
        fitting = ", ".join(sorted(allowed))
        raise ValueError(f"{part}: slot {name} has the context {context} here; allowed: {fitting}")
    if slot.context is SlotContext.url and name is not SlotName.leave_url:
        raise ValueError(f"{part}: slot {name} is no URL")
    return slot


def _attribute(value: str) -> str:
    return html.escape(value, quote=True)


def _html(value: str) -> str:
    return html.escape(value, quote=False)


ESCAPES: Mapping[SlotContext, Callable[[str], str]] = {
    SlotContext.html: _html,
    SlotContext.attribute: _attribute,
    SlotContext.url: _attribute,  # the value is a percent-safe URL already: see frame.leave_prefix
    SlotContext.text: str,
    SlotContext.header: str,
}


def fill(pieces: list[Piece], values: Mapping[SlotName, str]) -> str:
    """The template with its values in, before any transfer encoding."""
    return "".join(
        piece if isinstance(piece, str) else ESCAPES[piece.context](values[piece.name]) for piece in pieces
    )


def is_usual(name: str) -> bool:
    """Whether a name can stand in any slot, and in a header field, as it is: most can."""
    return _USUAL(name) is not None


def shown_name(recipient: Recipient) -> str:
    """The recipient's name in one line, runs of white space as one space.

    Raises AddressError when it has a line break, a NUL or another control character in it: someone tried to
    write more than a name there, or the import was damaged.
    """
    name = recipient.name
    if name.isprintable() and "  " not in name and name.strip() == name:
        return name
    for character in name:
        if character != "\t" and (character < " " or "\x7f" <= character <= "\x9f"):
            raise AddressError(recipient.address, f"a control character in the name {name!r}")
        if "\ud800" <= character <= "\udfff":
            raise AddressError(recipient.address, f"half of a character in the name {name!r}")
    return " ".join(name.split())
