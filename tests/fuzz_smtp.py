"""Feeds sessions with conversations that go wrong: python -m tests.fuzz_smtp --seconds 30

Each round is made from its seed alone: --seed N plays one again. Three kinds: noise instead of a server; a
server whose words are damaged on their way; and one that answers as it likes, whose word is held against what
it took. Whatever happens, nothing may be raised and every copy has exactly one outcome; of an honest server
the outcomes have to be true as well.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter, deque

from digest.model import Message, OutcomeKind
from digest.smtp.capabilities import Auth, Options, Tls
from digest.smtp.envelope import Copy, text_of
from digest.smtp.events import Closed, Event, Failed, StartTls, TokenWanted
from digest.smtp.session import Session
from tests.model_smtp import CLOSE, LOST, SILENT, USUAL, ModelServer

_ANSWERS = [
    b"250 2.0.0 ok", b"354 go", b"450 4.2.0 later", b"550 5.1.1 no", b"421 4.3.2 bye", b"220 x", b"334 ",
    b"235 x", b"250-a\r\n250 b", b"503 5.5.1 order", b"hello", b"", b"99", CLOSE, LOST, SILENT,
]  # fmt: skip
_OFFERS = [b"PIPELINING", b"CHUNKING", b"SIZE 300", b"SIZE", b"8BITMIME", b"SMTPUTF8", b"DSN", b"STARTTLS",
           b"AUTH PLAIN LOGIN XOAUTH2", b"LIMITS MAILMAX=3"]  # fmt: skip
_BITS = [b"\r\n", b"\n", b".", b"..", b".\r\n", b"a", b"\xff", b"\xc3\xa9", b"\r", b"\0", b"x" * 200]


class Round:
    """One conversation."""

    def __init__(self, seed: int) -> None:
        self.random = dice = random.Random(seed)
        self.kind = dice.choice(("noise", "damaged", "honest"))
        secure = dice.random() < 0.5
        self.session = Session(
            Options(
                pipelining=dice.random() < 0.7,
                chunking=dice.random() < 0.6,
                depth=dice.randint(1, 6),
                limit=dice.choice((0, 0, 2)),
                tls=dice.choice(tuple(Tls)) if self.kind != "honest" else Tls.never,
                secure=secure,
                auth=dice.choice(tuple(Auth)),
                user="" if self.kind == "honest" or dice.random() < 0.5 else "us",
                password=dice.choice(("", "secret")),
                notify=dice.choice(("", "NEVER")),
            )
        )
        offers = dice.sample(_OFFERS, dice.randint(0, len(_OFFERS)))
        self.server = ModelServer(tuple(offers), ehlo=dice.random() < 0.95)
        for verb in USUAL:
            if verb not in ("GREETING", "HELO") and dice.random() < 0.3:
                # RSET is always obeyed (RFC 5321 4.1.1.5), unless the connection ends.
                answers = _ANSWERS if verb != "RSET" else [b"421 4.3.2 bye", CLOSE, LOST, SILENT]
                self.server.plans[verb] = deque(
                    dice.choice((USUAL[verb], USUAL[verb], dice.choice(answers)))
                    for _ in range(dice.randint(1, 6))
                )
        self.copies: list[Copy] = []
        self.told: list[Copy] = []
        self.over: Event | None = None

    def play(self) -> None:
        self.server.greet()
        for _ in range(self.random.randint(1, 60)):
            if self.over is None:
                self._step()
        if self.over is None:
            self._hear_events(self.session.lost("the end"))
        assert len(self.told) == len({id(copy) for copy in self.told}), "told twice"
        assert len(self.told) == len(self.copies), "not told"
        assert isinstance(self.over, Closed | Failed)
        if self.kind == "honest":
            self._check_truth()

    def _step(self) -> None:
        dice, session = self.random, self.session
        while session.room > 0 and dice.random() < 0.7:
            copy = Copy(self._message())
            self.copies.append(copy)
            if not session.add(copy):
                self.told.append(copy)
        for _ in range(dice.randint(0, 4)):
            self._write()
        said = self._said()
        if said:
            self._hear_events(session.receive(said))
        if self.over is None and (dice.random() < 0.02 or (self.server.closed and not self.server.said)):
            self._hear_events(session.lost("closed"))

    def _write(self) -> None:
        data = b"".join(map(bytes, self.session.take()))
        if self.kind == "noise" or not data:
            return
        try:
            self.server.feed(data)
        except AssertionError:
            if self.kind == "honest":
                raise
            self.server.closed = True  # a damaged conversation need not be understood

    def _said(self) -> bytes:
        dice = self.random
        if self.kind == "noise":
            if dice.random() < 0.6:
                return dice.choice(_ANSWERS) + b"\r\n"
            return bytes(dice.choice(b"0123456789 -\r\n.\xffabc") for _ in range(dice.randint(0, 30)))
        count = dice.choice((1, 5, 1000, 1000))
        said = bytes(self.server.said[:count])
        del self.server.said[:count]
        return self._damaged(said) if self.kind == "damaged" and said and dice.random() < 0.2 else said

    def _message(self) -> Message:
        dice, number = self.random, len(self.copies) + 1
        content = b"".join(dice.choice(_BITS) for _ in range(dice.randint(0, 8)))
        if dice.random() < 0.02:
            content += b"y" * dice.choice((131_071, 131_072, 131_073, 300_000))
        to = dice.choice(
            (f"r{number}@example.test", f"r{number}@example.test", f"é{number}@example.test", "x y@z")
        )
        return Message(number, f"s{number}@sender.test", to, content)

    def _damaged(self, said: bytes) -> bytes:
        dice, data = self.random, bytearray(said)
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(data) + 1)
            match dice.randrange(4):
                case 0:
                    data[at:at] = dice.choice(_ANSWERS) + b"\r\n"
                case 1:
                    del data[at : at + dice.randint(1, 10)]
                case 2:
                    data[at:at] = bytes(dice.randrange(256) for _ in range(dice.randint(1, 5)))
                case _:
                    data += data[at:]
        return bytes(data)

    def _hear_events(self, events: list[Event]) -> None:
        for event in events:
            assert self.over is None, "something behind the end"
            if isinstance(event, Copy):
                assert event.outcome is not None
                self.told.append(event)
            elif isinstance(event, StartTls):
                self.session.secured()
            elif isinstance(event, TokenWanted):
                self.session.token("token")
            elif isinstance(event, Closed | Failed):
                self.over = event

    def _check_truth(self) -> None:
        took = Counter(self.server.took)
        assert not took or max(took.values()) == 1, "taken twice"
        assert not self.server.confused, "an envelope inside of another"
        ours = {(c.message.mail_from, c.message.rcpt_to, text_of(c.message)) for c in self.copies}
        assert set(took) <= ours, "an envelope or a text that is nobody's"
        for copy in self.copies:
            outcome = copy.outcome
            assert outcome is not None
            here = (copy.message.mail_from, copy.message.rcpt_to, text_of(copy.message)) in took
            assert outcome.kind is OutcomeKind.uncertain or here == (outcome.kind is OutcomeKind.accepted), (
                outcome
            )


def main() -> int:
    parser = argparse.ArgumentParser(description="Feeds SMTP sessions with conversations that go wrong.")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, help="Play this one round again.")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        Round(arguments.seed).play()
        return 0
    end, rounds = time.monotonic() + arguments.seconds, 0
    first = random.SystemRandom().randrange(10**9)
    while time.monotonic() < end:
        seed = first + rounds
        try:
            Round(seed).play()
        except BaseException:
            print(f"round {seed} failed; again: python -m tests.fuzz_smtp --seed {seed}", file=sys.stderr)
            raise
        rounds += 1
    print(f"{rounds:,} conversations, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
