"""A session against a server in memory: any answers, any split of bytes, any end; the outcomes are true."""

from __future__ import annotations

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from digest.model import Message, OutcomeKind
from digest.smtp.capabilities import Mode, Options
from digest.smtp.envelope import Copy, text_of
from digest.smtp.events import Closed, Event, Ready
from digest.smtp.session import Session
from tests.model_smtp import CLOSE, LOST, SILENT, USUAL, ModelServer

Kind = OutcomeKind

REFUSALS = [
    b"450 4.2.0 later",
    b"550 5.1.1 no",
    b"550-5.7.1 no\r\n550 5.7.1 never",
    b"452 full",
    b"503 5.5.1 no",
]
ENDS = [CLOSE, LOST, b"421 4.3.2 closing"]
ODD = [b"hello", b"250-a\r\n550 b", b"199 hm", b"221 bye", b"354 more", SILENT]
ANSWERS = st.one_of(*map(st.sampled_from, (REFUSALS, REFUSALS, ENDS, ODD)))
CONTENTS = st.lists(
    st.sampled_from([b".", b"..", b"", b"line", b".dot", b"x" * 70, b"\xc3\xa9", b"a\rb"]), max_size=6
)
ADDRESSES = st.sampled_from(["r{}@example.test"] * 6 + ["r\xfc{}@example.test", "r {}@example.test"])
MESSAGES = st.tuples(CONTENTS, st.sampled_from([b"\r\n", b"\n"]), st.booleans(), ADDRESSES)
VERBS = st.sampled_from(["MAIL", "RCPT", "RCPT", "DATA", "TEXT", "TEXT", "RSET"])
RARELY = st.integers(0, 5).map(lambda n: n == 0)


class Conversation(RuleBasedStateMachine):
    """The client's bytes go over `wire` to the server, the server's from `said` to the client."""

    def __init__(self) -> None:
        super().__init__()
        self.wire = bytearray()
        self.copies: dict[int, Copy] = {}
        self.told: list[int] = []
        self.refused_here: set[int] = set()
        self.number = 0
        self.closed: Closed | None = None
        self.planned = False
        self.taken_bytes = 0

    @initialize(
        pipelining=st.sampled_from([True, True, False]),
        chunking=st.booleans(),
        offers=st.sets(st.sampled_from([b"8BITMIME", b"SMTPUTF8", b"DSN", b"SIZE 400"])),
        depth=st.integers(1, 5),
        limit=st.sampled_from([0, 0, 0, 1, 3]),
        ehlo=st.sampled_from([True] * 7 + [False]),
    )
    def begin(
        self, *, pipelining: bool, chunking: bool, offers: set[bytes], depth: int, limit: int, ehlo: bool
    ) -> None:
        options = Options(
            pipelining=pipelining, chunking=chunking, depth=depth, limit=limit, notify="FAILURE"
        )
        self.session = Session(options)
        self.server = ModelServer((b"PIPELINING", b"CHUNKING", *sorted(offers)), ehlo=ehlo)
        self.server.greet()
        self.ready = False
        while not self.ready:
            self._hear(self._spoken(len(self.server.said)))
            for piece in self.session.take():
                self.server.feed(bytes(piece))

    # What happens

    @precondition(lambda self: self.session.room > 0)
    @rule(messages=st.lists(MESSAGES, min_size=1, max_size=8))
    def add(self, *, messages: list[tuple[list[bytes], bytes, bool, str]]) -> None:
        for lines, end, closed, to in messages:
            if self.session.room > 0:
                self._add(lines, end, closed=closed, to=to)

    def _add(self, lines: list[bytes], end: bytes, *, closed: bool, to: str) -> None:
        self.number += 1
        content = b"Subject: %d\r\n\r\n" % self.number + end.join(lines) + (end if closed else b"")
        message = Message(self.number, f"s{self.number}@sender.test", to.format(self.number), content)
        copy = Copy(message)
        self.copies[self.number] = copy
        if not self.session.add(copy):
            self.refused_here.add(self.number)
            self.told.append(self.number)

    @rule(most=st.integers(1, 4))
    def write(self, *, most: int) -> None:
        for _ in range(most):
            for piece in self.session.take():
                self.wire += piece

    @rule(count=st.sampled_from([1, 10, 50, 100, 1000, 1000]))
    def arrive(self, *, count: int) -> None:
        data = bytes(self.wire[:count])
        del self.wire[:count]
        self.server.feed(data)

    @rule(count=st.sampled_from([1, 7, 30, 1000, 1000]))
    def hear(self, *, count: int) -> None:
        self._hear(self._spoken(count))

    @rule(count=st.sampled_from([1, 2, 3, 100]))
    def go_on(self, *, count: int) -> None:
        """A few round trips."""
        for _ in range(count):
            self.write(most=2)
            self.arrive(count=2000)
            self._hear(self._spoken(2000))

    def settle(self) -> None:
        """Everything moves until nothing does."""
        moved = True
        while moved:
            self.write(most=3)
            moved = bool(self.wire) and not self.server.closed and not self.server.stalled
            self.arrive(count=100_000)
            moved = moved or bool(self.server.said)
            self._hear(self._spoken(100_000))

    @rule(verb=VERBS, usual=st.integers(0, 2), answer=ANSWERS)
    def plan(self, *, verb: str, usual: int, answer: bytes) -> None:
        """How the server answers such a command after the next `usual` ones."""
        if verb == "RSET" and answer not in (*ENDS, SILENT):
            return  # it is always obeyed (RFC 5321 4.1.1.5)
        self.planned = True
        self.server.plans.setdefault(verb, deque()).extend([USUAL[verb]] * usual + [answer])

    @precondition(lambda self: not self.wire and not self.server.said and not self.session.waits)
    @rule(sure=RARELY, reply=st.sampled_from([b"250 ok\r\n", b"421 4.4.2 idle\r\n", b"554 no\r\n"]))
    def speak_unasked(self, *, sure: bool, reply: bytes) -> None:
        if sure:
            self.planned = True
            if reply.startswith(b"5"):  # whoever is about to hand over a text is refused by that
                self.server.refused |= {copy.message.rcpt_to for copy in self.copies.values()}
            self._hear(reply)

    @rule(sure=RARELY, kept_back=st.sampled_from([0, 1, 5, 40, 1000]), read=st.booleans())
    def lose(self, *, sure: bool, kept_back: int, read: bool) -> None:
        """The connection breaks: of the last bytes some never left, the others may arrive all the same."""
        if not sure:
            return
        self.planned = True
        kept_back = min(kept_back, len(self.wire))
        if kept_back:
            del self.wire[-kept_back:]
        self._events(self.session.lost("reset", kept_back=kept_back))
        if read:
            self.server.feed(bytes(self.wire))
        self.wire.clear()
        self.server.closed = True
        assert self.session.over

    @rule(sure=RARELY)
    def quit(self, *, sure: bool) -> None:
        if sure:
            self.session.quit()

    # What is heard

    def _spoken(self, count: int) -> bytes:
        data = bytes(self.server.said[:count])
        del self.server.said[:count]
        return data

    def _hear(self, data: bytes) -> None:
        if data:
            self._events(self.session.receive(data))
        if self.server.closed and not self.server.said and not self.session.over:
            self._events(self.session.lost("the server closed the connection"))

    def _events(self, events: list[Event]) -> None:
        for event in events:
            assert self.closed is None, "something behind the end"
            if isinstance(event, Copy):
                assert event.outcome is not None
                self.told.append(event.message.delivery)
            elif isinstance(event, Ready):
                self.ready = True
            elif isinstance(event, Closed):
                self.closed = event

    # What always holds

    @invariant()
    def each_is_told_at_most_once(self) -> None:
        assert len(self.told) == len(set(self.told))

    @invariant()
    def what_is_told_is_true(self) -> None:
        assert not self.server.confused
        took = {to: (sender, text) for sender, to, text in self.server.took}
        assert len(took) == len(self.server.took), "taken twice"
        for number in self.told:
            self._is_true(self.copies[number], took)

    def _is_true(self, copy: Copy, took: dict[str, tuple[str, bytes]]) -> None:
        message, outcome = copy.message, copy.outcome
        assert outcome is not None
        assert outcome.delivery == message.delivery
        here = took.get(message.rcpt_to)
        if here is not None:
            assert here == (message.mail_from, text_of(message)), "another's envelope or text"
        if outcome.kind is Kind.accepted:
            assert here is not None
            assert outcome.at == "text"
        elif outcome.kind is Kind.uncertain:
            assert copy.handed
        else:
            assert here is None, f"taken, and told as {outcome}"
        if outcome.kind in (Kind.deferred, Kind.rejected) and message.delivery not in self.refused_here:
            assert (outcome.code >= 500) == (outcome.kind is Kind.rejected)
            # A neighbour's refusal is nobody else's.
            assert self.server.refused & {message.mail_from, message.rcpt_to}

    @invariant()
    def nobody_is_disturbed(self) -> None:
        """With a server that answers as it should, everything is taken."""
        if not self.planned:
            for number in self.told:
                if number not in self.refused_here:
                    outcome = self.copies[number].outcome
                    assert outcome is not None
                    assert outcome.kind is Kind.accepted, outcome

    @invariant()
    def no_more_is_in_doubt_than_was_asked_for(self) -> None:
        in_doubt = sum(copy.handed and copy.outcome is None for copy in self.copies.values())
        most = self.session.options.depth if self.session.mode is Mode.chunking else 1
        assert in_doubt <= most

    def teardown(self) -> None:
        self.settle()
        if not self.session.over:
            if not self.planned:
                assert not self.session.busy
            self._events(self.session.lost("the end"))
        self.each_is_told_at_most_once()
        self.what_is_told_is_true()
        self.nobody_is_disturbed()
        assert set(self.told) == set(self.copies)
        assert self.closed is not None


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=400, stateful_step_count=40, deadline=None)
