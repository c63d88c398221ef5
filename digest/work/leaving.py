"""One run of an edition that leaves: opens the relay, fixes the audience, sends, and settles the end."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import time
from collections.abc import Callable
from contextlib import suppress

from digest.config.durations import parse_duration
from digest.delivery import (
    Breaker,
    Engine,
    Ledger,
    Meter,
    Progress,
    Report,
    RetryPolicy,
    SendingStopped,
    Stop,
    hard_reasons,
)
from digest.errors import DigestError, EditionError, Interrupted, StoreError, TransportError
from digest.model import DeliveryState, Edition, EditionState
from digest.ports import Transport
from digest.store.leased import LeasedEdition
from digest.work import alerts
from digest.work.audience import fix_audience
from digest.work.bound import Bound, known
from digest.work.composer import composer
from digest.work.desk import Desk
from digest.work.first_few import FirstFew
from digest.work.identity import gone
from digest.work.signal import Signal
from subscribers import address_key

State = DeliveryState

SENDER = "send"
"""Who did it, in the audit trail."""
ANSWER_TIME = dt.timedelta(minutes=10)
"""How long a server may still be taking a copy in (RFC 5321 4.5.3.2.6): no resending before."""
PATIENCE = (1.0, 2.0, 5.0, 10.0, 20.0)
"""Seconds that a run waits for a relay that went away in the middle of it, such as for a restart."""

_RENEWED = 15.0
"""Seconds between two renewals of the lease while nothing leaves."""


def resends(desk: Desk, edition: Edition) -> tuple[str, ...]:
    """The servers to which copies in doubt are sent once more by themselves: each to the one that may have it
    already. None where the policy is to hold them."""
    return known(desk.settings) if edition.policy["uncertain"] == "resend" else ()


class Leaving:
    """One call of `send`, once it is allowed."""

    def __init__(
        self,
        desk: Desk,
        edition: Edition,
        *,
        owner: str,
        signal: Signal,
        watch: Callable[[Progress], object] | None,
        warn: Callable[[str], object] | None,
    ) -> None:
        self._desk, self._edition, self._owner = desk, edition, owner
        self._signal, self._watch = signal, watch
        self._warn = warn or (lambda _: None)
        # As it was frozen: an edition that is leaving goes on when its newsletter is no longer configured.
        self._lateness = parse_duration(str(edition.policy["lateness"]))
        self._resend = resends(desk, edition)
        self._newsletter = desk.settings.newsletter.get(edition.newsletter)
        self._growth = self._newsletter.growth if self._newsletter is not None else 0.0
        sending = desk.settings.sending
        self._retry = RetryPolicy(first=sending.retry_first, longest=sending.retry_longest)
        composer(desk, edition).close()  # what cannot be composed or signed is found before anything changes

    async def all(self) -> Report:
        """Everything, with the transport closed and the lease given back whatever happens."""
        transport = self._desk.transport()
        try:
            await self._open(transport)
            leased = await asyncio.to_thread(self._take)
            try:
                return await self._leave(leased, transport)
            finally:
                with suppress(StoreError):  # it runs out by itself: what ended the run is the thing to tell
                    await asyncio.to_thread(leased.release)
        finally:
            if self._signal.abort.is_set():
                transport.break_off()
            await transport.close()

    async def _open(self, transport: Transport) -> None:
        """A relay that is down, or refuses us, is found out before anything is changed."""
        leaving = self._edition.state in (EditionState.fanning, EditionState.sending)
        again = f"digest send {self._edition.name}" + (" --resume" if leaving else "")
        try:
            opened = await self._signal.unless_asked(transport.open())
        except TransportError as error:
            if leaving:
                self._pause_for(error)
            error.hint = f"{error.hint} Nothing was sent. Then: {again}".strip()
            raise
        if not opened:
            raise Interrupted(
                f"edition {self._edition.name}: stopped while waiting for the relay",
                hint=f"Nothing was sent. Go on with: {again}",
            )

    def _take(self) -> LeasedEdition:
        desk, newsletter = self._desk, self._edition.newsletter
        return desk.ledger.take(
            self._edition,
            self._owner,
            clock=desk.clock,
            gone=gone,
            audience=desk.subscribers.audience(newsletter),
            do_not_send=desk.subscribers.do_not_send(),
        )

    async def _leave(self, leased: LeasedEdition, transport: Transport) -> Report:
        desk, number = self._desk, self._edition.id
        stale = await asyncio.to_thread(self._prepare, leased)
        breaker = await asyncio.to_thread(self._breaker)
        # Read again: departure gave it its Date.
        made = composer(desk, desk.editions.get(number))
        meter = Meter(desk.ledger.left(number), self._looking(transport), time.monotonic)
        try:
            async with desk.generation.counted(), self._signal.passed_on() as stop:
                with desk.pace.running(self._edition, self._growth) as throttle:

                    def engine(ledger: Ledger, through: Transport = transport) -> Engine:
                        return Engine(
                            ledger,
                            through,
                            made,
                            clock=desk.clock,
                            stale=stale,
                            random=random.random,
                            retry=self._retry,
                            throttle=throttle,
                            breaker=breaker,
                            meter=meter,
                        )

                    report = await self._canary(leased, engine, stop, meter)
                    if report is None:
                        report = await self._patiently(leased, engine, stop)
                    if report.problem is None and not report.stopped:
                        bound = Bound(
                            desk,
                            self._edition,
                            leased,
                            used=transport.server,
                            stale=stale,
                            signal=self._signal,
                            warn=self._warn,
                        )
                        report = await bound.leave(engine, stop) or report
                with suppress(StoreError):  # it is only for looking at
                    await asyncio.to_thread(leased.note, 0.0, None)
                    await asyncio.to_thread(self._note_server, transport.server)
                await self._settle(leased, report)
        finally:
            made.close()
        return report

    def _second_server(self, server: str) -> str:
        """What is to be said of mail that leaves through `server`; "" where that is the first one."""
        first, *others = self._desk.settings.servers
        if server not in others:
            return ""
        return f"The mail server {first} cannot be used: mail leaves through the second one, {server}."

    def _looking(self, transport: Transport) -> Callable[[Progress], object]:
        """Tells whoever watches; and says once when mail leaves through the second server."""
        told = False

        def look(progress: Progress) -> None:
            nonlocal told
            if not told and (words := self._second_server(transport.server)):
                told = True
                self._warn(words)
            if self._watch is not None:
                self._watch(progress)

        return look

    def _note_server(self, server: str) -> None:
        """An alert while the first server cannot be used; settled by a run that it serves to its end."""
        if words := self._second_server(server):
            alerts.raise_(self._desk, alerts.SECOND_SERVER, words)
        elif self._desk.settings.fallback.host:
            self._desk.installation.settle(alerts.SECOND_SERVER, at=self._desk.clock.now())

    async def _canary(
        self, leased: LeasedEdition, engine: Callable[[Ledger], Engine], stop: Stop, meter: Meter
    ) -> Report | None:
        """Those who get their copy first, then the wait; None when all others may follow."""
        newsletter = self._newsletter
        if newsletter is None or not newsletter.canary:
            return None
        secret = self._desk.keys.address_secret
        first = FirstFew(leased, [address_key(secret, address) for address in newsletter.canary])
        report = await engine(first).run(stop)
        if report.problem is not None or report.stopped:
            return report
        if report.done.get(State.rejected) and not report.done.get(State.accepted):
            why = "none of the canary's copies was taken; look with: digest deliveries"
            self._desk.editions.pause(self._edition.id, why, at=self._desk.clock.now(), by=SENDER)
            return Report(report.done, SendingStopped(f"edition {self._edition.name}: {why}"))
        try:
            waited = await self._wait_for_canary(leased, newsletter.canary_wait, meter)
        except (SendingStopped, StoreError) as error:
            return Report(report.done, error)
        return None if waited else Report(report.done, stopped=True)

    async def _wait_for_canary(self, leased: LeasedEdition, wait: dt.timedelta, meter: Meter) -> bool:
        """Counted from the first copy of the edition, also after a restart; False when a stop was asked for.

        Somebody who holds or pauses the edition meanwhile is found out by the lease: `SendingStopped`.
        """
        started = await asyncio.to_thread(self._desk.ledger.started, self._edition.id)
        if started is None:
            slug = self._edition.newsletter
            self._warn(f"Warning: nobody of newsletter.{slug}.canary gets {slug}; all copies leave at once.")
        while started is not None and (left := started + wait - self._desk.clock.now()) > dt.timedelta(0):
            meter.waits("the canary's copies have left; the others follow", left.total_seconds())
            if not await self._signal.sleep(min(left.total_seconds(), _RENEWED)):
                return False
            await asyncio.to_thread(leased.renew)
        return True

    async def _patiently(
        self,
        leased: LeasedEdition,
        engine: Callable[[Ledger], Engine],
        stop: Stop,
    ) -> Report:
        """Sends what is due. A relay that goes away in the middle is waited for, as long as that may be a
        restart; copies that it took in between begin the waiting anew."""
        pauses, taken = iter(PATIENCE), 0
        while True:
            report = await engine(leased).run(stop)
            if report.done.get(State.accepted, 0) > taken:
                pauses, taken = iter(PATIENCE), report.done[State.accepted]
            if not report.unreached or (pause := next(pauses, None)) is None:
                return report
            self._warn(f"{report.problem}: trying again in {pause:g} s")
            if not await self._signal.sleep(pause):
                return report

    def _breaker(self) -> Breaker:
        """With what earlier runs of the edition met."""
        counts = self._desk.ledger.counts(self._edition.id)
        refused = self._desk.ledger.refusals(self._edition.id) if counts[State.rejected] else ()
        return Breaker(
            self._desk.settings.sending.hard_bounce_limit,
            taken=counts[State.accepted],
            hard=hard_reasons(refused),
        )

    def _prepare(self, leased: LeasedEdition) -> dt.datetime:
        """Takes over what was left behind and fixes the audience; when the edition is stale."""
        desk, number = self._desk, self._edition.id
        leased.recover()
        fix_audience(desk, self._edition, leased, by=SENDER, warn=self._warn, told=self._go_on)
        now = desk.clock.now()
        stale = (desk.ledger.started(number) or now) + self._lateness
        if now >= stale:
            leased.expire()
        if self._resend:
            leased.resend_uncertain(now - ANSWER_TIME, self._resend)
        return stale

    def _go_on(self, _chunk: int) -> None:
        """Between two chunks of the fan-out: a stop need not wait for all of it."""
        if self._signal.asked:
            name = self._edition.name
            raise Interrupted(
                f"edition {name}: stopped before the first copy left",
                hint=f"Go on with: digest send {name} --resume",
            )

    async def _settle(self, leased: LeasedEdition, report: Report) -> None:
        """Finishes an edition of which nothing is left; pauses one that the relay refuses. Raises what is to
        be told of the run."""
        if report.problem is None:
            await asyncio.to_thread(leased.finish, by=SENDER, resends=self._resend)
            return
        if isinstance(report.problem, TransportError):
            with suppress(StoreError):
                await asyncio.to_thread(self._pause_for, report.problem)
        raise self._explained(report)

    def _pause_for(self, error: TransportError) -> None:
        """What will not change by itself waits for a person.

        What the relay said for now, or one out of reach, is a matter of time: whoever asks again waits first.
        """
        if error.for_good:
            with suppress(EditionError):  # paused or cancelled by somebody else
                self._desk.editions.pause(self._edition.id, str(error), at=self._desk.clock.now(), by=SENDER)

    def _explained(self, report: Report) -> DigestError:
        """The problem, with the way on."""
        problem, name = report.problem, self._edition.name
        assert problem is not None
        fate = self._fate(report)
        way = f"{fate} Go on with: digest send {name} --resume"
        if isinstance(problem, TransportError | StoreError):
            problem.hint = f"{problem.hint} {way}".strip()
        elif isinstance(problem, SendingStopped):
            problem.hint = problem.hint or f"What had left is recorded: digest deliveries {name}"
        return problem

    def _fate(self, report: Report) -> str:
        """Whether every copy is known of."""
        name = self._edition.name
        if report.unrecorded:
            results = f"{report.unrecorded:,} results could not be written"
            return f"{results}; these copies will be listed as uncertain."
        uncertain = 0
        with suppress(StoreError):  # it may be what failed
            uncertain = self._desk.ledger.counts(self._edition.id)[State.uncertain]
        if not uncertain:
            return "Nothing was lost."
        copies = "1 copy" if uncertain == 1 else f"{uncertain:,} copies"
        return f"{copies} may or may not have arrived: digest deliveries {name} --state uncertain."
