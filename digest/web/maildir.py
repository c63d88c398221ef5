"""The folder of the local mailbox: a Maildir, one file to a copy.

A file is the received message, byte for byte, behind the two fields that a delivery agent adds: Return-Path
(the envelope's sender) and Delivered-To (its recipient). It appears in new/ complete or not at all.
"""

from __future__ import annotations

import base64
import email.message
import itertools
import os
import re
import time
from dataclasses import dataclass
from email import policy
from email.parser import BytesHeaderParser, BytesParser
from email.utils import parseaddr, parsedate_to_datetime
from pathlib import Path

_NAME = re.compile(r"[0-9]+\.[0-9]+_[0-9]+\.inbox")
_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """A message in the list."""

    name: str
    to: str
    sender: str
    subject: str
    date: str
    size: int

    @property
    def when(self) -> str:
        """Its Date in short; "" where it has none that can be read."""
        try:
            return parsedate_to_datetime(self.date).strftime("%d %b, %H:%M").lstrip("0")
        except ValueError:
            return ""

    @property
    def sender_name(self) -> str:
        """Who it is from, as a mail program shows it: the name, or the address where there is none."""
        name, address = parseaddr(self.sender)
        return name or address or self.sender


@dataclass(frozen=True, slots=True)
class Letter:
    """A message taken apart. Parts that it has not are ""; `source` is all of it."""

    line: Line
    headers: tuple[tuple[str, str], ...]
    html: str
    text: str
    source: bytes


class Maildir:
    """Messages under `folder`, which is made where it is missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("tmp", "new", "cur"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        self._numbers = itertools.count(1)
        self._started = time.time_ns()

    def add(self, mail_from: str, rcpt_to: str, content: bytes) -> str:
        """Keeps one copy; its name, which sorts by the order of arrival. Raises OSError."""
        name = f"{self._started}.{os.getpid()}_{next(self._numbers):09}.inbox"
        fresh = self.folder / "tmp" / name
        head = f"Return-Path: <{mail_from}>\r\nDelivered-To: {rcpt_to}\r\n"
        fresh.write_bytes(head.encode("utf-8", "replace") + content)
        fresh.rename(self.folder / "new" / name)
        return name

    def names(self) -> list[str]:
        """All messages, newest first. Mail programs may move them from new/ to cur/ and add marks."""
        found = [each.name for part in ("new", "cur") for each in os.scandir(self.folder / part)]
        return sorted(found, reverse=True)

    def lines(self, names: list[str]) -> list[Line]:
        """These messages as lines of a list; one that is gone is left out."""
        return [line for name in names if (line := self._line(name)) is not None]

    def letter(self, name: str) -> Letter | None:
        """One message; None where there is none of that name."""
        line, file = self._line(name), self._file(name)
        if line is None or file is None:
            return None
        source = file.read_bytes()
        message = BytesParser(policy=policy.default).parsebytes(source)
        return Letter(
            line,
            tuple((key, _words(value)) for key, value in message.items()),
            _with_pictures(_part(message, "html"), message),
            _part(message, "plain"),
            source,
        )

    def _file(self, name: str) -> Path | None:
        if not _NAME.fullmatch(name.partition(":")[0]) or "/" in name:
            return None
        files = (self.folder / part / name for part in ("new", "cur"))
        return next((file for file in files if file.is_file()), None)

    def _line(self, name: str) -> Line | None:
        file = self._file(name)
        if file is None:
            return None
        with file.open("rb") as opened:
            head = opened.read(_HEAD).partition(b"\r\n\r\n")[0]
        fields = BytesHeaderParser(policy=policy.default).parsebytes(head)

        def field(key: str) -> str:
            return _words(fields.get(key, ""))

        return Line(
            name, field("Delivered-To"), field("From"), field("Subject"), field("Date"), file.stat().st_size
        )


def _words(value: object) -> str:
    """A header's value on one line, with what is no text replaced."""
    return " ".join(str(value).encode("utf-8", "replace").decode().split())


def _part(message: email.message.EmailMessage, kind: str) -> str:
    """The HTML or text of a message; "" where it has none, or one that cannot be read."""
    part = message.get_body((kind,))
    if part is None or part.get_content_subtype() != kind:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # an unknown character set
        return str((part.get_payload(decode=True) or b"").decode("utf-8", "replace"))  # type: ignore[union-attr]


def _with_pictures(html: str, message: email.message.EmailMessage) -> str:
    """The HTML with the pictures of the mail (RFC 2392) put into it: a browser would not find them."""
    for part in message.walk():
        cid = str(part.get("Content-ID", "")).strip().strip("<>")
        if cid and f"cid:{cid}" in html and part.get_content_maintype() == "image":
            data = base64.b64encode(part.get_payload(decode=True) or b"").decode("ascii")  # type: ignore[arg-type]
            html = html.replace(f"cid:{cid}", f"data:{part.get_content_type()};base64,{data}")
    return html
