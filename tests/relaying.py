"""A transport for tests, and whoever hears from it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from digest.config import Smtp
from digest.errors import TransportError
from digest.model import Message, Outcome
from digest.ports import Transport
from digest.smtp import SmtpTransport
from tests.smtp_server import SmtpServer

TEXT = b"Subject: hello\r\n\r\nline\r\n.dot at the start\r\n..two\r\n" + b"x" * 70 + b"\r\n"


MODES: dict[str, dict[str, object]] = {
    "sequential": {"pipelining": False, "chunking": False},
    "pipelining": {"chunking": False},
    "chunking": {},
    "chunking one at a time": {"pipelining": False},
}
"""What makes a transport share connections in each way, with a server that offers everything."""
defaults: dict[str, object] = {}
"""Settings of every transport that is made."""


class Heard:
    """Keeps what it is told, and says when all is there."""

    def __init__(self) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self.errors: list[TransportError] = []
        self.changed = asyncio.Event()
        self.writes: int | None = None

    def outcome(self, outcome: Outcome) -> None:
        assert outcome.delivery not in self.outcomes, "told twice"
        self.outcomes[outcome.delivery] = outcome
        self.changed.set()

    def allowed(self) -> bool:
        """Whether anything may leave still: as often as `writes` says; None: always."""
        if self.writes is not None:
            self.writes -= 1
        return self.writes is None or self.writes >= 0

    def unusable(self, error: TransportError) -> None:
        self.errors.append(error)

    async def all(self, count: int) -> list[Outcome]:
        """The outcomes of that many messages, by their number. Raises what made the relay unusable."""
        async with asyncio.timeout(60):
            while len(self.outcomes) < count:
                self.changed.clear()
                await self.changed.wait()
        if self.errors:
            raise self.errors[0]
        return [outcome for _, outcome in sorted(self.outcomes.items())]


def make(server: SmtpServer | None = None, *, fallback: Smtp | None = None, **settings: object) -> Transport:
    values: dict[str, object] = {"host": "127.0.0.1", "connections": 1, "timeout": 5.0, **defaults}
    if server is not None:
        values["port"] = server.port
    return SmtpTransport(Smtp.model_validate(values | settings), fallback=fallback)


def message(number: int = 1, to: str = "", content: bytes = TEXT) -> Message:
    return Message(number, f"bounce+{number}@sender.test", to or f"reader{number}@example.test", content)


def deliver(transport: Transport, *messages: Message, at_once: bool = False) -> list[Outcome]:
    """The outcomes, by the number of the message."""

    async def run() -> list[Outcome]:
        try:
            return await hand_over(transport, messages, at_once=at_once)
        finally:
            await transport.close()

    return asyncio.run(run())


async def hand_over(
    transport: Transport, messages: Sequence[Message], *, at_once: bool = False
) -> list[Outcome]:
    """One after the other, or as many at once as the transport takes."""
    heard = Heard()
    size = transport.capacity if at_once else 1
    for start in range(0, len(messages), size):
        transport.send(messages[start : start + size], heard)
        await heard.all(min(start + size, len(messages)))
    return await heard.all(len(messages))


def fails(transport: Transport, *messages: Message) -> TransportError:
    """The error that makes the relay unusable; it has a hint."""
    with pytest.raises(TransportError) as caught:
        deliver(transport, *(messages or (message(),)))
    assert caught.value.hint
    return caught.value
