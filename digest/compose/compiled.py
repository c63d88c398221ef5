"""One edition variant as a MIME message, and one copy of it as a join of bytes.

The tree is multipart/alternative with the text first (RFC 2046 5.1.4: the richest part last). Everything that
is the same for all readers is encoded here once; a copy takes some microseconds.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from digest.compose import headers, slots
from digest.compose.address import mailbox
from digest.compose.frame import (
    TOKEN_LENGTH,
    Frame,
    checked_token,
    leave_prefix,
    return_path_domain,
    sender_domain,
)
from digest.compose.slots import Piece, Slot
from digest.compose.transfer import LINE, SOFT_BREAK, encode_text, encode_value, line_breaks, unchanged
from digest.model import Message, Recipient, SlotContext, SlotName, Variant

# Where a recipient's values stand in the list that `Compiled.message` makes; body slots come behind.
_TO, _MESSAGE, _LEAVE, _SUBJECT, _FIRST_OWN = range(5)

_Part = bytes | int
"""Constant bytes, or the place of a value."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What one reader sees, before transfer encoding: for previews, web versions and sizes."""

    subject: str
    html: str
    text: str


def compile_message(variant: Variant, frame: Frame) -> Compiled:
    """Encodes what all copies of this variant share.

    Raises ValueError (naming the field or the part) or AddressError for what cannot be written: line breaks
    in a header field, a slot where its context does not fit, an address that is none.
    """
    return Compiled(variant, frame)


class Compiled:
    """A variant ready to be sent. `message` may be called from several threads at once."""

    __slots__ = (
        "_bounce_domain", "_constants", "_html", "_leave_prefix", "_own", "_personal_subject", "_pick",
        "_subject", "_text", "boundary", "frame", "variant",
    )  # fmt: skip

    def __init__(self, variant: Variant, frame: Frame) -> None:
        self.variant, self.frame = variant, frame
        self._subject = slots.split("subject", variant.subject, variant.nonce, slots.IN_SUBJECT)
        self._personal_subject = any(isinstance(piece, Slot) for piece in self._subject)
        text, html = (line_breaks(part) for part in (variant.text, variant.html))
        self._text = slots.split("text part", text, variant.nonce, slots.IN_TEXT)
        self._html = slots.split("HTML part", html, variant.nonce, slots.IN_HTML)
        self._leave_prefix = leave_prefix(frame.site_url)
        self._bounce_domain = return_path_domain(frame.sender)
        # "=_" never comes out of quoted-printable, so no line of a part can be taken for the boundary
        # (RFC 2045 6.7); the rest is for people who compare messages.
        seed = f"{frame.edition_name} {variant.key} {variant.nonce}"
        self.boundary = f"=_{hashlib.sha256(seed.encode()).hexdigest()[:32]}"
        places: dict[Slot, int] = {}
        parts = [*self._head(), *self._tree(places)]
        self._own = [(0 if slot.name is SlotName.address else 1, _encoder(slot.context)) for slot in places]
        self._constants, order = _alternate(parts)
        self._pick: Callable[[list[bytes]], tuple[bytes, ...]] = itemgetter(*order)

    def message(self, recipient: Recipient, *, leave: str, bounce: str, message: str) -> Message:
        """This recipient's copy: the same bytes for the same arguments.

        The arguments are the tokens of the link for leaving, the return path and the Message-ID. No line of
        the content begins with a dot, so that it goes through DATA and BDAT as it is. Raises AddressError for
        a recipient that cannot be written.
        """
        address = mailbox(recipient.address)
        name = slots.shown_name(recipient)
        to = headers.name_and_address(name, f"<{address}>", len("To: ")) if name else address
        values = [
            to.encode("ascii"),
            checked_token("message", message).encode("ascii"),
            checked_token("leave", leave).encode("ascii"),
            self._subject_field(recipient.address, name, leave) if self._personal_subject else b"",
        ]
        own = (recipient.address, name)
        plain = [value.encode("ascii") if unchanged(value) else None for value in own]
        values += [plain[which] or encode(own[which]) for which, encode in self._own]
        content = self._constants.copy()
        content[1::2] = self._pick(values)
        return Message(
            recipient.delivery,
            f"bounce+{checked_token('bounce', bounce)}@{self._bounce_domain}",
            address,
            b"".join(content),
        )

    def copy(self, recipient: Recipient, *, leave: str) -> Copy:
        """What this recipient will see: equal to the decoded parts of `message`, with LF for CRLF."""
        values = self._values(recipient.address, slots.shown_name(recipient), leave)
        return Copy(*(slots.fill(pieces, values) for pieces in (self._subject, self._html, self._text)))

    def html_size(self, recipient: Recipient, *, leave: str) -> int:
        """Octets of this recipient's HTML, for `clipping`."""
        return len(self.copy(recipient, leave=leave).html.encode("utf-8"))

    def _values(self, address: str, name: str, leave: str) -> dict[SlotName, str]:
        url = self._leave_prefix + checked_token("leave", leave)
        return {SlotName.address: address, SlotName.name: name, SlotName.leave_url: url}

    def _subject_field(self, address: str, name: str, leave: str) -> bytes:
        subject = slots.fill(self._subject, self._values(address, name, leave))
        return headers.unstructured("Subject", subject).encode("ascii")

    def _head(self) -> list[_Part]:
        """Every field once; CRLF between them, and the empty line behind them."""
        sender = self.frame.sender
        before, after = self.frame.constant_fields()
        fields: list[list[_Part]] = [[field.encode("ascii")] for field in before]
        fields.append([b"To: ", _TO])
        if self._personal_subject:
            fields.append([_SUBJECT])
        else:
            subject = slots.fill(self._subject, {})
            fields.append([headers.unstructured("Subject", subject).encode("ascii")])
        fields += [[field.encode("ascii")] for field in after]
        fields.append([b"Message-ID: <", _MESSAGE, f"@{sender_domain(sender)}>".encode("ascii")])
        fields.append(
            [
                f"List-Unsubscribe: <{self._leave_prefix}".encode("ascii"),
                _LEAVE,
                b">,\r\n <mailto:leave+",
                _LEAVE,
                f"@{self._bounce_domain}>".encode("ascii"),
            ]
        )
        fields.append([b"MIME-Version: 1.0"])
        kind = f'Content-Type: multipart/alternative;\r\n boundary="{self.boundary}"'
        fields.append([kind.encode("ascii")])
        return [part for field in fields for part in (*field, b"\r\n")] + [b"\r\n"]

    def _tree(self, places: dict[Slot, int]) -> list[_Part]:
        delimiter = f"--{self.boundary}".encode("ascii")
        tree: list[_Part] = []
        for subtype, pieces in (("plain", self._text), ("html", self._html)):
            kind = f'Content-Type: text/{subtype}; charset="utf-8"'.encode("ascii")
            encoding = b"Content-Transfer-Encoding: quoted-printable"
            tree += [delimiter, b"\r\n", kind, b"\r\n", encoding, b"\r\n\r\n"]
            tree += _encode(pieces, self._leave_prefix, places)
            tree.append(b"\r\n")
        return [*tree, delimiter, b"--\r\n"]


def _encode(pieces: Sequence[Piece], leave_prefix: str, places: dict[Slot, int]) -> list[_Part]:
    """A part in quoted-printable, each slot on a line of its own; `places` learns of new slots."""
    encoded: list[_Part] = []
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
            prefix = encode_value(slots.ESCAPES[piece.context](leave_prefix))
            room = LINE - len(prefix.rpartition(b"\n")[2])
            encoded += [prefix, _LEAVE] if room >= TOKEN_LENGTH else [prefix, SOFT_BREAK, _LEAVE]
        else:
            encoded.append(places.setdefault(piece, _FIRST_OWN + len(places)))
    return encoded


def _encoder(context: SlotContext) -> Callable[[str], bytes]:
    escape = slots.ESCAPES[context]

    return lambda value: encode_value(escape(value))


def _alternate(parts: Sequence[_Part]) -> tuple[list[bytes], list[int]]:
    """Constants joined, with an empty place between each two; and which value each of those places takes."""
    constants, order = [b""], list[int]()
    for part in parts:
        if isinstance(part, bytes):
            constants[-1] += part
        else:
            constants += [b"", b""]
            order.append(part)
    return constants, order
