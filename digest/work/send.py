"""Takes an approved edition to the relay: checks, fixes the audience, sends, and finishes it.

Each step is in the store before the next begins, so that the same call goes on after any crash: approved,
fanning (the audience is being fixed), sending (copies leave), finished (nothing is left to try). The lease of
the edition keeps a second process out; what a process that died had offered becomes uncertain.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Event

from digest.config.durations import parse_duration
from digest.delivery import Engine, Progress, Report, RetryPolicy, SendingStopped, Stop
from digest.errors import EditionError, Interrupted, StoreError, TransportError
from digest.model import DeliveryState, Edition, EditionState, Message, Recipient
from digest.ports import Transport
from digest.store.leased import LeasedEdition
from digest.work.composer import composer, signing_keys
from digest.work.departure import check_departure, check_links, site_of
from digest.work.desk import Desk
from digest.work.guard import Fetch, links_reach_nobody
from digest.work.identity import gone, identity

State = DeliveryState
SENDER = "send"
"""Who did it, in the audit trail."""
ANSWER_TIME = dt.timedelta(minutes=10)
"""How long a server may still be taking a copy in (RFC 5321 4.5.3.2.6): no resending before."""
_POLL = 0.1

_process = functools.cache(identity)


@dataclass(frozen=True, slots=True)
class Sent:
    """How far an edition is after a run."""

    edition: str
    counts: Mapping[State, int]
    seconds: float
    finished: bool
    interrupted: bool = False
    next_attempt: dt.datetime | None = None
    """When the first of those that wait is due; None when none does."""

    @property
    def words(self) -> str:
        """One line for people."""
        told = ", ".join(f"{count:,} {state.value}" for state, count in self.counts.items() if count)
        text = f"{told or 'nobody to send to'}, in {self.seconds:.1f} s"
        if self.interrupted:
            return f"stopped: {text}"
        if self.next_attempt is not None:
            return f"{text}; the rest waits until {self.next_attempt:%a %H:%M UTC}"
        return text


def send(
    desk: Desk,
    edition: Edition,
    *,
    owner: str = "",
    resume: bool = False,
    stop: Event | None = None,
    abort: Event | None = None,
    watch: Callable[[Progress], object] | None = None,
    warn: Callable[[str], object] | None = None,
    fetch: Fetch | None = None,
) -> Sent:
    """Sends what is due of an approved edition; with `resume` also goes on with one that is leaving.

    `owner` names this process; `stop` asks it to finish what is in flight, `abort` not even that. Raises
    `NothingToDo` (held, finished, or stopped by somebody else), `EditionError` (not approved, changed since,
    being sent by another process), `TransportError` (the relay cannot be used), `StoreError`. Whatever is
    raised, what happened is recorded and nothing is lost; the call can be repeated with `resume`.
    """
    started = time.monotonic()
    edition = desk.editions.get(edition.id)
    check_departure(desk, edition, resume=resume, by=SENDER)
    desk.generation.check()
    check_links(desk, edition, fetch)
    signing_keys(desk, edition)  # a key that is missing is found before anything is changed
    signal = _Signal(stop or Event(), abort or Event())
    run = _Run(desk, edition, owner=owner or _process(), signal=signal, watch=watch, warn=warn)
    report = asyncio.run(run.all())
    counts = desk.ledger.counts(edition.id)
    edition = desk.editions.get(edition.id)
    return Sent(
        edition.name,
        counts,
        time.monotonic() - started,
        edition.state is EditionState.finished,
        report.stopped,
        _next_attempt(desk, edition) if edition.state is EditionState.sending else None,
    )


def rests_until(desk: Desk, edition: Edition) -> dt.datetime | None:
    """Until when an edition that is leaving needs nothing: all that is left of it waits for its next attempt.

    None when something can be done now, if only to finish it.
    """
    if edition.state is not EditionState.sending:
        return None
    counts = desk.ledger.counts(edition.id)
    if any(counts[state] for state in (State.queued, State.claimed, State.offered)):
        return None
    return _next_attempt(desk, edition)


def _next_attempt(desk: Desk, edition: Edition) -> dt.datetime | None:
    """When the first of the copies that wait is due; None when none does."""
    moments = [desk.ledger.next_attempt(edition.id)]
    if _resends(edition) and (offered := desk.ledger.first_in_doubt(edition.id)):
        moments.append(offered + ANSWER_TIME)
    return min((moment for moment in moments if moment is not None), default=None)


def _resends(edition: Edition) -> bool:
    return edition.policy["uncertain"] == "resend"


@dataclass(frozen=True, slots=True)
class _Signal:
    """Asked from any thread."""

    stop: Event
    abort: Event

    @property
    def asked(self) -> bool:
        return self.stop.is_set() or self.abort.is_set()

    async def pass_on(self, to: Stop) -> None:
        while not to.urgent:
            wanted = self.abort.is_set() if to.asked else self.asked
            if wanted:
                to.ask()
            await asyncio.sleep(_POLL)


class _Run:
    """One call of `send`, once it is allowed."""

    def __init__(
        self,
        desk: Desk,
        edition: Edition,
        *,
        owner: str,
        signal: _Signal,
        watch: Callable[[Progress], object] | None,
        warn: Callable[[str], object] | None,
    ) -> None:
        self._desk, self._edition, self._owner = desk, edition, owner
        self._signal, self._watch = signal, watch
        self._warn = warn or (lambda _: None)
        policy = edition.policy
        # As it was frozen: an edition that is leaving goes on when its newsletter is no longer configured.
        self._lateness = parse_duration(str(policy["lateness"]))
        self._resend = _resends(edition)

    async def all(self) -> Report:
        """Everything, with the transport closed and the lease given back whatever happens."""
        transport = self._desk.transport()
        try:
            await self._open(transport)
            leased = await asyncio.to_thread(self._take)
            try:
                report = await self._leave(leased, transport)
            finally:
                with suppress(StoreError):  # it runs out by itself: what ended the run is the thing to tell
                    await asyncio.to_thread(leased.release)
        finally:
            if not self._signal.abort.is_set():
                await transport.close()
        return report

    async def _open(self, transport: Transport) -> None:
        """A relay that is down, or refuses us, is found out before anything is changed."""
        opening = asyncio.create_task(transport.open())
        leaving = self._edition.state in (EditionState.fanning, EditionState.sending)
        again = f"digest send {self._edition.name}" + (" --resume" if leaving else "")
        while not opening.done():
            await asyncio.wait({opening}, timeout=_POLL)
            if self._signal.asked and opening.cancel():
                # Only then does closing know that nobody waits for its connection any more.
                await asyncio.gather(opening, return_exceptions=True)
                raise Interrupted(
                    f"edition {self._edition.name}: stopped while waiting for the relay",
                    hint=f"Nothing was sent. Go on with: {again}",
                )
        try:
            await opening
        except TransportError as error:
            if leaving:
                self._pause_for(error)
            error.hint = f"{error.hint} Nothing was sent. Then: {again}".strip()
            raise

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
        smtp = desk.settings.smtp
        engine = Engine(
            leased,
            transport,
            self._composer(),
            clock=desk.clock,
            stale=stale,
            random=random.random,
            retry=RetryPolicy(),
            left=desk.ledger.left(number),
            watch=self._watch,
            server=f"{smtp.host}:{smtp.port}",
        )
        async with desk.generation.counted():
            stop = Stop()
            passing = asyncio.create_task(self._signal.pass_on(stop))
            try:
                report = await engine.run(stop)
            finally:
                passing.cancel()
            try:
                await asyncio.to_thread(self._settle, report)
            except StoreError:
                if report.problem is None:
                    raise
            if report.problem is not None:
                raise self._explained(report)
        return report

    def _prepare(self, leased: LeasedEdition) -> dt.datetime:
        """Takes over what was left behind and fixes the audience; when the edition is stale."""
        desk, number = self._desk, self._edition.id
        leased.recover()
        self._fix_audience(leased)
        now = desk.clock.now()
        stale = (desk.ledger.started(number) or now) + self._lateness
        if now >= stale:
            leased.expire()
        if self._resend:
            leased.resend_uncertain(now - ANSWER_TIME)
        return stale

    def _fix_audience(self, leased: LeasedEdition) -> None:
        editions, number, now = self._desk.editions, self._edition.id, self._desk.clock.now()
        state = editions.get(number).state
        if state is EditionState.approved:
            editions.transition(number, {state}, EditionState.fanning, at=now, by=SENDER)
            state = EditionState.fanning
        if state is EditionState.fanning:
            made = leased.fan_out(told=self._go_on)
            editions.transition(number, {state}, EditionState.sending, at=now, by=SENDER)
            skipped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(made.skipped.items()))
            if skipped:
                self._warn(f"{made.candidates:,} subscribers: {made.queued:,} to send to, skipped: {skipped}")
        site = site_of(self._edition)
        if links_reach_nobody(site):
            outside = self._desk.ledger.outside_domain(number)
            if outside:
                self._warn(
                    f"Warning: readers at {outside} get links to {site}, which only "
                    "this machine can open: they cannot unsubscribe. Set site.url in config.toml."
                )

    def _go_on(self, _chunk: int) -> None:
        """Between two chunks of the fan-out: a stop need not wait for all of it."""
        if self._signal.asked:
            name = self._edition.name
            raise Interrupted(
                f"edition {name}: stopped before the first copy left",
                hint=f"Go on with: digest send {name} --resume",
            )

    def _composer(self) -> Callable[[Recipient], Message]:
        """Makes a recipient's copy: the same bytes whenever it is made."""
        # Read again: departure gave it its Date.
        return composer(self._desk, self._desk.editions.get(self._edition.id)).message

    def _settle(self, report: Report) -> None:
        """Finishes an edition of which nothing is left; pauses one that the relay refuses."""
        desk, number, now = self._desk, self._edition.id, self._desk.clock.now()
        if isinstance(report.problem, TransportError):
            self._pause_for(report.problem)
        if (
            report.problem is None
            and not desk.ledger.left(number)
            and _next_attempt(desk, self._edition) is None
        ):
            with suppress(EditionError):  # it was cancelled this very moment
                desk.editions.transition(
                    number, {EditionState.sending}, EditionState.finished, at=now, by=SENDER, finished=now
                )

    def _pause_for(self, error: TransportError) -> None:
        """What will not change by itself waits for a person.

        What the relay said for now, or one out of reach, is a matter of time: whoever asks again waits first.
        """
        if error.for_good:
            with suppress(EditionError):  # paused or cancelled by somebody else
                self._desk.editions.pause(self._edition.id, str(error), at=self._desk.clock.now(), by=SENDER)

    def _explained(self, report: Report) -> Exception:
        """The problem, with the way on."""
        problem, name = report.problem, self._edition.name
        assert problem is not None
        way = f"Nothing was lost. Go on with: digest send {name} --resume"
        if report.unrecorded:
            way = (
                f"{report.unrecorded} results could not be written; these copies will be listed as uncertain."
                f" Go on with: digest send {name} --resume"
            )
        if isinstance(problem, TransportError | StoreError):
            problem.hint = f"{problem.hint} {way}".strip()
        elif isinstance(problem, SendingStopped):
            problem.hint = problem.hint or f"What had left is recorded: digest deliveries {name}"
        return problem
