"""The engine's promises, over a ledger in memory and a transport that does as it is told."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.delivery import (
    Claimed,
    Engine,
    Limits,
    Meter,
    Offered,
    Page,
    Progress,
    Report,
    Result,
    SendingStopped,
    Stop,
    Throttle,
)
from digest.errors import AddressError, StoreError, TransportError
from digest.model import DeliveryState, Message, Outcome, OutcomeKind, Rate, Recipient
from digest.ports import Results
from tests.fakes import FixedClock

Kind = OutcomeKind
State = DeliveryState
NOW = dt.datetime(2026, 11, 16, 8, 0, tzinfo=dt.UTC)
FAST = Limits(page=10, heartbeat=60.0, drain=0.2, record_again=(0.0, 0.0))


class MemoryLedger:
    """Rows 1 to `count`, and everything that was done to them. Breaks, when told to, at the n-th call."""

    def __init__(self, count: int, clock: FixedClock) -> None:
        self.clock = clock
        self.states = dict.fromkeys(range(1, count + 1), State.queued)
        self.results: dict[int, Result] = {}
        self.attempts: Counter[int] = Counter()
        self.most_offered = 0
        self.threads: set[int] = set()
        self.groups: list[tuple[int, int]] = []
        self.claim_breaks: deque[Exception | None] = deque()
        self.commit_breaks: deque[Exception | None] = deque()
        self.renewals = 0
        self.renew_breaks: Exception | None = None
        self.notes: list[tuple[float, float | None]] = []
        self.stolen: set[int] = set()
        self.leaving: set[int] = set()
        self.gone: set[int] = set()
        self.servers: list[str] = []
        self.offered_to: dict[int, str] = {}
        self.lease = dt.timedelta(minutes=1)
        self.commit_hook: Callable[[], object] = lambda: None

    def claim(self, limit: int, server: str) -> Page:
        self.servers.append(server)
        self.threads.add(threading.get_ident())
        if self.claim_breaks and (error := self.claim_breaks.popleft()):
            raise error
        queued = [n for n, state in self.states.items() if state is State.queued]
        mine = queued[:limit]
        skipped = [n for n in mine if n in self.gone]
        for number in mine:
            self.states[number] = State.skipped if number in self.gone else State.claimed
        page = tuple(
            Claimed(Recipient(n, n, f"r{n}@example.test"), self.attempts[n])
            for n in mine
            if n not in self.gone
        )
        return Page(page, len(skipped), len(queued) <= limit)

    def commit(self, results: Sequence[Result], offers: Sequence[int], server: str) -> Offered:
        self.threads.add(threading.get_ident())
        self.commit_hook()
        if self.commit_breaks and (error := self.commit_breaks.popleft()):
            raise error
        for result in results:
            number = result.outcome.delivery
            assert self.states[number] in (State.claimed, State.offered, State.uncertain)
            self.states[number] = result.state
            self.results[number] = result
            self.attempts[number] += result.state is not State.queued
        offered, skipped = set(), set()
        for number in offers:
            if number in self.leaving:
                self.states[number] = State.skipped
                skipped.add(number)
            elif number not in self.stolen:
                assert self.states[number] is State.claimed
                self.states[number] = State.offered
                self.offered_to[number] = server
                offered.add(number)
        self.groups.append((len(results), len(offers)))
        self.most_offered = max(self.most_offered, sum(s is State.offered for s in self.states.values()))
        return Offered(frozenset(offered), self.clock.now() + self.lease, frozenset(skipped))

    def renew(self) -> dt.datetime:
        self.renewals += 1
        if self.renew_breaks:
            raise self.renew_breaks
        return self.clock.now() + self.lease

    def give_back(self) -> int:
        back = [number for number, state in self.states.items() if state is State.claimed]
        self.states.update(dict.fromkeys(back, State.queued))
        return len(back)

    def note(self, rate: float, seconds_left: float | None) -> None:
        self.notes.append((rate, seconds_left))

    def count(self) -> Counter[State]:
        return Counter(self.states.values())


class ScriptedTransport:
    """Answers by address or by turn; knows what it was given and what the ledger said at that moment."""

    server = "relay.test:25"

    def __init__(self, ledger: MemoryLedger, capacity: int = 3) -> None:
        self.ledger, self._capacity = ledger, capacity
        self.sent: list[int] = []
        self.taken: list[int] = []
        self.answers: dict[int, list[Outcome | Exception | None]] = {}
        self.usual: Callable[[int], Outcome | Exception] = lambda n: Outcome(n, Kind.accepted, 250)
        self.delay: Callable[[], float] = lambda: 0.0
        self.faulty = 0
        self.recalls = False
        self.under_way: dict[int, tuple[asyncio.TimerHandle, Results]] = {}

    @property
    def flying(self) -> int:
        return len(self.under_way)

    @property
    def capacity(self) -> int:
        return self._capacity

    async def open(self) -> None:
        return None

    def send(self, messages: Sequence[Message], results: Results, server: str = "") -> None:
        loop = asyncio.get_running_loop()
        for message in messages:
            number = message.delivery
            assert self.ledger.states[number] is State.offered, "sent before it was offered"
            assert self.ledger.offered_to[number] == server, "sent to another server than offered"
            if server != self.server:
                results.outcome(Outcome(number, Kind.unsent, reply="it was for another server"))
                continue
            self.sent.append(number)
            if number == self.faulty:
                raise RuntimeError("oops")
            self.under_way[number] = loop.call_later(self.delay(), self._end, number), results
            assert self.flying <= self._capacity

    def _end(self, number: int) -> None:
        _, results = self.under_way.pop(number)
        script = self.answers.get(number)
        answer = script.pop(0) if script else None
        answer = self.usual(number) if answer is None else answer
        if isinstance(answer, TransportError):
            results.unusable(answer)
            answer = Outcome(number, Kind.unsent)
        assert isinstance(answer, Outcome)
        if answer.kind is Kind.accepted:
            self.taken.append(number)
        results.outcome(answer)

    def recall(self) -> None:
        """Only the first copy under way was begun."""
        for number in list(self.under_way)[1:] if self.recalls else ():
            timer, results = self.under_way.pop(number)
            timer.cancel()
            self.sent.remove(number)
            results.outcome(Outcome(number, Kind.unsent, reply="taken back"))

    def turn_to(self, server: str) -> None:
        """Another server is in use; what was under way had not begun."""
        self.server = server
        for number, (timer, results) in list(self.under_way.items()):
            timer.cancel()
            del self.under_way[number]
            results.outcome(Outcome(number, Kind.unsent, reply="it was for another server"))

    def break_off(self) -> None:
        for number, (timer, results) in list(self.under_way.items()):
            timer.cancel()
            del self.under_way[number]
            results.outcome(Outcome(number, Kind.uncertain, reply="broken off"))

    async def close(self) -> None:
        return None


class Composing:
    """Makes copies one after the other; `slow` as when each is signed."""

    def __init__(self, compose: Callable[[Recipient], Message], *, slow: bool) -> None:
        self.compose, self.slow = compose, slow
        self.threads: set[int] = set()

    def messages(self, recipients: Sequence[Recipient]) -> list[Message | AddressError]:
        self.threads.add(threading.get_ident())
        return [self._one(recipient) for recipient in recipients]

    def _one(self, recipient: Recipient) -> Message | AddressError:
        try:
            return self.compose(recipient)
        except AddressError as error:
            return error


async def until(condition: Callable[[], object]) -> None:
    """Waits for what another task does; ten seconds at most."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a condition of the fakes, who know no events
            await asyncio.sleep(0.001)


def compose(recipient: Recipient) -> Message:
    return Message(recipient.delivery, "b@sender.test", recipient.address, b"text")


class Room:
    """An engine with everything around it."""

    def __init__(
        self, count: int = 10, *, capacity: int = 3, limits: Limits = FAST, slow: bool = False
    ) -> None:
        self.clock = FixedClock(NOW)
        self.ledger = MemoryLedger(count, self.clock)
        self.transport = ScriptedTransport(self.ledger, capacity)
        self.limits = limits
        self.stop = Stop()
        self.seen: list[Progress] = []
        self.composer = Composing(compose, slow=slow)
        self.stale = NOW + dt.timedelta(hours=24)

    def engine(self, throttle: Throttle | None = None) -> Engine:
        return Engine(
            self.ledger,
            self.transport,
            self.composer,
            clock=self.clock,
            stale=self.stale,
            random=lambda: 0.0,
            limits=self.limits,
            throttle=throttle,
            meter=Meter(len(self.ledger.states), self.seen.append, time.monotonic),
        )

    def run(self) -> Report:
        return asyncio.run(self.engine().run(self.stop))


def deferred(number: int, text: str = "later", code: int = 451) -> Outcome:
    return Outcome(number, Kind.deferred, code, "", text)


def rejected(number: int, text: str = "5.1.1 no such user", code: int = 550) -> Outcome:
    return Outcome(number, Kind.rejected, code, "", text)


def unsent(number: int, text: str = "closed", code: int = 0) -> Outcome:
    return Outcome(number, Kind.unsent, code, "", text)


# --- the usual way ------------------------------------------------------------------------------------


def test_everybody_gets_one_copy() -> None:
    room = Room(100)
    report = room.run()
    assert sorted(room.transport.sent) == list(range(1, 101))
    assert room.ledger.count() == {State.accepted: 100}
    assert report == Report({State.accepted: 100})


def test_nobody_to_send_to_is_done_at_once() -> None:
    assert Room(0).run() == Report({})


@pytest.mark.parametrize("capacity", [1, 2, 7, 50])
def test_never_more_are_offered_than_can_be_in_flight(capacity: int) -> None:
    room = Room(120, capacity=capacity)
    room.transport.delay = lambda: 0.001
    room.run()
    assert room.ledger.most_offered <= capacity
    assert room.ledger.count() == {State.accepted: 120}


def test_all_database_work_is_on_one_thread_beside_the_loop() -> None:
    room = Room(30)
    room.run()
    assert len(room.ledger.threads) == 1
    assert threading.get_ident() not in room.ledger.threads


def test_results_and_next_offers_go_in_one_commit() -> None:
    room = Room(60, capacity=6)
    room.run()
    assert any(results and offers for results, offers in room.ledger.groups)


def test_those_who_left_since_the_fan_out_are_counted_as_skipped() -> None:
    room = Room(5)
    room.ledger.gone = {2, 3}
    assert room.run().done == {State.accepted: 3, State.skipped: 2}
    assert sorted(room.transport.sent) == [1, 4, 5]


def test_those_who_left_since_the_claim_are_skipped_at_the_offer() -> None:
    room = Room(8)
    room.ledger.leaving = {2, 5}
    report = room.run()
    assert report == Report({State.accepted: 6, State.skipped: 2})
    assert sorted(room.transport.sent) == [1, 3, 4, 6, 7, 8]
    assert room.ledger.renewals == 0


@pytest.mark.parametrize("slow", [False, True])
def test_a_slow_composer_works_beside_the_loop(slow: bool) -> None:
    room = Room(100, slow=slow)
    assert room.run().done == {State.accepted: 100}
    assert (threading.get_ident() not in room.composer.threads) == slow
    assert len(room.composer.threads) == 1


def test_progress_is_told_to_the_end() -> None:
    room = Room(20)
    room.run()
    assert room.seen[-1].done == {State.accepted: 20}
    assert room.seen[-1].left == 0


class Late(Throttle):
    """Its time comes between two looks at it: nothing may start, and then there is nothing to wait for."""

    closed = True

    def take(self, now: float, wanted: int) -> int:
        self.closed = not self.closed
        return super().take(now, 0 if self.closed else min(wanted, 1))

    def wait(self, _now: float) -> float:
        return 0.0


@pytest.mark.parametrize("slow", [False, True])
def test_a_limit_whose_time_has_just_come_is_not_waited_for_until_the_next_heartbeat(slow: bool) -> None:
    room = Room(20, slow=slow)
    report = asyncio.run(asyncio.wait_for(room.engine(Late()).run(), 10))
    assert report.done == {State.accepted: 20}


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_rates_of_domains_are_kept_without_standing_still(run: Callable[..., Report], slow: bool) -> None:
    room = Room(40, slow=slow)
    claim = room.ledger.claim

    def claim_of_two_domains(limit: int, server: str) -> Page:
        page = claim(limit, server)
        rows = [row._replace(domain=f"{row.recipient.delivery % 2}.test") for row in page.claimed]
        return replace(page, claimed=tuple(rows))

    room.ledger.claim = claim_of_two_domains  # type: ignore[method-assign]
    throttle = Throttle(domains={"0.test": Rate(100, 1), "1.test": Rate(70, 1)})
    report = run(asyncio.wait_for(room.engine(throttle).run(), 10))
    assert report.done == {State.accepted: 40}


# --- two servers --------------------------------------------------------------------------------------


def test_what_waited_for_the_first_server_is_offered_anew_for_the_second() -> None:
    """Also more often than a copy may come back by its own fault."""
    room = Room(3)
    room.transport.delay = lambda: 10.0

    async def run() -> Report:
        going = asyncio.create_task(room.engine().run())
        for number in range(6):
            await until(lambda: len(room.transport.under_way) == 3)
            if number == 5:
                room.transport.delay = lambda: 0.0
            room.transport.turn_to(f"other{number}.test:25")
        return await going

    assert asyncio.run(run()).done[State.accepted] == 3
    assert room.ledger.count() == {State.accepted: 3}
    assert set(room.ledger.offered_to.values()) == {"other5.test:25"}


def test_what_was_offered_while_the_transport_turned_to_another_server_is_offered_anew() -> None:
    room = Room(6)

    def turn() -> None:
        room.transport.server = "second.test:25"
        room.ledger.commit_hook = lambda: None

    room.ledger.commit_hook = turn
    report = room.run()
    assert report.problem is None
    assert room.ledger.count() == {State.accepted: 6}
    assert set(room.ledger.offered_to.values()) == {"second.test:25"}
    assert room.ledger.servers[0] == "relay.test:25"
    assert room.ledger.servers[-1] == "second.test:25"


def test_a_copy_that_is_for_another_server_stays_queued_and_does_not_keep_the_run_going() -> None:
    room = Room(5)
    room.ledger.stolen = {2, 4}
    assert room.run() == Report({State.accepted: 3})
    assert room.ledger.count() == {State.accepted: 3, State.queued: 2}


# --- what becomes of a copy ---------------------------------------------------------------------------


def test_a_rejected_copy_is_not_tried_again() -> None:
    room = Room(3)
    room.transport.answers[2] = [rejected(2)]
    assert room.run().done == {State.accepted: 2, State.rejected: 1}
    assert room.transport.sent.count(2) == 1


def test_a_deferred_copy_waits_half_an_hour() -> None:
    room = Room(1)
    room.transport.answers[1] = [deferred(1)]
    room.run()
    assert room.ledger.results[1].next_attempt == NOW + dt.timedelta(minutes=30)


def test_the_servers_wish_is_obeyed() -> None:
    room = Room(1)
    room.transport.answers[1] = [deferred(1, "4.2.0 greylisted, try again in 7 minutes")]
    room.run()
    assert room.ledger.results[1].next_attempt == NOW + dt.timedelta(minutes=7)


def test_a_later_attempt_waits_longer() -> None:
    room = Room(1)
    room.ledger.attempts[1] = 2
    room.transport.answers[1] = [deferred(1)]
    room.run()
    assert room.ledger.results[1].next_attempt == NOW + dt.timedelta(minutes=120)


def test_a_copy_that_could_only_be_tried_too_late_expires() -> None:
    room = Room(1)
    room.stale = NOW + dt.timedelta(minutes=10)
    room.transport.answers[1] = [deferred(1)]
    assert room.run().done == {State.expired: 1}


def test_an_uncertain_copy_is_never_sent_again_by_itself() -> None:
    room = Room(3)
    room.transport.answers[2] = [Outcome(2, Kind.uncertain, reply="closed")]
    assert room.run().done == {State.accepted: 2, State.uncertain: 1}
    assert room.transport.sent.count(2) == 1


def test_an_unsent_copy_is_sent_again_and_costs_no_attempt() -> None:
    room = Room(3)
    room.transport.answers[2] = [unsent(2)]
    assert room.run().done == {State.accepted: 3}
    assert room.transport.sent.count(2) == 2
    assert room.ledger.attempts[2] == 1


def test_a_copy_that_breaks_every_connection_does_not_stop_the_others() -> None:
    room = Room(40, capacity=2)
    room.transport.answers[5] = [unsent(5)] * 9
    assert room.run().done == {State.accepted: 39, State.deferred: 1}
    assert room.transport.sent.count(5) == 3


def test_an_address_that_cannot_be_written_is_refused_before_it_is_offered() -> None:
    room = Room(3)

    def careful(recipient: Recipient) -> Message:
        if recipient.delivery == 2:
            raise AddressError(recipient.address, "5.6.7 needs SMTPUTF8")
        return compose(recipient)

    room.composer.compose = careful
    assert room.run().done == {State.accepted: 2, State.rejected: 1}
    assert room.ledger.results[2].outcome.reply == "5.6.7 needs SMTPUTF8"
    assert 2 not in room.transport.sent


def test_a_deferred_copy_that_comes_due_while_the_last_ones_leave_does_not_wait_for_them() -> None:
    room = Room(10, capacity=1, limits=replace(FAST, heartbeat=0.02))
    room.transport.answers[1] = [deferred(1)]
    room.transport.delay = lambda: 0.03
    claim = room.ledger.claim

    def claim_also_what_is_due(limit: int, server: str) -> Page:
        if room.ledger.states[1] is State.deferred:
            again = room.ledger.results[1].next_attempt
            assert again is not None
            if again <= room.clock.now():
                room.ledger.states[1] = State.queued
        return claim(limit, server)

    room.ledger.claim = claim_also_what_is_due  # type: ignore[method-assign]
    room.ledger.lease = dt.timedelta(days=1)
    room.ledger.commit_hook = lambda: room.clock.advance(dt.timedelta(minutes=15))
    assert room.run().done == {State.accepted: 10, State.deferred: 1}
    assert room.transport.sent.count(1) == 2


# --- the relay ----------------------------------------------------------------------------------------


def test_a_relay_that_goes_down_pauses_the_run_and_changes_nothing_else() -> None:
    room = Room(50)
    error = TransportError("relay.test:25", "connect", "refused")
    room.transport.usual = lambda n: error if n >= 20 else Outcome(n, Kind.accepted, 250)
    report = room.run()
    assert report.problem is error
    assert set(room.ledger.count()) == {State.accepted, State.queued}
    assert room.ledger.count()[State.accepted] == len(room.transport.taken) >= 19
    assert sum(room.ledger.attempts.values()) == room.ledger.count()[State.accepted]


def test_connections_that_break_again_and_again_pause_the_run() -> None:
    room = Room(50)
    room.transport.usual = lambda n: unsent(n, "closed by the server")
    report = room.run()
    assert isinstance(report.problem, TransportError)
    assert "closed by the server" in report.problem.message
    assert len(room.transport.sent) < 20
    assert set(room.ledger.count()) <= {State.queued, State.deferred}


def test_a_421_after_the_text_is_no_word_about_the_recipient() -> None:
    room = Room(5)
    room.transport.answers[3] = [deferred(3, "4.3.2 shutting down", 421)]
    assert room.run().problem is None
    assert room.ledger.count() == {State.accepted: 5}
    assert set(room.ledger.attempts.values()) == {1}


def test_a_421_to_everybody_pauses_the_run() -> None:
    room = Room(50)
    room.transport.usual = lambda n: deferred(n, "4.3.2 shutting down", 421)
    report = room.run()
    assert isinstance(report.problem, TransportError)
    assert "421 4.3.2 shutting down" in report.problem.message
    assert set(room.ledger.count()) <= {State.queued, State.deferred}
    assert room.ledger.count()[State.queued] > 40


@pytest.mark.parametrize(
    "reply",
    [
        (554, "5.7.1 Relay access denied"),
        (550, "5.4.5 Daily user sending limit exceeded"),
        (530, "5.7.0 Authentication required"),
    ],
)
def test_a_reply_about_us_pauses_the_run_and_counts_against_nobody(reply: tuple[int, str]) -> None:
    room = Room(50)
    room.transport.usual = lambda n: rejected(n, reply[1], reply[0])
    report = room.run()
    assert isinstance(report.problem, TransportError)
    assert report.problem.code == reply[0]
    assert report.problem.hint
    assert reply[1] in report.problem.message
    assert room.ledger.count() == {State.queued: 50}
    assert len(room.transport.sent) <= 6


def test_too_much_at_once_makes_the_run_wait_and_then_go_on_slowly() -> None:
    """Gmail's 4.7.28, seen through the relay: ten minutes of nothing, no copy judged by it."""
    room = Room(20)
    room.transport.usual = lambda n: deferred(n, "4.7.28 unusual rate of unsolicited mail", 450)

    async def run() -> Report:
        running = asyncio.create_task(room.engine().run(room.stop))
        await until(lambda: len(room.transport.sent) >= 3 and not room.transport.flying)
        await asyncio.sleep(0.05)
        assert len(room.transport.sent) == 3
        assert room.seen[-1].waiting == "450 4.7.28 unusual rate of unsolicited mail"
        room.stop.ask()
        return await running

    report = asyncio.run(run())
    assert report.problem is None
    assert room.ledger.count() == {State.queued: 20}


def test_one_odd_reply_about_us_does_not_stop_the_others() -> None:
    room = Room(60, capacity=2)
    room.transport.answers[7] = [rejected(7, "5.7.1 Relay access denied", 554)] * 9
    report = room.run()
    assert report.problem is None
    assert report.done == {State.accepted: 59, State.deferred: 1}


# --- stopping -----------------------------------------------------------------------------------------


def test_a_stop_finishes_what_is_in_flight_and_gives_the_rest_back() -> None:
    room = Room(50)

    async def run() -> Report:
        room.transport.delay = lambda: 0.02
        running = asyncio.create_task(room.engine().run(room.stop))
        await until(lambda: room.transport.sent)
        room.stop.ask()
        return await running

    report = asyncio.run(run())
    assert report.stopped
    assert report.problem is None
    assert set(room.ledger.count()) == {State.accepted, State.queued}
    assert room.ledger.count()[State.accepted] == len(room.transport.sent)


def test_a_stop_takes_back_what_no_connection_has_begun() -> None:
    room = Room(50, capacity=40)
    room.transport.recalls = True

    async def run() -> Report:
        room.transport.delay = lambda: 0.05
        running = asyncio.create_task(room.engine().run(room.stop))
        await until(lambda: room.transport.flying == 40)
        room.stop.ask()
        return await running

    report = asyncio.run(run())
    assert (report.stopped, report.problem) == (True, None)
    assert room.ledger.count() == {State.accepted: 1, State.queued: 49}


def test_a_stop_before_the_start_sends_nothing() -> None:
    room = Room(5)
    room.stop.ask()
    assert room.run().stopped
    assert room.transport.sent == []


def test_a_stop_that_comes_after_the_last_copy_is_no_interruption() -> None:
    room = Room(1, capacity=5)

    async def run() -> Report:
        room.transport.delay = lambda: 0.03
        running = asyncio.create_task(room.engine().run(room.stop))
        await until(lambda: room.transport.flying)
        room.stop.ask()
        report = await running
        room.stop.ask()  # nobody is there any more
        return report

    assert not asyncio.run(run()).stopped


@pytest.mark.parametrize("twice", [True, False])
def test_an_urgent_stop_or_a_drain_that_takes_too_long_breaks_off(twice: bool) -> None:
    room = Room(9)

    async def run() -> Report:
        room.transport.delay = lambda: 60.0
        running = asyncio.create_task(room.engine().run(room.stop))
        await until(lambda: room.transport.flying == 3)
        room.stop.ask()
        if twice:
            room.stop.ask()
        return await running

    report = asyncio.run(run())
    assert report.done == {State.uncertain: 3}
    assert room.ledger.count() == {State.uncertain: 3, State.queued: 6}


def test_a_cancelled_run_records_what_it_knows() -> None:
    room = Room(9)

    async def run() -> None:
        room.transport.delay = lambda: 60.0
        running = asyncio.create_task(room.engine().run())
        await until(lambda: room.transport.flying == 3)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(run())
    assert room.ledger.count() == {State.uncertain: 3, State.queued: 6}


# --- the ledger ---------------------------------------------------------------------------------------


def test_a_database_that_fails_stops_before_the_next_offer_and_loses_no_result() -> None:
    room = Room(50)
    room.transport.delay = lambda: 0.001
    room.ledger.commit_breaks.extend([None, None, StoreError("database is full")])
    report = room.run()
    assert isinstance(report.problem, StoreError)
    assert report.unrecorded == 0
    assert room.ledger.count()[State.accepted] == len(room.transport.taken)
    assert State.offered not in room.ledger.count()


def test_results_that_cannot_be_written_at_all_are_counted() -> None:
    room = Room(50)
    room.ledger.commit_breaks.extend([None, *[StoreError("gone")] * 99])
    report = room.run()
    assert isinstance(report.problem, StoreError)
    assert report.unrecorded == len(room.transport.taken) == room.ledger.count()[State.offered] == 3


def test_offers_of_which_nobody_knows_whether_they_were_written_are_not_in_doubt() -> None:
    room = Room(10)
    commit, lost = room.ledger.commit, [StoreError("the connection was lost behind the commit")]

    def commit_and_lose(results: Sequence[Result], offers: Sequence[int], server: str) -> Offered:
        offered = commit(results, offers, server)
        if offers and lost:
            raise lost.pop()
        return offered

    room.ledger.commit = commit_and_lose  # type: ignore[method-assign]
    assert isinstance(room.run().problem, StoreError)
    assert room.transport.sent == []
    assert room.ledger.count() == {State.queued: 10}


def test_a_claim_that_fails_stops_the_run() -> None:
    room = Room(50)
    room.ledger.claim_breaks.append(StoreError("locked"))
    assert isinstance(room.run().problem, StoreError)
    assert room.transport.sent == []


def test_only_what_the_ledger_offered_is_sent() -> None:
    room = Room(10)
    room.ledger.stolen = {4}
    room.ledger.renew_breaks = SendingStopped("cancelled")
    report = room.run()
    assert isinstance(report.problem, SendingStopped)
    assert 4 not in room.transport.sent


def test_the_last_copies_go_back_to_the_queue_when_the_edition_is_stopped_before_their_offer() -> None:
    room = Room(3)
    room.ledger.stolen = {1, 2, 3}
    room.ledger.renew_breaks = SendingStopped("paused")
    assert isinstance(room.run().problem, SendingStopped)
    assert room.ledger.count() == {State.queued: 3}


def test_what_is_in_flight_when_an_edition_is_paused_ends_in_peace() -> None:
    """However slow the server is: the lease is kept, so that the transport may go on."""
    room = Room(3, limits=replace(FAST, heartbeat=0.01))
    room.transport.delay = lambda: 0.2
    engine = room.engine()
    allowed: list[bool] = []

    def renew() -> dt.datetime:
        room.clock.advance(room.ledger.lease / 2)
        stopped = SendingStopped("the edition is paused")
        stopped.until = room.clock.now() + room.ledger.lease
        allowed.append(engine.allowed())
        raise stopped

    room.ledger.renew = renew  # type: ignore[method-assign]
    report = asyncio.run(engine.run(room.stop))
    assert isinstance(report.problem, SendingStopped)
    assert report.done == {State.accepted: 3}
    assert len(allowed) > 3
    assert all(allowed)


def test_an_edition_that_is_stopped_elsewhere_is_found_out_by_the_next_claim() -> None:
    room = Room(50)
    room.ledger.claim_breaks.extend([None, SendingStopped("the edition is held")])
    report = room.run()
    assert isinstance(report.problem, SendingStopped)
    assert set(room.ledger.count()) == {State.accepted, State.queued}
    assert room.ledger.count()[State.accepted] == len(room.transport.taken) <= 10


def test_the_lease_is_renewed_while_a_server_takes_its_time() -> None:
    room = Room(2, limits=Limits(heartbeat=0.01))
    room.transport.delay = lambda: 0.1
    room.run()
    assert room.ledger.renewals >= 3


def test_a_process_suspended_between_offer_and_sending_does_not_send() -> None:
    room = Room(3)

    def suspended() -> None:
        room.clock.advance(dt.timedelta(minutes=2))
        room.ledger.lease = dt.timedelta(minutes=-1)
        room.ledger.commit_hook = restored

    def restored() -> None:
        room.ledger.lease = dt.timedelta(minutes=1)

    room.ledger.commit_hook = suspended
    report = room.run()
    assert report.done == {State.accepted: 3}
    assert sorted(room.transport.sent) == [1, 2, 3]


# --- faults of the program ----------------------------------------------------------------------------


@pytest.mark.parametrize("slow", [False, True])
def test_a_fault_in_composing_is_raised_when_all_in_flight_is_recorded(slow: bool) -> None:
    room = Room(10, slow=slow)

    def faulty(recipient: Recipient) -> Message:
        if recipient.delivery == 5:
            raise KeyError("variant")
        return compose(recipient)

    room.composer.compose = faulty
    with pytest.raises(KeyError):
        room.run()
    assert set(room.ledger.count()) <= {State.accepted, State.queued}


def test_a_fault_in_the_transport_leaves_its_copy_uncertain() -> None:
    room = Room(10)
    room.transport.faulty = 3
    with pytest.raises(RuntimeError):
        room.run()
    assert room.ledger.states[3] is State.uncertain
    assert State.offered not in room.ledger.count()


def test_a_fault_while_an_answer_is_judged_leaves_no_copy_behind() -> None:
    room = Room(20)
    room.transport.answers[5] = [deferred(5)]

    def oops() -> float:
        raise ZeroDivisionError

    engine = Engine(
        room.ledger,
        room.transport,
        room.composer,
        clock=room.clock,
        stale=room.stale,
        random=oops,
        limits=FAST,
    )
    with pytest.raises(ZeroDivisionError):
        asyncio.run(engine.run(room.stop))
    assert room.ledger.states[5] is State.queued
    assert set(room.ledger.count()) == {State.accepted, State.queued}


# --- anything -----------------------------------------------------------------------------------------

KINDS = st.sampled_from(["accepted", "deferred", "rejected", "uncertain", "unsent", "down", "quota"])


@settings(max_examples=60)
@given(
    count=st.integers(0, 25),
    capacity=st.integers(1, 6),
    script=st.dictionaries(st.integers(1, 25), st.lists(KINDS, max_size=4)),
    commits=st.lists(st.booleans(), max_size=12),
    slow=st.booleans(),
    leaving=st.sets(st.integers(1, 25)),
)
def test_whatever_happens_each_reader_has_one_copy_or_a_reason(  # noqa: PLR0917 - named by Hypothesis
    count: int,
    capacity: int,
    script: dict[int, list[str]],
    commits: list[bool],
    slow: bool,
    leaving: set[int],
) -> None:
    """None twice; accepted exactly when it was taken; nothing left offered unless the database is gone."""
    room = Room(count, capacity=capacity, slow=slow)
    room.ledger.leaving = leaving

    def answer(number: int, kind: str) -> Outcome | Exception:
        if kind == "down":
            return TransportError("relay", "connect", "refused")
        if kind == "quota":
            return rejected(number, "5.4.5 daily sending limit exceeded")
        return Outcome(number, Kind(kind), {"accepted": 250, "deferred": 451, "rejected": 550}.get(kind, 0))

    room.transport.answers = {n: [answer(n, kind) for kind in kinds] for n, kinds in script.items()}
    room.ledger.commit_breaks.extend(None if fine else StoreError("full") for fine in commits)
    report = room.run()
    taken = room.transport.taken
    assert len(taken) == len(set(taken))
    accepted = {n for n, state in room.ledger.states.items() if state is State.accepted}
    if report.unrecorded == 0:
        assert accepted == set(taken)
        if report.problem is None:
            assert not {State.queued, State.claimed, State.offered} & set(room.ledger.count())
    assert accepted <= set(taken)
    assert room.ledger.most_offered <= capacity


def test_copies_in_doubt_with_answers_in_between_do_not_stop_the_run() -> None:
    room = Room(60, capacity=1)
    room.transport.usual = lambda n: Outcome(n, Kind.accepted if n % 5 == 0 else Kind.uncertain, 0)
    assert room.run().problem is None
    assert room.ledger.count() == {State.accepted: 12, State.uncertain: 48}


def test_too_many_copies_in_doubt_in_a_row_stop_the_run_for_a_person() -> None:
    room = Room(60, capacity=2)
    room.transport.usual = lambda n: Outcome(n, Kind.uncertain, 0, reply="the server closed the connection")
    problem = room.run().problem
    assert isinstance(problem, TransportError)
    assert problem.for_good
    assert "the server closed the connection" in str(problem)
    assert 10 <= room.ledger.count()[State.uncertain] <= 12
    assert room.ledger.count()[State.queued] >= 48
