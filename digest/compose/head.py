"""The header of a message, field by field, with places for what differs between copies."""

from __future__ import annotations

from dataclasses import dataclass

from digest.compose import headers
from digest.compose.filling import LEAVE, MESSAGE, SUBJECT, TO, Part
from digest.compose.frame import Frame, leave_prefix, return_path_domain, sender_domain

PLACE = b"\0"
"""Stands for a value in `Field.whole`; it is in no header field."""


@dataclass(frozen=True, slots=True)
class Field:
    """A whole header field, with its name and without its last CRLF."""

    name: str
    """In lower case."""
    parts: tuple[Part, ...]

    @property
    def differs(self) -> bool:
        """Whether it differs between copies."""
        return any(isinstance(part, int) for part in self.parts)

    @property
    def whole(self) -> bytes:
        """Its bytes, with `PLACE` for each value."""
        return b"".join(part if isinstance(part, bytes) else PLACE for part in self.parts)


def fields(frame: Frame, subject: str | None, content_type: bytes) -> list[Field]:
    """Every field once, in order; `subject` is None when it differs between copies."""
    sender = frame.sender
    before, after = frame.constant_fields()
    unsubscribe = (
        f"List-Unsubscribe: <{leave_prefix(frame.site_url)}".encode("ascii"),
        LEAVE,
        b">,\r\n <mailto:leave+",
        LEAVE,
        f"@{return_path_domain(sender)}>".encode("ascii"),
    )
    return [
        *map(_constant, before),
        Field("to", (b"To: ", TO)),
        Field("subject", (b"Subject:", SUBJECT))
        if subject is None
        else _constant(headers.unstructured("Subject", subject)),
        *map(_constant, after),
        Field("message-id", (b"Message-ID: <", MESSAGE, f"@{sender_domain(sender)}>".encode("ascii"))),
        Field("list-unsubscribe", unsubscribe),
        _constant("MIME-Version: 1.0"),
        Field("content-type", (content_type,)),
    ]


def _constant(field: str) -> Field:
    return Field(field.partition(":")[0].lower(), (field.encode("ascii"),))
