"""A process that was suspended past its lease hands over nothing more, whatever waits in its transport."""

from __future__ import annotations

import asyncio

import pytest

from digest.model import OutcomeKind
from tests.relaying import MODES, Heard, make, message
from tests.smtp_server import SmtpServer

Kind = OutcomeKind


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize("writes", range(8))
def test_nothing_leaves_once_the_lease_is_gone(mode: dict[str, object], writes: int) -> None:
    """After so many writes; what it then says of each copy is what the server knows of it."""

    async def run() -> Heard:
        transport = make(server, connections=2, depth=4, **mode)  # type: ignore[arg-type]
        heard = Heard()
        await transport.open()
        heard.writes = writes
        transport.send([message(n) for n in range(1, 9)], heard)
        async with asyncio.timeout(20):
            while len(heard.outcomes) < 8:
                heard.changed.clear()
                await heard.changed.wait()
        await transport.close()
        return heard

    with SmtpServer() as server:
        heard = asyncio.run(run())
    taken = set(server.addresses)
    for number, outcome in heard.outcomes.items():
        there = f"reader{number}@example.test" in taken
        assert outcome.kind in (Kind.accepted, Kind.unsent, Kind.uncertain)
        if outcome.kind is not Kind.uncertain:
            assert there == (outcome.kind is Kind.accepted)
    assert len(taken) <= writes * 4


def test_a_transport_can_be_used_again_after_that() -> None:
    async def run() -> tuple[Heard, Heard]:
        transport = make(server)
        late, later = Heard(), Heard()
        await transport.open()
        late.writes = 0
        transport.send([message(1)], late)
        await late.all(1)
        transport.send([message(2)], later)
        await later.all(1)
        await transport.close()
        return late, later

    with SmtpServer() as server:
        late, later = asyncio.run(run())
    assert late.outcomes[1].kind is Kind.unsent
    assert later.outcomes[2].kind is Kind.accepted
    assert server.addresses == ["reader2@example.test"]
