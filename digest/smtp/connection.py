"""One SMTP connection that blocks, on top of smtplib, and exact about what the server can have taken.

smtplib brings EHLO, STARTTLS and AUTH. Replies are read by the letter (`wire`), because the answer to "was it
taken?" hangs on them: one that came unasked, or rubbish, is never counted as the answer to the next command.
The text of a message and its final dot are written separately, so that a failure lies certainly before the
dot (nothing was taken) or after it (nobody knows).
"""

from __future__ import annotations

import ipaddress
import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from digest.config import Smtp, SmtpTls
from digest.errors import TransportError
from digest.model import Message, Outcome, OutcomeKind
from digest.replies import About, enhanced_status, meaning
from digest.smtp.wire import Broken, Implicit, Plain, own_name, printable, reason

_CHECK = "Check smtp.host and smtp.port in config.toml, and that the relay runs."
_SIGN_IN = "Check smtp.user and smtp.password_file in config.toml."
_TLS = "Check smtp.tls in config.toml; for a certificate of your own, name its authority in smtp.ca_file."


@dataclass(frozen=True, slots=True)
class Reply:
    """`code` 0: none came, and `text` says why."""

    code: int
    text: str

    def outcome(self, delivery: int, kind: OutcomeKind) -> Outcome:
        return Outcome(delivery, kind, self.code, enhanced_status(self.text), self.text)


class Lost(Exception):  # noqa: N818 - says what happened to the connection
    """The connection ended, or cannot be trusted any more, before the server can have taken the message.

    `fresh` is whether another connection may do better for this message at once.
    """

    def __init__(self, reply: Reply, *, fresh: bool = True) -> None:
        super().__init__(reply.text)
        self.reply, self.fresh = reply, fresh


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine by its form; names are not looked up."""
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 6.3
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Connection:
    """An open, greeted, signed-in connection. Raises `TransportError` when it cannot be had.

    `seen` is handed it before it opens, for whoever may have to break it off.
    """

    def __init__(
        self, smtp: Smtp, *, ca_file: Path | None = None, seen: Callable[[Connection], object] | None = None
    ) -> None:
        self._settings = smtp
        self.server = f"{smtp.host}:{smtp.port}"
        self._host = smtp.host.strip("[]")
        self._tls = smtp.tls
        if smtp.tls is SmtpTls.auto:
            self._tls = SmtpTls.none if is_loopback(smtp.host) else SmtpTls.starttls
        self._wire = self._new_wire(ca_file)
        self.used = False
        try:
            if seen is not None:
                seen(self)
            self._open()
            self._greet(ca_file)
        except BaseException:
            self._wire.close()
            raise

    # Opening

    def _new_wire(self, ca_file: Path | None) -> Plain | Implicit:
        name = self._settings.helo or own_name()
        wire: Plain | Implicit
        if self._tls is SmtpTls.implicit:
            wire = Implicit(
                local_hostname=name, timeout=self._settings.timeout, context=self._context(ca_file)
            )
        else:
            wire = Plain(local_hostname=name, timeout=self._settings.timeout)
        wire.prepare(self._host, self._settings.timeout)
        return wire

    def _context(self, ca_file: Path | None) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise self._error("TLS", f"smtp.ca_file cannot be used: {reason(error)}", hint=_TLS) from error

    def _open(self) -> None:
        try:
            code, text = self._wire.connect(self._host, self._settings.port)
        except ssl.SSLError as error:
            raise self._error("TLS", reason(error), hint=_TLS) from error
        except (Broken, OSError) as error:
            raise self._error("connect", reason(error), hint=_CHECK) from error
        assert self._wire.sock is not None
        # The dot is written by itself: Nagle's algorithm would keep it back until the text is acknowledged.
        self._wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if code != 220:
            raise self._error("greeting", f"{code} {printable(text)}", code=code, hint=_CHECK)

    def _greet(self, ca_file: Path | None) -> None:
        """EHLO (else HELO), TLS, sign-in. smtplib's own exceptions all become `TransportError`."""
        phase, hint = "EHLO", _CHECK
        try:
            self._wire.ehlo_or_helo_if_needed()
            if self._tls is SmtpTls.starttls:
                phase, hint = "STARTTLS", _TLS
                self._start_tls(ca_file)
            if self._settings.user:
                phase, hint = "sign-in", _SIGN_IN
                password = self._settings.password
                self._wire.login(self._settings.user, password.get_secret_value() if password else "")
        except smtplib.SMTPResponseException as error:
            text = printable(error.smtp_error)
            problem = f"{error.smtp_code} {text}"
            raise self._error(phase, problem, code=error.smtp_code, hint=hint) from error
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise self._error(phase, reason(error), hint=hint) from error

    def _start_tls(self, ca_file: Path | None) -> None:
        if not self._wire.has_extn("starttls"):
            raise self._error(
                "STARTTLS",
                "the server does not offer it, and mail must not cross a network in the clear",
                hint='Use port 465 with smtp.tls = "implicit", or a relay with TLS.',
            )
        code, text = self._wire.starttls(context=self._context(ca_file))
        if code != 220:
            raise self._error("STARTTLS", f"{code} {printable(text)}", code=code, hint=_TLS)
        if self._wire._unread:  # noqa: SLF001 - what was sent in the clear must not count as said under TLS
            raise self._error("STARTTLS", "the server sent more than its answer before TLS began", hint=_TLS)
        self._wire.ehlo()

    def _error(self, phase: str, problem: str, *, code: int | None = None, hint: str = "") -> TransportError:
        return TransportError(self.server, phase, problem, code=code, hint=hint)

    # One message

    def send(self, message: Message) -> Outcome:
        """One message, one outcome. Raises `Lost` (certainly not taken) or `TransportError`.

        After an outcome of kind uncertain the connection is of no further use; `usable` says so.
        """
        self.used = True
        try:
            refused = self._envelope(message)
        except Broken as error:
            raise Lost(Reply(0, str(error))) from error
        if refused is not None:
            return refused
        return self._text(message)

    @property
    def usable(self) -> bool:
        return self._wire.sock is not None

    def close(self, *, polite: bool = True) -> None:
        """Ends it, with QUIT where that is possible. Never raises."""
        if polite and self.usable:
            self._wire.reply_timeout = min(self._settings.timeout, 5.0)
            with suppress(Broken, OSError, smtplib.SMTPException):
                self._wire.docmd("QUIT")
        self._wire.close()

    def break_off(self) -> None:
        """From another thread: whoever waits on this connection finds it closed."""
        sock = self._wire.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _envelope(self, message: Message) -> Outcome | None:
        """MAIL, RCPT, DATA; the refusal, or None when the server waits for the text."""
        if self._wire.unasked():
            raise Lost(self._reply())  # such as "421 idle for too long"
        size = len(message.content)
        limit = self._wire.esmtp_features.get("size", "")
        if limit.isdigit() and 0 < int(limit) < size:
            raise self._error(
                "MAIL FROM", f"a message has {size:,} bytes, the server takes {int(limit):,}", code=552,
                hint="Fewer stories in the edition, or a relay with a higher limit.",
            )  # fmt: skip
        sender = f"MAIL FROM:<{message.mail_from}>" + (f" SIZE={size}" if limit else "")
        reply = self._command(sender)
        if reply.code >= 500:
            self._reset()
            raise self._error(
                "MAIL FROM",
                f"the sender {message.mail_from} is refused: {reply.code} {reply.text}",
                code=reply.code,
                hint=meaning(reply.code, reply.text).hint
                or "Check the newsletter's sender and return_path_domain in config.toml.",
            )
        if reply.code >= 300:
            self._reset()
            raise Lost(reply, fresh=False)
        reply = self._command(f"RCPT TO:<{message.rcpt_to}>")
        if reply.code < 300:
            reply = self._command("DATA")
            if reply.code == 354:
                return None
        if reply.code < 400:
            self._wire.close()
            raise Lost(Reply(0, f"an answer that does not fit: {reply.code} {reply.text}"))
        self._reset()
        return _refusal(message, reply)

    def _text(self, message: Message) -> Outcome:
        wire, sock = self._wire, self._wire.sock
        assert sock is not None
        try:
            sock.settimeout(self._settings.timeout)
            sock.sendall(_stuffed(message.content))
            early = wire.unasked()
        except (Broken, OSError) as error:
            reply = self._last_words(error)
            wire.close()
            if reply.code >= 400:
                return _refusal(message, reply)
            raise Lost(reply, fresh=False) from error
        if early:  # it answers a text that it has not seen the end of
            try:
                reply = self._reply()
            except Broken as error:
                reply = Reply(0, str(error))
            wire.close()
            if reply.code >= 400:
                return _refusal(message, reply)
            raise Lost(
                Reply(0, f"answered before the end of the text: {reply.code} {reply.text}"), fresh=False
            )
        try:
            sock.settimeout(self._settings.timeout)
            sock.sendall(b".\r\n")
            # RFC 5321 4.5.3.2.6: ten minutes, for a server that works before it answers.
            wire.reply_timeout = min(600.0, 10 * self._settings.timeout)
            reply = self._reply()
        except (Broken, OSError) as error:
            wire.close()
            return Outcome(message.delivery, OutcomeKind.uncertain, reply=reason(error))
        finally:
            wire.reply_timeout = self._settings.timeout
        if reply.code < 300:
            return reply.outcome(message.delivery, OutcomeKind.accepted)
        if reply.code < 400:
            wire.close()
            said = f"an answer that does not fit: {reply.code} {reply.text}"
            return Outcome(message.delivery, OutcomeKind.uncertain, reply=said)
        if reply.code == 421:
            wire.close()
        return _refusal(message, reply)

    def _last_words(self, error: Exception) -> Reply:
        """What the server still said before it went away in the middle of a text; else what happened."""
        with suppress(Broken, OSError):
            self._wire.reply_timeout = 0.5
            return self._reply()
        return Reply(0, reason(error))

    def _command(self, line: str) -> Reply:
        """Raises `Lost` for 421: the server is closing this connection (RFC 5321 3.8)."""
        sock = self._wire.sock
        if sock is None:
            raise Broken("the connection is closed")
        try:
            sock.settimeout(self._settings.timeout)
            sock.sendall(f"{line}\r\n".encode("ascii"))
        except OSError as error:
            raise Broken(reason(error)) from error
        reply = self._reply()
        if reply.code == 421 and meaning(reply.code, reply.text).about is About.connection:
            self._wire.close()
            raise Lost(reply)
        return reply

    def _reply(self) -> Reply:
        code, text = self._wire.getreply()
        return Reply(code, printable(text))

    def _reset(self) -> None:
        """After a refusal, so that the next envelope starts clean; without success the connection goes."""
        try:
            if self._command("RSET").code >= 300:
                self._wire.close()
        except (Broken, Lost):
            self._wire.close()


def _refusal(message: Message, reply: Reply) -> Outcome:
    return reply.outcome(message.delivery, OutcomeKind.deferred if reply.code < 500 else OutcomeKind.rejected)


def _stuffed(content: bytes) -> bytes:
    """The text with dots doubled at the beginning of lines, ending in CRLF (RFC 5321 4.5.2)."""
    if b"\n." in content:
        content = content.replace(b"\r\n.", b"\r\n..")
    if content.startswith(b"."):
        content = b"." + content
    return content if content.endswith(b"\r\n") else content + b"\r\n"
