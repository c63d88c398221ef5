"""What a session tells its driver. A message that has ended is an event too: its `Copy`."""

from __future__ import annotations

from dataclasses import dataclass

from digest.smtp.capabilities import Capabilities, Mode
from digest.smtp.envelope import Copy


@dataclass(frozen=True, slots=True)
class StartTls:
    """Start TLS now, then call `Session.secured`. Nothing may be read or written in the clear any more."""


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """An access token, for `Session.token`. `fresh`: the one given before was refused; asked only once."""

    fresh: bool


@dataclass(frozen=True, slots=True)
class Ready:
    """Greeted, secured, signed in: messages may be added."""

    capabilities: Capabilities
    mode: Mode


@dataclass(frozen=True, slots=True)
class Failed:
    """The server cannot be used; no message was taken. The session is over."""

    phase: str
    """ "greeting", "EHLO", "STARTTLS", "sign-in"."""
    problem: str
    code: int = 0


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over; all its copies were told before. `usual`: the server ended it in an orderly way,
    or we did; a new connection may do better at once."""

    reason: str
    usual: bool


Event = Copy | Ready | StartTls | TokenWanted | Failed | Closed
