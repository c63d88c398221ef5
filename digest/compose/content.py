"""The tree of a message: what stands below its header, encoded once but for the slots.

multipart/alternative has the text first (RFC 2046 5.1.4: the richest part last). With pictures of its own the
HTML is the root of a multipart/related (RFC 2387), with files around it all stands a multipart/mixed:

    mixed( alternative( text, related( html, pictures ) ), files )
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from digest.compose import headers, slots
from digest.compose.filling import FIRST_OWN, LEAVE, Part
from digest.compose.frame import TOKEN_LENGTH, sender_domain
from digest.compose.slots import Piece, Slot
from digest.compose.transfer import LINE, SOFT_BREAK, encode_text, encode_value
from digest.model import Sender, SlotContext, SlotName

_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,99}")
_BASE64_LINE = 57
"""Octets that make a line of 76 (RFC 2045 6.8)."""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that goes with every copy: an attachment, or a picture that the HTML shows.

    `name` is what readers see; `url` is "" for an attachment, and otherwise the address by which the HTML
    names the picture, which becomes a `cid:` (RFC 2392).
    """

    name: str
    media_type: str
    content: bytes
    url: str = ""


class Content:
    """The parts below the header, `parts`, and the `kind` that the header's Content-Type names.

    `own` has the slots that need a value of their own in a copy's list, in the order of their places.
    """

    def __init__(
        self,
        text: Sequence[Piece],
        html: Sequence[Piece],
        enclosures: Sequence[Enclosure],
        *,
        leave_prefix: str,
        domain: str,
        seed: str,
    ) -> None:
        self._leave_prefix, self._seed = leave_prefix, seed
        self._places: dict[Slot, int] = {}
        pictures, shown = _shown(html, enclosures, domain)
        files = [enclosure for enclosure in enclosures if not enclosure.url]
        # The slots of a copy's list are in the order in which the parts are made: text first.
        self.boundary = self._boundary("")
        plain = self._text("plain", text)
        rich = self._text("html", shown)
        if pictures:
            rich = self._multipart("related", [rich, *pictures], self._boundary("related"), root="text/html")
        tree = self._multipart("alternative", [plain, rich], self.boundary)
        if files:
            attached = [_file(enclosure) for enclosure in files]
            tree = self._multipart("mixed", [tree, *attached], self._boundary("mixed"))
        self.kind, self.parts = tree
        self.own = tuple(self._places)

    def _boundary(self, level: str) -> str:
        # "=_" never comes out of quoted-printable or base64, so no line of a part can be taken for the
        # boundary (RFC 2045 6.7); the rest is for people who compare messages.
        return f"=_{hashlib.sha256(f'{self._seed}{level}'.encode()).hexdigest()[:32]}"

    def _multipart(self, subtype: str, entities: Sequence[_Entity], boundary: str, root: str = "") -> _Entity:
        delimiter = f"--{boundary}".encode("ascii")
        parts: list[Part] = []
        for kind, body in entities:
            parts += [delimiter, b"\r\n", kind, b"\r\n\r\n", *body, b"\r\n"]
        rooted = f'\r\n type="{root}";' if root else ""
        kind = f'Content-Type: multipart/{subtype};{rooted}\r\n boundary="{boundary}"'.encode("ascii")
        return kind, [*parts, delimiter, b"--\r\n"]

    def _text(self, subtype: str, pieces: Sequence[Piece]) -> _Entity:
        kind = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable'
        return kind.encode("ascii"), self._encoded(pieces)

    def _encoded(self, pieces: Sequence[Piece]) -> list[Part]:
        """A part in quoted-printable, each slot on a line of its own; `_places` learns of new slots."""
        encoded: list[Part] = []
        line_open = False
        for before, piece in itertools.pairwise(["", *pieces]):
            if isinstance(piece, str):
                text = encode_text(piece)
                if isinstance(before, Slot) and not text.startswith(b"\r\n"):
                    encoded.append(SOFT_BREAK)
                encoded.append(text)
                line_open = not text.endswith(b"\r\n")
                continue
            if line_open:
                encoded.append(SOFT_BREAK)
            line_open = True
            if piece.name is SlotName.leave_url:
                # Tokens are letters and digits: nothing to escape, and only the constant beginning to encode.
                prefix = encode_value(slots.ESCAPES[piece.context](self._leave_prefix))
                room = LINE - len(prefix.rpartition(b"\n")[2])
                encoded += [prefix, LEAVE] if room >= TOKEN_LENGTH else [prefix, SOFT_BREAK, LEAVE]
            else:
                encoded.append(self._places.setdefault(piece, FIRST_OWN + len(self._places)))
        return encoded


_Entity = tuple[bytes, list[Part]]
"""The header fields of a part of the tree, without the last CRLF, and what stands below them."""


def encoder(context: SlotContext) -> Callable[[str], bytes]:
    """What makes a value fit for a slot of that context."""
    escape = slots.ESCAPES[context]

    return lambda value: encode_value(escape(value))


def content_id(enclosure: Enclosure, sender: Sender) -> str:
    """By which the HTML names a picture that is in the mail, behind `cid:`; named by its content."""
    return _content_id(enclosure, sender_domain(sender))


def _content_id(enclosure: Enclosure, domain: str) -> str:
    return f"{hashlib.sha256(enclosure.content).hexdigest()[:32]}@{domain}"


def _shown(
    html: Sequence[Piece], enclosures: Sequence[Enclosure], domain: str
) -> tuple[list[_Entity], list[Piece]]:
    """The pictures that the HTML names, and the HTML that names them by Content-ID."""
    ids = {enclosure.url: _content_id(enclosure, domain) for enclosure in enclosures if enclosure.url}
    if not ids:
        return [], list(html)
    named = set[str]()

    def inside(match: re.Match[str]) -> str:
        named.add(ids[match[2]])
        return f"{match[1]}cid:{ids[match[2]]}{match[3]}"

    addresses = "|".join(re.escape(url) for url in sorted(ids, key=len, reverse=True))
    attribute = re.compile(rf"(\b(?:src|background)\s*=\s*[\"'])({addresses})([\"'])")
    shown = [attribute.sub(inside, piece) if isinstance(piece, str) else piece for piece in html]
    pictures = {ids[enclosure.url]: enclosure for enclosure in enclosures if enclosure.url}
    return [_file(enclosure, cid) for cid, enclosure in pictures.items() if cid in named], shown


def _file(enclosure: Enclosure, cid: str = "") -> _Entity:
    """A file in base64; raises ValueError for a name or a media type that cannot stand in a header field."""
    if not _MEDIA_TYPE.fullmatch(enclosure.media_type):
        raise ValueError(f"{enclosure.name}: {enclosure.media_type!r} is not a media type (RFC 6838)")
    disposition = "inline" if cid else "attachment"
    fields = [
        f"Content-Type: {enclosure.media_type}{headers.parameter('name', enclosure.name)}",
        "Content-Transfer-Encoding: base64",
        f"Content-Disposition: {disposition}{headers.parameter('filename', enclosure.name)}",
        *([f"Content-ID: <{cid}>"] if cid else []),
    ]
    return "\r\n".join(fields).encode("ascii"), [_base64(enclosure.content)]


def _base64(content: bytes) -> bytes:
    lines = range(0, len(content), _BASE64_LINE)
    return b"\r\n".join(base64.b64encode(content[at : at + _BASE64_LINE]) for at in lines)
