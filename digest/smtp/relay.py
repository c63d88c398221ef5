"""One relay as configured: where it is, how it is spoken to, how long it is waited for."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from digest.config import Smtp, SmtpTls
from digest.errors import TransportError
from digest.smtp.access import Access, NoToken
from digest.smtp.capabilities import Auth, Options, Tls

GOODBYE = 5.0
"""Seconds that the end of a connection is waited for."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for each phase (RFC 5321 4.5.3.2)."""

    connect: float
    reply: float
    data: float
    block: float
    text: float


class Relay:
    """`section` is where it stands in config.toml, for hints."""

    def __init__(self, smtp: Smtp, *, ca_file: Path | None = None, section: str = "smtp") -> None:
        self._ca_file, self._section = ca_file or smtp.ca_file, section
        self._context: ssl.SSLContext | None = None
        self._access = Access(smtp)
        self.smtp = smtp
        self.host, self.port = smtp.host.strip("[]"), smtp.port
        self.server = smtp.server
        self.connections, self.depth = smtp.connections, smtp.depth
        self.idle = smtp.idle
        self.timeouts = Timeouts(
            connect=smtp.connect_timeout or min(30.0, smtp.timeout),
            reply=smtp.timeout,
            data=smtp.data_timeout or min(120.0, smtp.timeout),
            block=smtp.block_timeout or min(180.0, smtp.timeout),
            text=smtp.text_timeout or min(600.0, 10 * smtp.timeout),
        )
        loopback = is_loopback(smtp.host)
        mode = smtp.tls
        if mode is SmtpTls.auto:
            mode = SmtpTls.none if loopback else SmtpTls.required
        self.implicit = mode is SmtpTls.implicit
        self.options = Options(
            name=smtp.helo or own_name(),
            pipelining=smtp.pipelining,
            chunking=smtp.chunking,
            depth=smtp.depth,
            limit=smtp.messages_per_connection,
            tls={SmtpTls.required: Tls.required, SmtpTls.starttls: Tls.offered}.get(mode, Tls.never),
            secure=loopback or self.implicit,
            auth=Auth(smtp.auth.value),
            user=smtp.user,
            password=smtp.password.get_secret_value() if smtp.password else "",
            notify=smtp.dsn.notify,
        )

    @property
    def tick(self) -> float:
        """Seconds between two looks at whether something takes too long."""
        times = self.timeouts
        return min(1.0, min(times.reply, times.data, times.block, times.text, self.idle, GOODBYE) / 4)

    async def token(self, *, refused: str = "") -> str:
        """An access token for XOAUTH2, other than `refused`. Raises `TransportError`."""
        try:
            return await self._access.token(refused=refused)
        except NoToken as error:
            keys = (
                "token_command" if self.smtp.token_command else "token_url, client_id and refresh_token_file"
            )
            raise TransportError(
                self.server,
                "sign-in",
                str(error),
                hint=f"Check {keys} of [{self._section}] in config.toml.",
                for_good=error.for_good,
            ) from None

    @property
    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or better; certificate and host name are checked. Raises `TransportError` for a CA file
        that is none."""
        if self._context is None:
            try:
                self._context = ssl.create_default_context(cafile=self._ca_file)
            except (OSError, ssl.SSLError) as error:
                raise self.error("TLS", f"{self._section}.ca_file cannot be used: {reason(error)}") from error
            self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        return self._context

    def error(self, phase: str, problem: str, code: int = 0) -> TransportError:
        """The error for a person, with the settings that may be wrong."""
        section = self._section
        if phase == "sign-in" and "not encrypted" in problem:
            hint = f'Set {section}.tls = "required" or "implicit" in config.toml.'
        elif phase == "sign-in":
            hint = f"Check {section}.user, {section}.password_file and {section}.auth in config.toml."
        elif phase == "STARTTLS" and "does not offer" in problem:
            hint = f'Use port 465 with {section}.tls = "implicit", or a relay with TLS.'
        elif phase in ("TLS", "STARTTLS"):
            hint = (
                f"Check {section}.tls in config.toml; for a certificate of your own, name its authority in "
                f"{section}.ca_file."
            )
        else:
            hint = f"Check {section}.host and {section}.port in config.toml, and that the relay runs."
        return TransportError(self.server, phase, problem, code=code or None, hint=hint)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine by its form; names are not looked up."""
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 6.3
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def own_name() -> str:
    """This machine's name for EHLO, or an address literal (RFC 5321 4.1.4); without a slow look-up."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


_TLS = {"WRONG_VERSION_NUMBER": "the server answers in the clear there"}
"""What OpenSSL says so that nobody would guess what it means."""


def reason(error: BaseException) -> str:
    """An exception in words for the operator."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid here: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return _TLS.get(error.reason, error.reason.replace("_", " ").lower())
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)  # asyncio says "Connect call failed ('127.0.0.1', 25)"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
