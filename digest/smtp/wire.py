"""smtplib with its reading of replies replaced: by RFC 5321 4.2 to the letter, and never for ever."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import time

_LONGEST_LINE = 4096
_MOST_LINES = 100
_REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)
_UNPRINTABLE = re.compile(r"[^ -~]+")
_LONGEST_TEXT = 500


class Broken(smtplib.SMTPServerDisconnected):
    """No usable reply: closed, reset, too slow, or not SMTP. smtplib lets it pass."""


class Strict:
    """Reading replies; the half of smtplib that is replaced. `reply_timeout` is for a whole reply."""

    sock: socket.socket | None
    reply_timeout: float

    def prepare(self, host: str, reply_timeout: float) -> None:
        # smtplib checks certificates against the name given to its constructor, which would connect at once.
        self._host = host
        self.reply_timeout = reply_timeout
        self._unread = bytearray()

    def getreply(self) -> tuple[int, bytes]:
        """The next reply (RFC 5321 4.2.1); its lines joined. Raises `Broken`."""
        deadline = time.monotonic() + self.reply_timeout
        lines: list[bytes] = []
        code = b""
        while len(lines) < _MOST_LINES:
            line = self._line(deadline)
            match = _REPLY_LINE.fullmatch(line)
            if match is None or (code and match[1] != code):
                raise Broken(f"the server speaks rubbish: {printable(line)!r}")
            code = match[1]
            lines.append(match[3] or b"")
            if match[2] != b"-":
                return int(code), b"\n".join(lines)
        raise Broken(f"the server's reply has more than {_MOST_LINES} lines")

    def unasked(self) -> bool:
        """Whether the server said something that nobody asked for. Raises `Broken` when it has closed."""
        if not self._unread:
            assert self.sock is not None
            timeout = self.sock.gettimeout()
            try:
                self.sock.setblocking(False)
                self._take(self.sock.recv(_LONGEST_LINE))
            except (BlockingIOError, ssl.SSLWantReadError):
                return False
            except OSError as error:
                raise Broken(reason(error)) from error
            finally:
                self.sock.settimeout(timeout)
        return True

    def _line(self, deadline: float) -> bytes:
        while (end := self._unread.find(b"\n")) < 0:
            if len(self._unread) > _LONGEST_LINE:
                raise Broken("the server's reply has an endless line")
            if self.sock is None:
                raise Broken("the connection is closed")
            left = deadline - time.monotonic()
            try:
                self.sock.settimeout(max(left, 0.001))
                self._take(self.sock.recv(_LONGEST_LINE))
            except TimeoutError as error:
                raise Broken(f"no answer within {self.reply_timeout:g} seconds") from error
            except OSError as error:
                raise Broken(reason(error)) from error
        line = bytes(self._unread[:end]).removesuffix(b"\r")
        del self._unread[: end + 1]
        return line

    def _take(self, data: bytes) -> None:
        if not data:
            raise Broken("the server closed the connection")
        self._unread += data


class Plain(Strict, smtplib.SMTP):
    pass


class Implicit(Strict, smtplib.SMTP_SSL):
    pass


def printable(text: bytes | str) -> str:
    """A server's words on one line, without what could steer a terminal, at most 500 characters."""
    words = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return _UNPRINTABLE.sub(" ", words).strip()[:_LONGEST_TEXT]


def reason(error: BaseException) -> str:
    """An exception in words for the operator."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid here: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def own_name() -> str:
    """This machine's name for EHLO, or an address literal (RFC 5321 4.1.4); without a slow look-up."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
