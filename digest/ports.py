"""The outside world as small protocols; `digest.app` chooses the implementations.

Every implementation passes the contract tests in tests/contract.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

from digest.errors import TransportError
from digest.model import Message, Outcome


class Clock(Protocol):
    """What time it is: the only way that anything in the product learns it."""

    def now(self) -> dt.datetime:
        """The present moment, aware, in UTC."""
        ...


class Results(Protocol):
    """Whom a transport tells what became of messages. Called on the event loop; must not raise or block."""

    def outcome(self, outcome: Outcome) -> None:
        """The one outcome of one message."""
        ...

    def allowed(self) -> bool:
        """Whether anything may leave still; asked before each write. No, for whoever was suspended until
        somebody else took over: then the transport breaks off."""
        ...

    def unusable(self, error: TransportError) -> None:
        """The relay cannot be used at all. Told before the outcomes ("unsent") of what waited."""
        ...


class Transport(Protocol):
    """Hands messages to one relay at a time, on one event loop.

    Its promise: every message ends in exactly one outcome, and "unsent" is only said when the server cannot
    have taken the message. How messages share connections (one after the other, pipelined, chunked) is the
    transport's own business.
    """

    @property
    def server(self) -> str:
        """Host and port of the one in use: how messages to people and the ledger name it."""
        ...

    @property
    def capacity(self) -> int:
        """How many messages it takes at once: connections x depth. Never more are in doubt at a crash."""
        ...

    async def open(self) -> None:
        """Makes sure that the relay can be used, before anything is changed. Raises `TransportError`."""
        ...

    def send(self, messages: Sequence[Message], results: Results, server: str = "") -> None:
        """Takes the messages and returns at once; `results` hears of each when it has ended.

        `server` is the only one that may be given them; "" for any. When `Transport.server` is another one by
        then, or becomes another one before a connection has begun with them, they are "unsent".

        At most `capacity` messages may be under way. An outcome may be told before this returns. After
        `Results.unusable` the transport may be used again: it tries to connect anew.
        """
        ...

    def recall(self) -> None:
        """Takes back what no connection has begun: it has its outcome, "unsent", before this returns. The
        rest goes on."""
        ...

    def break_off(self) -> None:
        """Ends every connection now. Each message under way has its outcome before this returns: "unsent"
        where the server cannot have taken it, else "uncertain"."""
        ...

    async def close(self) -> None:
        """Waits for messages under way, then ends the connections politely, in at most ten seconds."""
        ...
