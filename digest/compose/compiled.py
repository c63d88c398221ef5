"""One edition variant as a MIME message, and one copy of it as a join of bytes.

Everything that is the same for all readers is encoded here once; a copy takes some microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from digest.compose import headers, slots
from digest.compose.address import is_usual, mailbox
from digest.compose.content import Content, Enclosure, encoder
from digest.compose.dkim import Signatures, SigningKey
from digest.compose.filling import Filling, Part, picker
from digest.compose.frame import Frame, checked_token, leave_prefix, return_path_domain, sender_domain
from digest.compose.head import fields
from digest.compose.slots import Slot
from digest.compose.transfer import line_breaks
from digest.model import Message, Recipient, SlotName, Variant

Compose = Callable[[Recipient], Message]
"""Makes a recipient's copy; raises AddressError for one that cannot be written."""
CopyTokens = Callable[[int, int], tuple[str, str, str]]
"""The tokens of a copy, from subscription and delivery: of the link for leaving, the return path and the
Message-ID. At most 40 letters and digits each (`frame.checked_token`)."""

_TO_ROOM = headers.FOLD - len("To:  <>")
"""Characters of a name and an address that fit one line."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What one reader sees, before transfer encoding: for previews, web versions and sizes."""

    subject: str
    html: str
    text: str


def compile_message(
    variant: Variant,
    frame: Frame,
    *,
    enclosures: Sequence[Enclosure] = (),
    keys: Sequence[SigningKey] = (),
    unsigned: frozenset[str] = frozenset(),
) -> Compiled:
    """Encodes what all copies of this variant share.

    `enclosures` go with every copy. Each of `keys` signs it (DKIM), all header fields but `unsigned`.
    Raises ValueError (naming the field or the part) or AddressError for what cannot be written: line breaks
    in a header field, a slot where its context does not fit, an address that is none.
    """
    return Compiled(variant, frame, enclosures, keys, unsigned)


class Compiled:
    """A variant ready to be sent. All methods may be called from several threads at once."""

    __slots__ = (
        "_body", "_bounce_domain", "_copy", "_head", "_html", "_leave_prefix", "_own", "_personal_subject",
        "_pick_own", "_signatures", "_subject", "_text", "_whole", "boundary", "frame", "variant",
    )  # fmt: skip

    def __init__(
        self,
        variant: Variant,
        frame: Frame,
        enclosures: Sequence[Enclosure] = (),
        keys: Sequence[SigningKey] = (),
        unsigned: frozenset[str] = frozenset(),
    ) -> None:
        self.variant, self.frame = variant, frame
        self._subject = slots.split("subject", variant.subject, variant.nonce, slots.IN_SUBJECT)
        self._personal_subject = any(isinstance(piece, Slot) for piece in self._subject)
        text, html = (line_breaks(part) for part in (variant.text, variant.html))
        self._text = slots.split("text part", text, variant.nonce, slots.IN_TEXT)
        self._html = slots.split("HTML part", html, variant.nonce, slots.IN_HTML)
        self._leave_prefix = leave_prefix(frame.site_url)
        self._bounce_domain = return_path_domain(frame.sender)
        content = Content(
            self._text,
            self._html,
            enclosures,
            leave_prefix=self._leave_prefix,
            domain=sender_domain(frame.sender),
            seed=f"{frame.edition_name} {variant.key} {variant.nonce}",
        )
        self.boundary = content.boundary
        self._own = [
            (0 if slot.name is SlotName.address else 1, encoder(slot.context)) for slot in content.own
        ]
        self._pick_own = picker([which for which, _ in self._own])
        subject = None if self._personal_subject else slots.fill(self._subject, {})
        head = fields(frame, subject, content.kind)
        lines: list[Part] = [part for field in head for part in (*field.parts, b"\r\n")]
        self._whole = Filling([*lines, b"\r\n", *content.parts])
        self._head, self._body = Filling([*lines, b"\r\n"]), Filling(content.parts)
        self._signatures = Signatures(keys, head, unsigned, self._body.beginning) if keys else None
        self._copy = self._copier()

    @property
    def signs(self) -> bool:
        """Whether a copy is signed, which takes a hundred times as long as making it."""
        return self._signatures is not None

    def composer(self, tokens: CopyTokens) -> Compose:
        """What makes the copies of an edition: the same bytes for the same recipient.

        `tokens` are trusted: they are not looked at again.
        """
        copy = self._copy

        def compose(recipient: Recipient) -> Message:
            return copy(recipient, *tokens(recipient.subscription, recipient.delivery))

        return compose

    def message(self, recipient: Recipient, *, leave: str, bounce: str, message: str) -> Message:
        """This recipient's copy: the same bytes for the same arguments.

        The arguments are the tokens of the link for leaving, the return path and the Message-ID. No line of
        the content begins with a dot, so that it goes through DATA and BDAT as it is. Raises AddressError for
        a recipient that cannot be written.
        """
        tokens = {"leave": leave, "bounce": bounce, "message": message}
        return self._copy(recipient, *(checked_token(field, token) for field, token in tokens.items()))

    def _copier(self) -> Callable[[Recipient, str, str, str], Message]:
        """Makes a copy from its tokens. What it needs of this object is looked up once, here."""
        pick_own, encoders = self._pick_own, self._own
        whole, signed = self._whole.pieces, self._signed if self._signatures else None
        subject_field = self._subject_field if self._personal_subject else None
        at_bounce_domain = f"@{self._bounce_domain}"
        name_is_usual = slots.is_usual

        def copy(recipient: Recipient, leave: str, bounce: str, message: str) -> Message:
            address, name = recipient.address, recipient.name
            # Nothing to check, to escape or to encode in most addresses and most names.
            usual_address, usual_name = is_usual(address), name_is_usual(name)
            mailed = address if usual_address else mailbox(address, utf8=True)
            if usual_name and len(mailed) + len(name) <= _TO_ROOM:
                to = f"{name} <{mailed}>" if name else mailed
            else:
                name = slots.shown_name(recipient)
                to = headers.name_and_address(name, f"<{mailed}>", len("To: ")) if name else mailed
            own: Sequence[bytes]
            if usual_address and usual_name:
                own = pick_own((address.encode(), name.encode()))
            else:
                pairs = (address, usual_address), (name, usual_name)
                own = [
                    value.encode() if usual else encode(value)
                    for (value, usual), encode in [(pairs[which], encode) for which, encode in encoders]
                ]
            subject = subject_field(address, name, leave) if subject_field else b""
            values = [to.encode(), message.encode(), leave.encode(), subject, *own]
            return Message(
                recipient.delivery,
                f"bounce+{bounce}{at_bounce_domain}",
                mailed,
                signed(values) if signed else whole(values),
                usual_address or mailed.isascii(),
            )

        return copy

    def _signed(self, values: Sequence[bytes]) -> bytes:
        assert self._signatures is not None
        body = b"".join(self._body.pieces(values))
        fields = self._signatures.fields(values, body)
        return b"".join((fields, *self._head.pieces(values), body))

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
        return headers.unstructured("Subject", subject).removeprefix("Subject:").encode("ascii")
