"""Compares the schedule with the tables and does what is due. Woken every few seconds; it remembers nothing.

All that it goes by is in the store, so it may be killed between any two steps: the next round sees what was
done and goes on. Two of them at once do no harm either: each step is a fenced change that only one wins, and
the other finds it done. Trouble with one edition is reported and stops nothing else: neither the next edition
of its newsletter nor the other newsletters.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from digest.config import Newsletter
from digest.errors import DigestError, EditionError
from digest.model import Edition, EditionState, Period
from digest.schedule import Due, Facts, Step, coming, due, missed, next_wake
from digest.work import build, editors
from digest.work.desk import Desk
from digest.work.editors import moment
from digest.work.meanwhile import withdrawn

SCHEDULE = "schedule"
"""Who did it, in the audit trail and as approver: the policy, not a person."""

_OURS = frozenset({"held", "missed", "approve", "letters", "early", "edition", "sending", "waits"})
"""How the keys of alerts begin that the state of their edition can settle."""

OPEN = (EditionState.draft, EditionState.approved, EditionState.fanning, EditionState.sending)
LOOK_AGAIN = dt.timedelta(minutes=10)
"""How often a draft that the program holds is made on trial: figures that came late may have mended it."""


@dataclass(slots=True)
class Round:
    """What one round did, in words; which editions are to be sent now; when to look again at the latest."""

    done: list[str] = field(default_factory=list)
    to_send: list[Edition] = field(default_factory=list)
    wake: dt.datetime | None = None

    def look_again(self, at: dt.datetime | None) -> None:
        if at is not None and (self.wake is None or at < self.wake):
            self.wake = at


def reconcile(desk: Desk, *, holds_lead: Callable[[], bool] = lambda: True) -> Round:
    """One round over all newsletters. What fails for one is reported and does not stop the others.

    `holds_lead` is asked before each newsletter: a process that lost the lease stops where it is.
    """
    made = Round()
    open_alerts = {alert.key for alert in desk.installation.open_alerts()}
    for slug in desk.settings.newsletter:
        if not holds_lead():
            return made
        with _reported(desk, f"newsletter {slug}", slug, made, open_alerts):
            _newsletter(desk, slug, made, open_alerts)
    _unconfigured(desk, made, open_alerts)
    return made


@contextmanager
def _reported(desk: Desk, key: str, what: str, made: Round, open_alerts: set[str]) -> Iterator[None]:
    """An alert for whatever goes wrong within, settled once it goes right."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - left alone for years: a fault in one must not stop the others
        words = f"a fault in the program, {type(error).__name__}: {error}"
        if isinstance(error, DigestError):
            words = f"{error} {error.hint}".strip()
        if what not in words:
            words = f"{what}: {words}"
        made.done.append(words)
        desk.installation.raise_alert(key, words, at=desk.clock.now())
    else:
        if key in open_alerts:
            desk.installation.settle(key, at=desk.clock.now())


def _newsletter(desk: Desk, slug: str, made: Round, open_alerts: set[str]) -> None:
    settings, schedule, now = desk.newsletter(slug), desk.schedule(slug), desk.clock.now()
    since = desk.editions.ensure_newsletter(slug, since=now)
    previous = _previous(desk, slug, now, settings.lateness)
    for edition in desk.editions.list_(slug, states=OPEN, content=False):
        with _reported(desk, f"edition {edition.name}", edition.name, made, open_alerts):
            if f"early {edition.name}" in open_alerts:
                _made_in_time(desk, edition, made)
            _step(desk, edition, settings, made)
    gone = missed(schedule, previous, since, now)
    for period in gone.periods:
        _report_missed(desk, slug, period, made)
        previous = period
    period = coming(schedule, previous, since, now)
    made.look_again(next_wake(period, now, lateness=settings.lateness))
    if due(period, Facts(), now, lateness=settings.lateness, approval=settings.approval).step is Step.build:
        _build(desk, slug, period, settings, made)
    _settle(desk, slug, open_alerts)


def _previous(desk: Desk, slug: str, now: dt.datetime, lateness: dt.timedelta) -> Period | None:
    """The newest period that was dealt with, by an edition or by a person who cancelled it.

    What a clock that ran ahead left behind does not count: editions of windows that are not over, and periods
    that were skipped as too late before they were.
    """
    limit = 1
    while True:
        editions = desk.editions.list_(slug, limit=limit, content=False)
        for edition in editions:
            period = edition.period
            early = edition.state is EditionState.skipped and now < period.build_at + lateness
            if period.window.end <= now and not early:
                return period
        if len(editions) < limit:
            return None
        limit *= 8


def _build(desk: Desk, slug: str, period: Period, settings: Newsletter, made: Round) -> None:
    existing = desk.editions.for_period(slug, period.start_date)
    try:
        if existing is not None:  # skipped by a clock that ran ahead
            edition = build.rebuild(desk, existing, by=SCHEDULE)
        else:
            edition = build.build(desk, slug, period, by=SCHEDULE)
    except EditionError:
        if desk.editions.for_period(slug, period.start_date) == existing:
            raise
        return  # another process was faster: the next round goes on from there
    made.done.append(f"{edition.name}: built" + (f", held: {edition.held}" if edition.held else ""))
    if edition.held:
        desk.installation.raise_alert(
            f"held {edition.name}", f"{edition.name} is held: {edition.held}", at=desk.clock.now()
        )
    _step(desk, edition, settings, made)


def _report_missed(desk: Desk, slug: str, period: Period, made: Round) -> None:
    """A period that nobody was there for leaves an edition behind that says so."""
    now = desk.clock.now()
    reason = f"not built in time: due {moment(period.build_at)}, noticed {moment(now)}"
    try:
        edition = desk.editions.skip(slug, period, reason=reason, at=now, by=SCHEDULE)
    except EditionError:
        return  # another process was first
    made.done.append(f"{edition.name}: skipped, {reason}")
    desk.installation.raise_alert(
        f"missed {edition.name}",
        f"{edition.name} was {reason}. To send it all the same: digest edition build {slug} "
        f"--at {period.window.end.isoformat()} --rebuild, look at it, then digest edition release "
        f"{edition.name} (it will be held for being late).",
        at=now,
    )


def _step(desk: Desk, edition: Edition, settings: Newsletter, made: Round) -> None:
    """Does what one edition needs now, step after step, until it has to wait."""
    for _ in range(8):  # build, tell, lock and send can all be due at once; more would be a circle
        # Without its content, which few steps need: drafts that wait for a person may be many.
        before = desk.editions.get(edition.id, content=False)
        try:
            if not _one_step(desk, before, settings, made):
                return
        except EditionError:
            if desk.editions.get(edition.id, content=False) == before:
                raise
            return  # an editor or another process was faster: the next round sees what there is


def _one_step(desk: Desk, edition: Edition, settings: Newsletter, made: Round) -> bool:
    """Whether something was done, after which something else may be due."""
    now = desk.clock.now()
    if edition.state in (EditionState.draft, EditionState.approved):
        _early(desk, edition, now)
        if _gone(desk, edition, made):
            return True
    step = due(
        edition.period,
        Facts(edition.state, edition.told, bool(edition.held), bool(edition.paused), edition.released),
        now,
        lateness=settings.lateness,
        approval=settings.approval,
    )
    made.look_again(next_wake(edition.period, now, lateness=settings.lateness, released=edition.released))
    match step.step:
        case Step.tell:
            told, said = editors.tell(desk, desk.editions.get(edition.id), settings)
            made.done += said
            return told
        case Step.lock:
            build.approve(desk, desk.editions.get(edition.id), by=SCHEDULE)
            made.done.append(f"{edition.name}: approved by the schedule")
            return True
        case Step.late:
            _late(desk, edition, step, made)
            return True
        case Step.ask:
            _ask(desk, edition, made)
        case Step.send:
            made.to_send.append(edition)
        case Step.person:
            return _mended(desk, edition, made)
        case _:
            pass
    return False


def _early(desk: Desk, edition: Edition, now: dt.datetime) -> None:
    """Says so when an edition was made before its window was over: by hand, or by a clock that ran ahead."""
    if now < edition.period.window.end:
        desk.installation.raise_alert(
            f"early {edition.name}",
            f"{edition.name} was made before the end of its window, {moment(edition.period.window.end)}: by "
            f"hand, or because the clock was wrong. Unless it is approved before, it is made again at "
            f"{moment(edition.period.build_at)}. To be rid of it: digest edition cancel {edition.name}.",
            at=now,
        )


def _made_in_time(desk: Desk, edition: Edition, made: Round) -> None:
    """Makes a draft again that was made too early, as soon as its time is here."""
    early = edition.state is EditionState.draft and desk.clock.now() >= edition.period.build_at
    if early and (not edition.held or build.held_by_program(edition)):
        build.rebuild(desk, desk.editions.get(edition.id), by=SCHEDULE)
        desk.installation.settle(f"early {edition.name}", at=desk.clock.now())
        made.done.append(f"{edition.name}: built again, now that its window is over")


def _gone(desk: Desk, edition: Edition, made: Round) -> bool:
    """Holds an edition of which a story was withdrawn since it was made."""
    reason = withdrawn(desk, edition)
    if not reason or reason in edition.held:
        return False
    _hold(desk, edition, f"{edition.held} {reason}".strip(), made)
    return True


def _mended(desk: Desk, edition: Edition, made: Round) -> bool:
    """Whether a draft that the program held is no longer held: the figures came, or the stories."""
    now = desk.clock.now()
    if (
        edition.state is not EditionState.draft
        or not build.held_by_program(edition)
        or now >= edition.period.lock_at
    ):
        return False
    # Taken and left to run out: to make an edition on trial costs more than a round may every few seconds.
    turn = f"look again {edition.newsletter}"
    if desk.installation.acquire(turn, secrets.token_hex(8), now=now, length=LOOK_AGAIN) is None:
        return False
    if build.look_again(desk, desk.editions.get(edition.id), by=SCHEDULE) is None:
        return False
    made.done.append(f"{edition.name}: built again, no longer held")
    return True


def _late(desk: Desk, edition: Edition, step: Due, made: Round) -> None:
    assert step.at is not None
    now = moment(desk.clock.now())
    _hold(
        desk,
        edition,
        f"too late to {step.of}: was due {moment(step.at)}, now {now}. To send it all the same: "
        f"digest edition release {edition.name}, then digest send {edition.name}; "
        f"or digest edition cancel {edition.name}.",
        made,
    )


def _hold(desk: Desk, edition: Edition, reason: str, made: Round) -> None:
    now = desk.clock.now()
    desk.editions.hold(edition.id, reason, at=now, by=SCHEDULE)
    made.done.append(f"{edition.name}: held, {reason}")
    desk.installation.raise_alert(f"held {edition.name}", f"{edition.name} is held: {reason}", at=now)


def _ask(desk: Desk, edition: Edition, made: Round) -> None:
    message = f"{edition.name} waits for an editor: digest edition approve {edition.name}"
    if desk.installation.raise_alert(f"approve {edition.name}", message, at=desk.clock.now()):
        made.done.append(message)


def _settle(desk: Desk, slug: str, open_alerts: set[str]) -> None:
    """Closes the alerts about editions that are no longer so: released, approved, cancelled, sent."""
    # No others: whoever raises those knows when they are settled.
    about = {
        key
        for key in open_alerts
        if key.partition(" ")[0] in _OURS and key.partition(" ")[2].startswith(f"{slug}/")
    }
    if not about:
        return
    now = desk.clock.now()
    standing = {
        f"{word} {edition.name}"
        for edition in desk.editions.list_(slug, states=(*OPEN, EditionState.skipped), content=False)
        for word, so in (
            ("held", edition.held and edition.state is not EditionState.skipped),
            ("missed", edition.state is EditionState.skipped),
            ("approve", edition.state is EditionState.draft),
            ("letters", edition.state is EditionState.draft and not edition.told),
            ("early", edition.state is EditionState.draft),
            ("edition", edition.state in OPEN),
            ("sending", edition.state in OPEN),
            ("waits", edition.state in OPEN),
        )
        if so
    }
    for key in about - standing:
        desk.installation.settle(key, at=now)


def _unconfigured(desk: Desk, made: Round, open_alerts: set[str]) -> None:
    """Editions of a newsletter that config.toml no longer has go nowhere: somebody has to know."""
    known = desk.settings.newsletter
    strange = [e for e in desk.editions.list_(states=OPEN, content=False) if e.newsletter not in known]
    for edition in strange:
        message = (
            f"{edition.name} is {edition.state}, but config.toml has no [newsletter.{edition.newsletter}] "
            f"any more: put it back, or digest edition cancel {edition.name}"
        )
        key = f"unconfigured {edition.name}"
        if key not in open_alerts and desk.installation.raise_alert(key, message, at=desk.clock.now()):
            made.done.append(message)
    for key in open_alerts - {f"unconfigured {edition.name}" for edition in strange}:
        if key.startswith("unconfigured "):
            desk.installation.settle(key, at=desk.clock.now())
