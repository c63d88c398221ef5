"""One message as it goes over a connection: checked, its commands written, its text ready; and how far it is.

Everything that can be known of a message before a byte of it leaves is decided here: addresses that would
break out of a command, a text larger than the server takes, or one that it could not carry.
"""

from __future__ import annotations

import re

from digest.model import Message, Outcome, OutcomeKind
from digest.smtp.capabilities import Capabilities, Options

RSET, MAIL, RCPT, DATA, TEXT = range(5)
"""What a copy waits for, in the order of the replies."""
WORDS = ("MAIL", "MAIL", "RCPT", "DATA", "text")
"""The same for `Outcome.at`."""

# RFC 5321 4.1.2, 4.5.3.1, without quoted strings: nothing that ends a path or a line, and no white space.
_ASCII_ADDRESS = re.compile(r"[!-;=?-~]+")
_ADDRESS = re.compile(
    r"[^\x00-\x20<>\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ud800-\udfff\ufeff]+"
)
_LONGEST_ADDRESS, _LONGEST_LOCAL = 254, 64
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class Copy:
    """A message on its way. The session owns it from `Session.add` until it tells it as an event."""

    __slots__ = (
        "awaits", "blocks", "due", "end", "handed", "message", "outcome", "refusal", "size", "text", "written",
    )  # fmt: skip

    def __init__(self, message: Message) -> None:
        self.message = message
        self.begin_anew()

    def begin_anew(self) -> None:
        """As if nothing of it had ever left."""
        self.outcome: Outcome | None = None
        """What became of it."""
        self.awaits = MAIL
        """The reply that comes next."""
        self.written = -1
        """The last command that left; no reply to a later one can be meant."""
        self.refusal: Outcome | None = None
        """What the server said to it that is not the last word yet."""
        self.text: bytes = b""
        """What is still to be written, once its time has come."""
        self.size = 0
        """Its bytes as the server counts them (RFC 1870)."""
        self.blocks = 0
        """How much of `text` has left, in blocks."""
        self.due = False
        """The time of its text has come."""
        self.handed = False
        """All of it has left: only the server's reply can tell what became of it."""
        self.end = 0
        """Where it ends among all bytes of the connection, once it is handed over."""


def unwritable(message: Message) -> tuple[str, str]:
    """Why an envelope cannot be put into commands: RFC 3463 status and words, or two ""."""
    for address, status in ((message.mail_from, "5.1.7"), (message.rcpt_to, "5.1.3")):
        if not address and status == "5.1.7":
            continue  # the null sender
        if not _ADDRESS.fullmatch(address):
            return status, f"{address!r}: white space, a control character or a bracket in the address"
        if (
            len(address.encode()) > _LONGEST_ADDRESS
            or len(address.rpartition("@")[0].encode()) > _LONGEST_LOCAL
        ):
            return status, f"{address}: too long for SMTP"
    if "@" not in message.rcpt_to:
        return "5.1.3", f"{message.rcpt_to!r}: no @ in the address"
    return "", ""


def text_of(message: Message) -> bytes:
    """The bytes that the server is to have: the content with CRLF everywhere, also at its end."""
    content = message.content
    if message.plain:
        return content
    if _BARE.search(content):
        content = _LINE_END.sub(b"\r\n", content)
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def stuffed(text: bytes) -> bytes:
    """As it is written behind DATA, without the final dot: dots at the beginning of lines doubled (4.5.2)."""
    if b"\n." in text:
        text = text.replace(b"\r\n.", b"\r\n..")
    return b"." + text if text.startswith(b".") else text


class Envelopes:
    """Makes the commands of messages, for one server and what it offers."""

    def __init__(self, capabilities: Capabilities, options: Options, *, chunked: bool) -> None:
        self._chunked = chunked
        self._utf8, self._eight_bit = capabilities.utf8, capabilities.eight_bit
        self._sized, self._size = capabilities.sized, capabilities.size
        self._notify = options.notify if capabilities.dsn else ""

    def refusal(self, copy: Copy) -> Outcome | None:
        """Checks the message and makes its text ready; the outcome when it cannot be sent here.

        What the server would refuse anyway, and what it could not carry without damage, does not leave.
        """
        message = copy.message
        sender, to = message.mail_from, message.rcpt_to
        if not (
            _ASCII_ADDRESS.fullmatch(sender)
            and _ASCII_ADDRESS.fullmatch(to)
            and len(sender) <= _LONGEST_LOCAL  # so its local part is
            and len(to) <= _LONGEST_LOCAL
            and "@" in to
        ):
            status, problem = unwritable(message)
            if problem:
                return _refused(message, status, problem)
            if not (sender.isascii() and to.isascii()) and not self._utf8:
                address = to if sender.isascii() else sender
                return _refused(
                    message,
                    "5.6.7",
                    f"{address}: characters outside ASCII need SMTPUTF8, which this relay does not offer",
                )
        text = text_of(message)
        if not message.plain and not text.isascii():
            if not self._eight_bit:
                return _refused(
                    message, "5.6.3", "the message is 8-bit, and this relay does not offer 8BITMIME"
                )
            if not _header(text).isascii() and not self._utf8:
                return _refused(
                    message,
                    "5.6.7",
                    "a header has characters outside ASCII, which need SMTPUTF8; this relay does not offer it",
                )
        if 0 < self._size < len(text):
            problem = f"a message has {len(text):,} bytes, the server takes {self._size:,}"
            return _refused(message, "5.3.4", problem, code=552)
        copy.size = len(text)
        copy.text = text if self._chunked or message.plain else stuffed(text)
        return None

    def mail(self, copy: Copy) -> str:
        message = copy.message
        line = f"MAIL FROM:<{message.mail_from}>"
        if self._sized:
            line += f" SIZE={copy.size}"
        if not message.plain and not copy.text.isascii():
            line += " BODY=8BITMIME"
            utf8 = not _header(copy.text).isascii()
        else:
            utf8 = False
        if utf8 or not (message.mail_from.isascii() and message.rcpt_to.isascii()):
            line += " SMTPUTF8"
        if self._notify:
            line += f" RET=HDRS ENVID={message.delivery}"
        return f"{line}\r\n"

    def rcpt(self, copy: Copy) -> str:
        to = copy.message.rcpt_to
        if not self._notify:
            return f"RCPT TO:<{to}>\r\n"
        kind, address = ("rfc822", _xtext(to)) if to.isascii() else ("utf-8", _unitext(to))
        return f"RCPT TO:<{to}> NOTIFY={self._notify} ORCPT={kind};{address}\r\n"


def _header(text: bytes) -> bytes:
    return text.partition(b"\r\n\r\n")[0]


def _refused(message: Message, status: str, problem: str, *, code: int = 0) -> Outcome:
    return Outcome(message.delivery, OutcomeKind.rejected, code, status, problem, "MAIL" if code else "")


def _xtext(text: str) -> str:
    """RFC 3461 4: printable ASCII but + and =, all else as +XX."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)


def _unitext(text: str) -> str:
    """RFC 6533 3: as it is; backslash, + and = (and nothing printable else) as \\x{HEX}."""
    return "".join(rf"\x{{{ord(c):X}}}" if c in "\\+=" else c for c in text)
