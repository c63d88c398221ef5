"""Takes an approved edition to the relay: checks, fixes the audience, sends, and finishes it.

Each step is in the store before the next begins, so that the same call goes on after any crash: approved,
fanning (the audience is being fixed), sending (copies leave), finished (nothing is left to try). The lease of
the edition keeps a second process out; what a process that died had offered becomes uncertain. One call is a
run; what happens in it is in `digest.work.leaving`.
"""

from __future__ import annotations

import datetime as dt
import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event

from digest.delivery import Progress
from digest.model import DeliveryState, Edition, EditionState
from digest.work import loop
from digest.work.departure import check_departure, check_links
from digest.work.desk import Desk
from digest.work.guard import Fetch
from digest.work.identity import identity
from digest.work.leaving import ANSWER_TIME, SENDER, Leaving, resends
from digest.work.signal import Signal

State = DeliveryState

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
    being sent by another process), `ConfigError` (it should be signed and cannot be), `TransportError` (the
    relay cannot be used), `StoreError`. Whatever is raised, what happened is recorded and nothing is lost;
    the call can be repeated with `resume`.
    """
    started = time.monotonic()
    edition = desk.editions.get(edition.id)
    check_departure(desk, edition, resume=resume, by=SENDER)
    desk.generation.check()
    check_links(desk, edition, fetch)
    leaving = Leaving(
        desk,
        edition,
        owner=owner or _process(),
        signal=Signal(stop or Event(), abort or Event()),
        watch=watch,
        warn=warn,
    )
    report = loop.run(leaving.all())
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
    servers = resends(desk, edition)
    if servers and (offered := desk.ledger.first_in_doubt(edition.id, servers)):
        moments.append(offered + ANSWER_TIME)
    return min((moment for moment in moments if moment is not None), default=None)
