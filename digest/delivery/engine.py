"""Claim, offer, send, record: one loop that keeps the relay busy and the ledger true.

The order of things is what the promises rest on. A copy is *offered* in the ledger, committed, before the
transport sees its first byte; its result is written by a later commit, together with the next offers. So at
any crash the copies in doubt are those that the ledger calls offered, and of these there are never more than
the transport's capacity: a row leaves that count only in the transaction that lets the next one in.

All database work happens on one writer thread, never on the event loop. While it commits, connections go on
and their results gather; the next commit takes them all. The group grows with the time that a commit takes,
and nothing ever waits for a timer.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from digest import replies
from digest.delivery.ledger import Claimed, Ledger, Result, SendingStopped
from digest.delivery.progress import Meter, Progress
from digest.delivery.retry import RetryPolicy
from digest.delivery.stop import Stop
from digest.errors import AddressError, DigestError, StoreError, TransportError
from digest.model import DeliveryState, Message, Outcome, OutcomeKind, Recipient
from digest.ports import Clock, Transport

T = TypeVar("T")
State = DeliveryState

_TRIES = 3
"""A copy that so often broke the connection, or was refused for our sake, waits like a deferred one: perhaps
it is the one thing that is wrong, and must not keep the others from leaving."""
_BROKEN_IN_A_ROW = 10
"""So many broken connections, with no answer in between, are the relay's trouble: the run pauses."""
_DOUBTFUL_IN_A_ROW = 10
"""So many copies in doubt, with no answer in between: each further one would be another that nobody can know
about, so the run pauses until a person has looked."""
_REFUSED_IN_A_ROW = 3
"""So many replies about us (quota, sign-in, relaying), with nothing taken in between: the run pauses."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did: results by state, and why it ended before all was tried (None: it did not)."""

    done: Mapping[DeliveryState, int]
    problem: DigestError | None = None
    stopped: bool = False
    """On request, with everything recorded that could be known."""
    unrecorded: int = 0
    """Results that the database would not take; those copies will be called uncertain."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds."""

    page: int = 50
    heartbeat: float = 15.0
    """How often the lease is renewed while nothing else is written: a fraction of its length."""
    drain: float = 28.0
    """How long a stop waits for answers before it breaks connections off; supervisors give 30."""
    record_again: Sequence[float] = (0.5, 2.0, 5.0)
    """The pauses before results are written once more after the database failed."""


class Engine:
    """Sends one edition's queued copies through one transport. Used for one `run`."""

    def __init__(
        self,
        ledger: Ledger,
        transport: Transport,
        compose: Callable[[Recipient], Message],
        *,
        clock: Clock,
        stale: dt.datetime,
        random: Callable[[], float],
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        left: int = 0,
        watch: Callable[[Progress], object] | None = None,
        server: str = "relay",
    ) -> None:
        self._ledger, self._transport, self._compose = ledger, transport, compose
        self._clock, self._stale, self._random = clock, stale, random
        self._retry, self._limits = retry or RetryPolicy(), limits or Limits()
        self._left, self._watch, self._server = left, watch, server
        self._ready: deque[Claimed] = deque()
        self._flying: dict[asyncio.Task[None], Claimed] = {}
        self._results: list[Result] = []
        self._tries: Counter[int] = Counter()
        self._broken_in_a_row = 0
        self._doubtful_in_a_row = 0
        self._refused_in_a_row = 0
        self._last = False
        self._problem: DigestError | None = None
        self._fault: Exception | None = None
        self._beat_due = False
        self._over = False

    async def run(self, stop: Stop | None = None) -> Report:
        """Sends until nothing is due, `stop` is asked for, or something stands in the way.

        Never raises for what the relay or the database does (see `Report`). A fault of the program is raised
        once everything in flight is recorded.
        """
        loop = asyncio.get_running_loop()
        stop = stop or Stop()
        self._wake = asyncio.Event()
        self._meter = Meter(self._left, self._watch, loop.time)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._beat = loop.call_later(self._limits.heartbeat, self._heartbeat)
        stop.listen(lambda: self._stop_asked(stop))
        try:
            await self._pump(stop)
        except asyncio.CancelledError:
            self._break_off()
            raise
        finally:
            unrecorded = await self._land()
            self._over = True
            self._beat.cancel()
            self._writer.shutdown(wait=False)
            self._meter.tell(now=True)
        if self._fault is not None:
            raise self._fault
        return Report(dict(self._meter.counts), self._problem, stop.asked and not self._done(), unrecorded)

    # The loop

    async def _pump(self, stop: Stop) -> None:
        while not isinstance(self._problem, StoreError):
            going = not stop.asked and self._problem is None and self._fault is None
            if going and not self._last and len(self._ready) < self._transport.capacity:
                await self._attempt(self._claim())
                continue
            if self._beat_due:
                self._beat_due = False
                await self._attempt(self._renew())
                continue
            offers = self._choose() if going else []
            if self._results or offers:
                await self._attempt(self._commit(offers))
            elif self._flying:
                await self._wake.wait()
                self._wake.clear()
            elif not going or self._last:
                return

    async def _attempt(self, step: Awaitable[None]) -> None:
        """One step with the ledger; what stands in its way ends the run."""
        try:
            await step
        except (StoreError, SendingStopped) as error:
            self._problem = self._problem or error
            if isinstance(error, StoreError):
                self._problem = error

    async def _claim(self) -> None:
        page = await self._write(self._ledger.claim, max(self._limits.page, 2 * self._transport.capacity))
        self._last = page.last
        self._ready.extend(page.claimed)
        if page.skipped:
            self._meter.count(State.skipped, page.skipped)

    async def _renew(self) -> None:
        await self._write(self._ledger.renew)

    def _choose(self) -> list[tuple[Claimed, Message]]:
        """The next copies, composed: one that cannot be written is refused here and never offered."""
        chosen: list[tuple[Claimed, Message]] = []
        while self._ready and len(chosen) + len(self._flying) < self._transport.capacity:
            claimed = self._ready.popleft()
            try:
                chosen.append((claimed, self._compose(claimed.recipient)))
            except AddressError as error:
                outcome = Outcome(claimed.recipient.delivery, OutcomeKind.rejected, reply=error.reason)
                self._record(Result(outcome, State.rejected))
            except Exception as error:  # noqa: BLE001 - raised by `run` when all in flight is recorded
                self._ready.appendleft(claimed)
                self._fault = error
                break
        return chosen

    async def _commit(self, offers: Sequence[tuple[Claimed, Message]]) -> None:
        results, self._results = self._results, []
        try:
            offered = await self._write(
                self._ledger.commit, results, [claimed.recipient.delivery for claimed, _ in offers]
            )
        except BaseException:
            # Whether the commit took place is not known: writing a result twice is harmless, and an offer
            # that was written and not used is in doubt only on paper.
            self._results = results + self._results
            raise
        if any(result.state is State.queued for result in results):
            self._last = False  # from now on a claim can find them
        for claimed, message in offers:
            if claimed.recipient.delivery in offered.deliveries:
                flight = asyncio.create_task(self._fly(claimed, message, offered.until))
                self._flying[flight] = claimed
                flight.add_done_callback(self._landed)
        if len(offered.deliveries) < len(offers):
            self._beat_due = True  # somebody else changed these rows: find out whether we may go on

    # One copy

    async def _fly(self, claimed: Claimed, message: Message, until: dt.datetime) -> None:
        delivery = claimed.recipient.delivery
        if self._clock.now() >= until:
            # Suspended between the commit and here: the lease ran out, somebody may be resending this copy.
            self._record(Result(Outcome(delivery, OutcomeKind.unsent), State.queued))
            return
        try:
            outcome = await self._hand_over(message)
        except TransportError as error:
            self._problem = self._problem or error
            outcome = Outcome(delivery, OutcomeKind.unsent)
        except asyncio.CancelledError:
            outcome = Outcome(delivery, OutcomeKind.uncertain, reply="broken off before the server answered")
        except Exception as error:  # noqa: BLE001 - raised by `run` when all in flight is recorded
            self._fault = error
            outcome = Outcome(delivery, OutcomeKind.uncertain, reply=f"fault in the program: {error}")
        self._record(self._judge(claimed, outcome))

    async def _hand_over(self, message: Message) -> Outcome:
        waiting = _Waiting(asyncio.get_running_loop().create_future())
        self._transport.send([message], waiting)
        outcome = await asyncio.shield(waiting.ended)
        if waiting.error is not None and outcome.kind is OutcomeKind.unsent:
            raise waiting.error
        return outcome

    def _judge(self, claimed: Claimed, outcome: Outcome) -> Result:
        """What the outcome makes of the row, and of the run."""
        if outcome.kind in (OutcomeKind.accepted, OutcomeKind.uncertain):
            self._broken_in_a_row = self._refused_in_a_row = 0
            self._count_doubt(outcome)
            return Result(outcome, State(outcome.kind.value))
        if outcome.kind is not OutcomeKind.unsent:
            self._doubtful_in_a_row = 0  # it answers
        meaning = replies.meaning(outcome.code, outcome.reply, outcome.enhanced)
        # A 421 ends the connection (RFC 5321 3.8), also after the text: it says nothing about the recipient.
        closing = outcome.kind is OutcomeKind.deferred and meaning.about is replies.About.connection
        if closing or (outcome.kind is OutcomeKind.unsent and meaning.about is not replies.About.run):
            return self._judge_unsent(claimed, outcome, meaning.wait)
        self._broken_in_a_row = 0
        if meaning.about is replies.About.run and not (outcome.at == "MAIL" and outcome.code >= 500):
            self._refused_in_a_row += 1
            if self._refused_in_a_row >= _REFUSED_IN_A_ROW:
                self._pause(f"message to {claimed.recipient.address}", _said(outcome), outcome, meaning.hint)
            return self._again(claimed, outcome, meaning.wait)
        if outcome.kind is OutcomeKind.rejected and outcome.at == "MAIL":
            hint = meaning.hint or "Check the newsletter's sender and return_path_domain in config.toml."
            self._pause("MAIL FROM", f"the sender is refused: {_said(outcome)}", outcome, hint)
            return Result(outcome, State.queued)
        if outcome.kind is OutcomeKind.rejected:
            return Result(outcome, State.rejected)
        return self._defer(claimed, outcome, meaning.wait)

    def _count_doubt(self, outcome: Outcome) -> None:
        self._doubtful_in_a_row = 0 if outcome.kind is OutcomeKind.accepted else self._doubtful_in_a_row + 1
        if self._doubtful_in_a_row >= max(_DOUBTFUL_IN_A_ROW, 2 * self._transport.capacity):
            problem = (
                f"after the text of {self._doubtful_in_a_row} messages in a row there was no answer; "
                f"the last time: {_said(outcome)}"
            )
            self._problem = self._problem or TransportError(
                self._server, "sending", problem, hint="Look into the relay's log.", for_good=True
            )

    def _judge_unsent(self, claimed: Claimed, outcome: Outcome, asked: dt.timedelta | None) -> Result:
        if self._problem is None:
            self._broken_in_a_row += 1
            if self._broken_in_a_row >= max(_BROKEN_IN_A_ROW, 2 * self._transport.capacity):
                problem = (
                    f"the connection broke {self._broken_in_a_row} times in a row before a message was "
                    f"taken; the last time: {_said(outcome)}"
                )
                self._pause("sending", problem, outcome, "Look into the relay's log.")
        return self._again(claimed, outcome, asked)

    def _pause(self, phase: str, problem: str, outcome: Outcome, hint: str) -> None:
        self._problem = self._problem or TransportError(
            self._server, phase, problem, code=outcome.code or None, hint=hint
        )

    def _again(self, claimed: Claimed, outcome: Outcome, asked: dt.timedelta | None) -> Result:
        """Back to the queue, unless this copy was tried in vain too often while others got through."""
        if self._problem is None:
            self._tries[outcome.delivery] += 1
            if self._tries[outcome.delivery] >= _TRIES:
                return self._defer(claimed, outcome, asked)
        return Result(outcome, State.queued)

    def _defer(self, claimed: Claimed, outcome: Outcome, asked: dt.timedelta | None) -> Result:
        at = self._retry.next_attempt(
            claimed.attempts + 1, self._clock.now(), stale=self._stale, random=self._random, asked=asked
        )
        return Result(outcome, State.deferred if at else State.expired, at)

    def _record(self, result: Result) -> None:
        self._results.append(result)
        self._meter.count(result.state)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        del self._flying[flight]
        self._wake.set()

    # The end

    def _done(self) -> bool:
        return self._last and not self._ready

    def _stop_asked(self, stop: Stop) -> None:
        if self._over:
            return
        if stop.urgent:
            self._break_off()
        else:
            asyncio.get_running_loop().call_later(self._limits.drain, self._break_off)
        self._wake.set()

    def _break_off(self) -> None:
        self._transport.break_off()

    def _heartbeat(self) -> None:
        self._beat_due = True
        self._wake.set()
        self._beat = asyncio.get_running_loop().call_later(self._limits.heartbeat, self._heartbeat)

    async def _land(self) -> int:
        """Waits for what is in flight, writes all results and gives claimed rows back; the number lost."""
        while self._flying:
            await asyncio.wait(self._flying)
        self._results.extend(_given_back(self._ready))
        self._ready.clear()
        for pause in (0.0, *self._limits.record_again):
            if not self._results:
                break
            await asyncio.sleep(pause)
            try:
                await self._commit([])
            except StoreError as error:
                self._problem = error
        return sum(result.state is not State.queued for result in self._results)

    async def _write(self, step: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, step, *arguments)


@dataclass(slots=True)
class _Waiting:
    """Whoever waits for one outcome."""

    ended: asyncio.Future[Outcome]
    error: TransportError | None = None

    def outcome(self, outcome: Outcome) -> None:
        if not self.ended.done():
            self.ended.set_result(outcome)

    def unusable(self, error: TransportError) -> None:
        self.error = error


def _said(outcome: Outcome) -> str:
    return f"{outcome.code} {outcome.reply}" if outcome.code else outcome.reply


def _given_back(ready: Iterable[Claimed]) -> list[Result]:
    return [Result(Outcome(each.recipient.delivery, OutcomeKind.unsent), State.queued) for each in ready]
