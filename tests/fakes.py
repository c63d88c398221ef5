"""Hand-written stand-ins for the outside world."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from digest.model import Message, Outcome, OutcomeKind
from digest.ports import Results


class FixedClock:
    """A clock that stands still until told otherwise."""

    def __init__(self, now: dt.datetime) -> None:
        self._now = now.astimezone(dt.UTC)

    def now(self) -> dt.datetime:
        return self._now

    def advance(self, by: dt.timedelta) -> None:
        self._now += by

    def set(self, to: dt.datetime) -> None:
        self._now = to.astimezone(dt.UTC)


class Relay:
    """A transport that answers every message alike, and keeps it."""

    capacity = 1
    server = "relay.test:25"

    def __init__(self, kind: OutcomeKind = OutcomeKind.accepted) -> None:
        self.kind, self.taken, self.closed = kind, list[Message](), False

    async def open(self) -> None:
        pass

    def send(self, messages: Sequence[Message], results: Results, server: str = "") -> None:
        for message in messages:
            self.taken.append(message)
            results.outcome(Outcome(message.delivery, self.kind, 550, reply="no such user", at="RCPT"))

    def recall(self) -> None:
        pass

    def break_off(self) -> None:
        pass

    async def close(self) -> None:
        self.closed = True
