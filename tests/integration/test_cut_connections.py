"""The connection cut at every byte of a session, in both directions, in each way of talking.

The promise: every message has one outcome, the server's own record agrees with it, and what is handed over
again because it was "unsent" is never there twice.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

import digest.smtp
from digest.config import Smtp
from digest.model import Message, Outcome, OutcomeKind
from digest.work import loop
from tests.cutting import Cut, CuttingProxy
from tests.fast_sink import MODES, Copy, SinkServer, Ways
from tests.handing_over import until_known

Kind = OutcomeKind
AT_ONCE = 32
TEXT = b"Subject: x\r\n\r\none\r\n.two\r\n"
STALL = 0.3
"""Seconds until a silent server is given up; the outcome of a text takes ten times that."""


@dataclass(frozen=True, slots=True)
class Session:
    """Three messages through a cut; the one in the middle is refused and must not disturb the others."""

    number: int
    cut: Cut | None

    @property
    def messages(self) -> list[Message]:
        return [
            Message(n, "b@s.test", f"{who}-{self.number:05}@r.test", TEXT)
            for n, who in enumerate(("first", "unknown", "third"), 1)
        ]


class Bench:
    """A server that takes mail, and sessions that are cut on their way to it."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.copies: list[Copy] = []
        self.sink = SinkServer(Ways(MODES[mode]), self.copies.extend)
        self.port = 0

    async def run(self, sessions: Iterable[Session], patience: float = 60.0) -> Counter[Kind]:
        """All of them, many at a time; how often a message of theirs ended how."""
        gate = asyncio.Semaphore(AT_ONCE)
        listener = await asyncio.get_running_loop().create_server(self.sink.protocol, "127.0.0.1", 0, backlog=1000)
        self.port = listener.sockets[0].getsockname()[1]

        async def one(session: Session) -> tuple[Session, CuttingProxy, dict[int, list[Outcome]]]:
            async with gate:
                return session, *await self._through(session, patience)

        done = await asyncio.gather(*map(one, sessions))
        while self.sink.open:  # noqa: ASYNC110 - what was still on its way when a session ended
            await asyncio.sleep(0.01)
        listener.close()
        received = Counter(copy.rcpt_to for copy in self.copies)
        assert {copy.content for copy in self.copies} == {TEXT}
        ends: Counter[Kind] = Counter()
        for session, proxy, history in done:
            self._check(session, proxy, history, received)
            ends.update(outcome.kind for each in history.values() for outcome in each)
        return ends

    async def _through(
        self, session: Session, patience: float
    ) -> tuple[CuttingProxy, dict[int, list[Outcome]]]:
        proxy = CuttingProxy(self.port, session.cut)
        smtp = Smtp(host="127.0.0.1", port=await proxy.listen(), connections=1, timeout=patience)
        transport = digest.smtp.SmtpTransport(smtp)
        try:
            history = await until_known(transport, session.messages)
            await transport.close()
        finally:
            proxy.close()
        return proxy, history

    def _check(
        self,
        session: Session,
        proxy: CuttingProxy,
        history: dict[int, list[Outcome]],
        received: Counter[str],
    ) -> None:
        for message in session.messages:
            *before, last = [outcome.kind for outcome in history[message.delivery]]
            times = received[message.rcpt_to]
            told = (
                f"{self.mode}, {session}: {message.rcpt_to} {history[message.delivery]}, taken {times} times"
            )
            assert set(before) <= {Kind.unsent}, told
            if message.rcpt_to.startswith("unknown"):
                assert last in (Kind.rejected, Kind.uncertain), told
                assert times == 0, told
            else:
                assert last in (Kind.accepted, Kind.uncertain), told
                assert times == 1 if last is Kind.accepted else times <= 1, told
        if session.cut is not None and session.cut.end == "close":
            self._check_doubt(session, proxy, history)

    def _check_doubt(self, session: Session, proxy: CuttingProxy, history: dict[int, list[Outcome]]) -> None:
        """No more is in doubt than has to be: what was answered is known, and so is what was not handed over.

        In order, so that everything that the server had said before the cut was there to be read.
        """
        said = bytes(proxy.passed["server"])
        answered = len(re.findall(rb"250 2\.0\.0 ok \d+\r\n", said))
        kinds = Counter(outcomes[-1].kind for outcomes in history.values())
        assert kinds[Kind.accepted] >= answered, f"{self.mode}, {session}: {history}"
        if self.mode != "chunking":
            begun = said.count(b"354 go on\r\n")
            assert kinds[Kind.uncertain] <= begun - answered, f"{self.mode}, {session}: {history}"


def length(mode: str, side: str) -> int:
    """Bytes that this side says in a whole session."""

    async def uncut() -> int:
        bench, session = Bench(mode), Session(0, None)
        running = asyncio.get_running_loop()
        listener = await running.create_server(bench.sink.protocol, "127.0.0.1", 0)
        bench.port = listener.sockets[0].getsockname()[1]
        proxy, history = await bench._through(session, 60.0)
        listener.close()
        assert [outcomes[0].kind for outcomes in history.values()] == [
            Kind.accepted, Kind.rejected, Kind.accepted,
        ]  # fmt: skip
        return len(proxy.passed["client" if side == "client" else "server"])

    return loop.run(uncut())


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("mode", MODES)
def test_cut_at_every_byte(mode: str, side: str) -> None:
    whole = length(mode, side)
    cuts = [Cut("client" if side == "client" else "server", at, "close") for at in range(whole)]
    ends = loop.run(Bench(mode).run(map(Session, range(len(cuts)), cuts)))
    assert min(ends[Kind.accepted], ends[Kind.uncertain], ends[Kind.unsent]) > 0


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("mode", MODES)
def test_reset_at_every_byte(mode: str, side: str) -> None:
    whole = length(mode, side)
    cuts = [Cut("client" if side == "client" else "server", at, "reset") for at in range(whole)]
    ends = loop.run(Bench(mode).run(map(Session, range(len(cuts)), cuts)))
    assert ends[Kind.uncertain] > 0


@pytest.mark.parametrize("mode", MODES)
def test_silence_after_any_byte_ends_by_itself(mode: str) -> None:
    cuts = [Cut("server", at, "stall") for at in range(0, length(mode, "server"), 5)]
    cuts += [Cut("client", at, "stall") for at in range(0, length(mode, "client"), 7)]
    ends = loop.run(Bench(mode).run(map(Session, range(len(cuts)), cuts), patience=STALL))
    assert ends[Kind.uncertain] > 0
    assert ends[Kind.unsent] > 0
