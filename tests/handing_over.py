"""Messages given to a transport as whoever sends does, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from digest.errors import TransportError
from digest.model import Message, Outcome, OutcomeKind
from digest.ports import Transport


class Told:
    """A `Results` that remembers; it insists on one outcome for each message."""

    def __init__(self) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self.problems: list[TransportError] = []
        self.news = asyncio.Event()

    def outcome(self, outcome: Outcome) -> None:
        assert outcome.delivery not in self.outcomes, f"a second outcome: {outcome}"
        self.outcomes[outcome.delivery] = outcome
        self.news.set()

    def allowed(self) -> bool:
        return True

    def unusable(self, error: TransportError) -> None:
        self.problems.append(error)


async def hand_over(transport: Transport, messages: Sequence[Message]) -> Told:
    """Each message once, as many at a time as the transport takes; returns when each has its outcome."""
    told, given = Told(), 0
    while len(told.outcomes) < len(messages):
        free = transport.capacity - (given - len(told.outcomes))
        if batch := messages[given : given + free]:
            given += len(batch)
            transport.send(batch, told)
        told.news.clear()
        if len(told.outcomes) < given:
            await asyncio.wait_for(told.news.wait(), 120)
    assert set(told.outcomes) == {message.delivery for message in messages}
    return told


async def until_known(
    transport: Transport, messages: Sequence[Message], *, tries: int = 30
) -> dict[int, list[Outcome]]:
    """Hands over again whatever was certainly not handed over; all outcomes of each message, in order."""
    history: dict[int, list[Outcome]] = {message.delivery: [] for message in messages}
    for _ in range(tries):
        told = await hand_over(transport, messages)
        for outcome in told.outcomes.values():
            history[outcome.delivery].append(outcome)
        messages = [m for m in messages if told.outcomes[m.delivery].kind is OutcomeKind.unsent]
        if not messages:
            return history
    raise AssertionError(f"never handed over: {[history[message.delivery][-3:] for message in messages]}")
