"""A look at a relay: one connection, listened to, with one message or none. For `digest smtp test`."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from digest.errors import TransportError
from digest.model import Message, Outcome
from digest.smtp.capabilities import Mode
from digest.smtp.connection import Connection
from digest.smtp.envelope import Copy
from digest.smtp.events import Closed
from digest.smtp.relay import GOODBYE, Relay

Listen = Callable[[str, str], object]
"""Hears the conversation: who speaks ("C", "S"; "*" for what happens), and a line without secrets."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """What TLS came to. `expires` is the certificate's end."""

    version: str
    cipher: str
    subject: str
    issuer: str
    expires: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Examined:
    """What a relay turned out to be. `round_trip` is in seconds; `rate` the messages a second it allows."""

    server: str
    name: str
    extensions: Mapping[str, str]
    encryption: Encryption | None
    signed_in: bool
    mode: Mode
    round_trip: float
    rate: float
    outcome: Outcome | None


class _Look:
    """Owns the connection."""

    def __init__(self, relay: Relay, message: Message | None) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        self.outcome: Outcome | None = None
        self._message = message
        self._relay = relay

    def next_copy(self) -> Copy | None:
        message, self._message = self._message, None
        return None if message is None else Copy(message)

    def allowed(self) -> bool:
        return True

    def told(self, copy: Copy) -> None:
        self.outcome = copy.outcome
        if not self.over.done():
            self.over.set_result(None)

    def ready(self, connection: Connection) -> None:  # noqa: ARG002 - there is only one
        if not self.opened.done():
            self.opened.set_result(None)

    def failed(self, connection: Connection, error: TransportError) -> None:  # noqa: ARG002
        if not self.opened.done():
            self.opened.set_exception(error)

    def ended(self, connection: Connection, copies: Sequence[Copy], closed: Closed) -> None:  # noqa: ARG002
        for copy in copies:
            self.outcome = copy.outcome
        for future in (self.opened, self.over):
            if not future.done():
                future.set_result(None)


async def examine(relay: Relay, message: Message | None, listen: Listen) -> Examined:
    """Connects, greets, secures, signs in, and hands `message` over where there is one.

    Raises `TransportError` when the relay cannot be used. What became of the message is in `outcome`.
    """
    loop = asyncio.get_running_loop()
    look = _Look(relay, message)
    connection = Connection(relay, look, loop, listen=listen)

    async def watch() -> None:
        while True:
            await asyncio.sleep(relay.tick)
            connection.tick(loop.time())

    watching = loop.create_task(watch())
    try:
        connection.start()
        await look.opened
        session = connection.session
        encryption = None if connection.encryption is None else _encryption(connection.encryption)
        if message is not None:
            connection.pump(1)
            await look.over
        if not session.over:
            look.over = loop.create_future()
            connection.quit()
            await asyncio.wait({look.over}, timeout=GOODBYE)
    finally:
        watching.cancel()
        connection.abort("closed")
    trips = {Mode.sequential: 1 / 4, Mode.pipelining: 1.0, Mode.chunking: float(relay.depth)}[session.mode]
    round_trip = max(connection.round_trip, 1e-6)
    return Examined(
        relay.server,
        session.capabilities.name,
        session.capabilities.extensions,
        encryption,
        bool(relay.options.user),
        session.mode,
        round_trip,
        relay.connections * trips / round_trip,
        look.outcome,
    )


def _encryption(sock: ssl.SSLSocket) -> Encryption:
    cipher = sock.cipher()
    certificate = sock.getpeercert() or {}
    ends = str(certificate.get("notAfter", ""))
    return Encryption(
        sock.version() or "",
        cipher[0] if cipher else "",
        _name(certificate.get("subject", ())),
        _name(certificate.get("issuer", ())),
        dt.datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), dt.UTC) if ends else None,
    )


def _name(parts: object) -> str:
    """A distinguished name as "O=Example, CN=mail.example.org"."""
    short = {"commonName": "CN", "organizationName": "O", "countryName": "C", "organizationalUnitName": "OU"}
    told = []
    for part in parts if isinstance(parts, tuple) else ():
        told += [f"{short[key]}={value}" for key, value in part if key in short]
    return ", ".join(told)
