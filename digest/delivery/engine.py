"""Claim, offer, send, record: one loop that keeps the relay busy and the ledger true.

The order of things is what the promises rest on. A copy is *offered* in the ledger, committed, before the
transport sees its first byte; its result is written by a later commit, together with the next offers. So at
any crash the copies in doubt are those that the ledger calls offered, and of these there are never more than
the transport's capacity: a row leaves that count only in the transaction that lets the next one in. The
offer names the server: when the transport turns to another one, what was not handed over is offered anew.

All database work happens on one writer thread, never on the event loop. While it commits, connections go on
and their results gather; the next commit takes them all. The group grows with the time that a commit takes,
and nothing ever waits for a timer.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from digest.delivery.breaker import Breaker
from digest.delivery.judging import Judging
from digest.delivery.ledger import Claimed, Ledger, Result, SendingStopped
from digest.delivery.outbox import Composer, Outbox
from digest.delivery.progress import Meter
from digest.delivery.retry import RetryPolicy
from digest.delivery.stop import Stop
from digest.delivery.throttle import Throttle
from digest.errors import DigestError, StoreError, TransportError
from digest.model import DeliveryState, Message, Outcome, OutcomeKind
from digest.ports import Clock, Transport

T = TypeVar("T")
State = DeliveryState


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did: results by state, and why it ended before all was tried (None: it did not)."""

    done: dict[DeliveryState, int]
    problem: DigestError | None = None
    stopped: bool = False
    """On request, with everything recorded that could be known."""
    unrecorded: int = 0
    """Results that the database would not take; those copies will be called uncertain."""
    unreached: bool = False
    """The problem is a relay that went away: it may come back."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds."""

    page: int = 500
    """Rows of one claim, at least: some milliseconds of the writer's time."""
    heartbeat: float = 15.0
    """How often the lease is renewed while nothing else is written: a fraction of its length."""
    drain: float = 28.0
    """How long a stop waits for answers before it breaks connections off; supervisors give 30."""
    record_again: Sequence[float] = (0.5, 2.0, 5.0)
    """The pauses before results are written once more after the database failed."""
    note: float = 1.0
    """How often progress is written down, in a small transaction of its own."""


_WORTH_SAYING = 5.0
"""Seconds of waiting that somebody who looks at a run wants to know the reason of."""
_SHORTEST = 0.001
"""Seconds that are always waited: a limit's time may have come since it was asked for copies."""


class Engine:
    """Sends one edition's queued copies through one transport. Used for one `run`.

    Implements `digest.ports.Results`: the transport tells it what became of each copy.
    """

    def __init__(
        self,
        ledger: Ledger,
        transport: Transport,
        composer: Composer,
        *,
        clock: Clock,
        stale: dt.datetime,
        random: Callable[[], float],
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        throttle: Throttle | None = None,
        breaker: Breaker | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._ledger, self._transport = ledger, transport
        self._clock, self._limits = clock, limits or Limits()
        self._throttle = throttle or Throttle()
        self._judging = Judging(
            stale=stale, random=random, retry=retry or RetryPolicy(), server=transport.server,
            capacity=transport.capacity, breaker=breaker,
        )  # fmt: skip
        self._outbox = Outbox(composer, ahead=2 * transport.capacity, domains=self._throttle.domains)
        self._meter = meter or Meter(0, None, time.monotonic)
        self._server = transport.server
        """The one that the copies in flight were offered to."""
        self._flying: dict[int, Claimed] = {}
        self._results: list[Result] = []
        self._last = False
        self._stopping = False
        self._problem: DigestError | None = None
        self._unreached = False
        self._fault: BaseException | None = None
        self._beat_due = False
        self._recalling = False
        self._not_taken = False
        """Offers that the ledger did not take are out of the outbox, and still to be given back."""
        self._taken_at = 0.0
        self._over = False

    async def run(self, stop: Stop | None = None) -> Report:
        """Sends until nothing is due, `stop` is asked for, or something stands in the way.

        Never raises for what the relay or the database does (see `Report`). A fault of the program is raised
        once everything in flight is recorded.
        """
        self._loop = asyncio.get_running_loop()
        stop = stop or Stop()
        self._wake = asyncio.Event()
        self._noted = self._loop.time()
        self._until = self._clock.now()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._beat = self._loop.call_later(self._limits.heartbeat, self._heartbeat)
        self._stopping = stop.asked
        stop.listen(lambda: self._stop_asked(stop))
        try:
            await self._pump()
        except asyncio.CancelledError:
            self._transport.break_off()
            raise
        finally:
            unrecorded = await self._land()
            self._over = True
            self._beat.cancel()
            self._writer.shutdown(wait=False)
            self._outbox.close()
            self._meter.tell(now=True)
        if self._fault is not None:
            raise self._fault
        stopped = self._stopping and not self._done()
        return Report(dict(self._meter.counts), self._problem, stopped, unrecorded, self._unreached)

    # What the transport tells (see `digest.ports.Results`)

    def outcome(self, outcome: Outcome) -> None:
        claimed = self._flying.pop(outcome.delivery)
        if outcome.kind is OutcomeKind.accepted:
            self._judging.accepted(outcome)
            self._results.append(Result(outcome, State.accepted))
            self._wake.set()
            return
        if self._recalling:
            self._results.append(_not_handed_over(claimed))
            return
        if outcome.kind is OutcomeKind.unsent and self._server != self._transport.server:
            # It waited for a server that is no longer in use: nothing is wrong with the copy.
            self._results.append(Result(outcome, State.queued))
            self._wake.set()
            return
        wall, now = self._clock.now(), self._loop.time()
        try:
            result = self._judging.result(claimed, outcome, going=self._problem is None, wall=wall, now=now)
        except Exception as error:  # noqa: BLE001 - raised by `run`; the transport has others to tell of
            self._fault = self._fault or error
            settled = outcome.kind not in (OutcomeKind.unsent, OutcomeKind.deferred)
            result = Result(outcome, State(outcome.kind.value) if settled else State.queued)
        self._results.append(result)
        self._problem = self._problem or self._judging.trouble
        self._wake.set()

    def allowed(self) -> bool:
        return self._clock.now() < self._until

    def unusable(self, error: TransportError) -> None:
        if self._problem is None:
            self._problem = error
            self._unreached = not error.for_good
        self._wake.set()

    # The loop

    @property
    def _going(self) -> bool:
        return not self._stopping and self._problem is None and self._fault is None

    async def _pump(self) -> None:
        while not isinstance(self._problem, StoreError):
            if not self._going or self._judging.slow.wait(self._loop.time()):
                self._recall()
            if self._going and not self._last and self._outbox.wants_more(self._low):
                await self._attempt(self._claim())
                continue
            if self._beat_due:
                self._beat_due = False
                await self._attempt(self._renew())
                if self._going:
                    self._last = False  # limits may stretch the end over hours: deferred copies come due
                continue
            await self._note()
            offers = self._choose() if self._going else []
            if self._results or offers:
                await self._attempt(self._commit(offers))
            elif self._flying or (self._going and len(self._outbox)):
                await self._wait()
            elif not self._going or self._last:
                return

    @property
    def _low(self) -> int:
        """Fewer claimed rows than this: time for the next page, which takes as long as these last."""
        return max(self._limits.page // 2, self._transport.capacity)

    async def _wait(self) -> None:
        """Until something lands or is composed, or the throttle lets the next copy go."""
        pause = None
        if self._going and len(self._outbox):
            pause, why = self._pause()
            if pause is not None and pause >= _WORTH_SAYING:
                self._meter.waits(why, pause)
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    def _pause(self) -> tuple[float | None, str]:
        """How long it takes until something may start, in seconds, and why, for people; None where an outcome
        or the composer has to come first, who wake us."""
        now, slow = self._loop.time(), self._judging.slow
        wait = slow.wait(now)
        ready = self._outbox.wait(now)
        if ready is None or (not wait and len(self._flying) >= slow.limit(now)):
            return None, ""
        seconds, why = max(
            (wait, self._judging.said),
            (self._throttle.wait(now), "the limits in [sending], or growth"),
            (ready, "the limits of single domains"),
        )
        return max(seconds, _SHORTEST), why

    async def _attempt(self, step: Awaitable[object]) -> None:
        """One step with the ledger; what stands in its way ends the run."""
        try:
            await step
        except (StoreError, SendingStopped) as error:
            self._problem = self._problem or error
            if isinstance(error, StoreError):
                self._problem = error

    async def _renew(self) -> None:
        try:
            self._until = await self._write(self._ledger.renew)
        except SendingStopped as stopped:
            self._until = stopped.until or self._until
            raise

    async def _claim(self) -> None:
        size = max(self._limits.page, 2 * self._transport.capacity)
        page = await self._write(self._ledger.claim, size, self._transport.server)
        self._last = page.last
        self._outbox.add(page.claimed)
        if page.skipped:
            self._meter.count(State.skipped, page.skipped)
            self._meter.tell()

    async def _note(self) -> None:
        """Now and then, for pages of other processes."""
        now = self._loop.time()
        if now - self._noted >= self._limits.note:
            self._noted = now
            progress = self._meter.look()
            await self._attempt(self._write(self._ledger.note, progress.rate, progress.seconds_left))

    def _recall(self) -> None:
        """Nothing further is to leave now: what waits in the transport comes back."""
        self._recalling = True
        self._transport.recall()
        self._recalling = False

    def _choose(self) -> list[tuple[Claimed, Message]]:
        """The next copies, composed: one that cannot be written is refused here and never offered."""
        now = self._loop.time()
        room = self._judging.slow.limit(now) - len(self._flying)
        if room <= 0 or not len(self._outbox):
            return []
        self._taken_at = now
        allowed = self._throttle.take(now, room)
        chosen: list[tuple[Claimed, Message]] = []
        try:
            chosen = self._outbox.take(allowed, now, self._composed_more)
        except Exception as error:  # noqa: BLE001 - raised by `run` when all in flight is recorded
            self._fault = error
        if allowed > len(chosen):
            self._throttle.give_back(allowed - len(chosen), now)
        for claimed, refusal in self._outbox.refused():
            outcome = Outcome(claimed.recipient.delivery, OutcomeKind.rejected, reply=refusal.reason)
            self._results.append(Result(outcome, State.rejected))
        return chosen

    async def _commit(self, offers: Sequence[tuple[Claimed, Message]]) -> None:
        results, self._results = self._results, []
        numbers, server = [claimed.recipient.delivery for claimed, _ in offers], self._transport.server
        try:
            offered = await self._write(self._ledger.commit, results, numbers, server)
        except BaseException:
            # Whether the commit took place is not known: writing a result twice is harmless, and the offers,
            # claimed or offered, go back to the queue: nobody was given them.
            self._results = results + self._results + [_not_handed_over(claimed) for claimed, _ in offers]
            raise
        for state, number in Counter([result.state for result in results]).items():
            if state is State.queued:
                self._last = False  # from now on a claim can find them
            self._meter.count(state, number)
        if offered.skipped:
            self._meter.count(State.skipped, len(offered.skipped))
        self._throttle.give_back(len(offers) - len(offered.deliveries), self._taken_at)
        if len(offered.deliveries) + len(offered.skipped) < len(offers):
            self._not_taken = True  # they may still be claimed: some may be for another server
            self._beat_due = True  # somebody else changed these rows: find out whether we may go on
        self._hand_over([each for each in offers if each[0].recipient.delivery in offered.deliveries],
                        server, offered.until)  # fmt: skip
        self._meter.tell()

    def _hand_over(self, offers: Sequence[tuple[Claimed, Message]], server: str, until: dt.datetime) -> None:
        if not offers:
            return
        self._until = until
        if not self.allowed():
            # Suspended between the commit and here: the lease ran out, somebody may be resending these.
            self._results += [_not_handed_over(claimed) for claimed, _ in offers]
            self._throttle.give_back(len(offers), self._taken_at)
            return
        self._server = server
        for claimed, _ in offers:
            self._flying[claimed.recipient.delivery] = claimed
        try:
            self._transport.send([message for _, message in offers], self, server)
        except Exception as error:  # noqa: BLE001 - raised by `run` when all in flight is recorded
            self._fault = error
            self._transport.break_off()
            for number in [c.recipient.delivery for c, _ in offers if c.recipient.delivery in self._flying]:
                self.outcome(Outcome(number, OutcomeKind.uncertain, reply=f"fault in the program: {error}"))

    def _composed_more(self) -> None:
        """Called by the composing thread."""
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(self._wake.set)

    # The end

    def _done(self) -> bool:
        return self._last and not len(self._outbox)

    def _stop_asked(self, stop: Stop) -> None:
        if self._over:
            return
        self._stopping = True
        if stop.urgent:
            self._transport.break_off()
        else:
            self._loop.call_later(self._limits.drain, self._drained)
        self._wake.set()

    def _drained(self) -> None:
        if not self._over:
            self._transport.break_off()

    def _heartbeat(self) -> None:
        self._beat_due = True
        self._wake.set()
        self._beat = self._loop.call_later(self._limits.heartbeat, self._heartbeat)

    async def _land(self) -> int:
        """Waits for what is in flight, writes all results and gives claimed rows back; the number lost."""
        self._recall()
        while self._flying:
            self._wake.clear()
            if self._flying:
                await self._wake.wait()
            if self._beat_due and not isinstance(self._problem, StoreError):
                self._beat_due = False
                await self._attempt(self._renew())
        claimed = bool(self._outbox.rest()) or self._not_taken
        if claimed:
            self._last = False
        for pause in (0.0, *self._limits.record_again):
            if not self._results and not claimed:
                break
            await asyncio.sleep(pause)
            try:
                if self._results:
                    await self._commit([])
                await self._write(self._ledger.give_back)
                claimed = False
            except StoreError as error:
                self._problem = error
        return sum(result.state is not State.queued for result in self._results)

    async def _write(self, step: Callable[..., T], *arguments: object) -> T:
        return await self._loop.run_in_executor(self._writer, step, *arguments)


def _not_handed_over(claimed: Claimed) -> Result:
    return Result(Outcome(claimed.recipient.delivery, OutcomeKind.unsent), State.queued)
