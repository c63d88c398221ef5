"""What a server offers (EHLO, RFC 5321 4.1.1.1), what we want, and the way of sending that follows from both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from digest.smtp.replies import Reply, printable

_MAILMAX = re.compile(r"\bMAILMAX=([1-9]\d{0,5})\b", re.IGNORECASE | re.ASCII)


class Mode(StrEnum):
    """How messages share a connection."""

    sequential = "sequential"
    """One command at a time."""
    pipelining = "pipelining"
    """The next envelope behind the final dot (RFC 2920): one round trip a message."""
    chunking = "chunking"
    """Envelope and text in one write (RFC 3030), several messages in flight."""


class Tls(StrEnum):
    """What the session does about STARTTLS. (Under implicit TLS it hears nothing of TLS.)"""

    never = "never"
    offered = "offered"
    required = "required"


class Auth(StrEnum):
    auto = "auto"
    plain = "plain"
    login = "login"
    xoauth2 = "xoauth2"


@dataclass(frozen=True, slots=True)
class Options:
    """What we want. `name` greets; `user` "" means no sign-in; `password` "" with XOAUTH2: a token is asked for.

    `secure`: what is said needs no TLS to be secret (implicit TLS, or loopback). `notify` is RFC 3461's NOTIFY,
    such as "FAILURE,DELAY"; "" asks for nothing.
    """

    name: str = "[127.0.0.1]"
    pipelining: bool = True
    chunking: bool = True
    depth: int = 8
    limit: int = 0
    """Messages over one connection; 0: any number."""
    tls: Tls = Tls.never
    secure: bool = True
    auth: Auth = Auth.auto
    user: str = ""
    password: str = field(default="", repr=False)
    notify: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The extensions that a server named, by their keyword in capitals; none for a server that took only HELO."""

    extensions: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    @classmethod
    def of(cls, reply: Reply) -> Capabilities:
        """Of the reply to EHLO. What stands in it twice counts as last said."""
        first, *others = reply.lines
        extensions: dict[str, str] = {}
        for line in others:
            words = printable(line)
            if words[:5].upper() == "AUTH=":  # as servers wrote it before RFC 2554
                words = f"AUTH {words[5:]}"
            keyword, _, values = words.partition(" ")
            if keyword:
                extensions[keyword.upper()] = values.strip()
        return cls(extensions, printable(first).partition(" ")[0])

    @property
    def pipelining(self) -> bool:
        return "PIPELINING" in self.extensions

    @property
    def chunking(self) -> bool:
        return "CHUNKING" in self.extensions

    @property
    def starttls(self) -> bool:
        return "STARTTLS" in self.extensions

    @property
    def eight_bit(self) -> bool:
        return "8BITMIME" in self.extensions

    @property
    def utf8(self) -> bool:
        return "SMTPUTF8" in self.extensions

    @property
    def dsn(self) -> bool:
        return "DSN" in self.extensions

    @property
    def sized(self) -> bool:
        """Whether MAIL takes SIZE (RFC 1870)."""
        return "SIZE" in self.extensions

    @property
    def size(self) -> int:
        """The largest message in bytes; 0: none named."""
        value = self.extensions.get("SIZE", "")
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else 0

    @property
    def most_messages(self) -> int:
        """How many MAIL commands it takes over one connection (LIMITS, RFC 9422); 0: it does not say."""
        match = _MAILMAX.search(self.extensions.get("LIMITS", ""))
        return int(match[1]) if match else 0

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """How to sign in, in capitals."""
        return tuple(self.extensions.get("AUTH", "").upper().split())

    def mode(self, options: Options) -> Mode:
        if options.chunking and self.chunking:
            return Mode.chunking
        return Mode.pipelining if options.pipelining and self.pipelining else Mode.sequential

    def grouped(self, options: Options) -> bool:
        """Whether commands may leave before the one in front of them was answered (RFC 2920)."""
        return options.pipelining and self.pipelining
