"""The outside world as small protocols; `digest.app` chooses the implementations.

Every implementation passes the contract tests in tests/contract.
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from digest.model import Message, Outcome


class Clock(Protocol):
    """What time it is: the only way that anything in the product learns it."""

    def now(self) -> dt.datetime:
        """The present moment, aware, in UTC."""
        ...


class Transport(Protocol):
    """Hands messages to one relay.

    `send` may be awaited by up to `capacity` callers at once; how these share connections is the transport's
    own business (one after the other, pipelined, chunked). Its promise: every message ends in exactly one
    outcome, and "unsent" is only said when the server cannot have taken the message. It raises
    `TransportError` when the relay cannot be used at all; that message was then certainly not handed over.
    """

    @property
    def capacity(self) -> int:
        """How many messages can be in flight at once: connections x depth."""
        ...

    async def open(self) -> None:
        """Makes sure that the relay can be used, before anything is changed. Raises `TransportError`."""
        ...

    async def send(self, message: Message) -> Outcome:
        """Cancelled, it breaks the connection off at once. It still returns the outcome where that is known
        ("unsent" before the final dot); where it raises `CancelledError`, nobody knows."""
        ...

    async def close(self) -> None:
        """Ends the connections politely; waits for messages in flight."""
        ...
