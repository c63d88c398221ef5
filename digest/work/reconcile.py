"""Compares the schedule with the tables and does what is due. Woken every few seconds; it remembers nothing.

All that it goes by is in the store, so it may be killed between any two steps: the next round sees what was
done and goes on. Two of them at once do no harm either: each step is a fenced change that only one wins, and
the other finds it done.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from digest.config import Approval, Newsletter
from digest.errors import DigestError, EditionError, TransportError
from digest.model import Edition, EditionState, Period
from digest.schedule import Due, Facts, Step, coming, due, missed, next_wake
from digest.tokens import preview_link
from digest.work import build
from digest.work.desk import Desk
from digest.work.letters import draft_ready, letter, send_letters

SCHEDULE = "schedule"
"""Who did it, in the audit trail and as approver: the policy, not a person."""

OPEN = (EditionState.draft, EditionState.approved, EditionState.fanning, EditionState.sending)


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
    for slug in desk.settings.newsletter:
        if not holds_lead():
            break
        try:
            _newsletter(desk, slug, made)
        except DigestError as error:
            made.done.append(f"{slug}: {error}")
            desk.installation.raise_alert(
                f"newsletter {slug}", f"{slug}: {error} {error.hint}".strip(), at=desk.clock.now()
            )
        else:
            desk.installation.settle(f"newsletter {slug}", at=desk.clock.now())
    return made


def _newsletter(desk: Desk, slug: str, made: Round) -> None:
    settings, schedule, now = desk.newsletter(slug), desk.schedule(slug), desk.clock.now()
    since = desk.editions.ensure_newsletter(slug, since=now)
    newest = desk.editions.newest(slug, cancelled=True)
    previous = newest.period if newest else None
    for edition in desk.editions.list_(slug, states=OPEN):
        _step(desk, edition, settings, made)
    gone = missed(schedule, previous, since, now)
    for period in gone.periods:
        _report_missed(desk, slug, period, made)
        previous = period
    period = coming(schedule, previous, since, now)
    made.look_again(next_wake(period, now, lateness=settings.lateness))
    if due(period, Facts(), now, lateness=settings.lateness, approval=settings.approval).step is Step.build:
        edition = build.build(desk, slug, period, by=SCHEDULE)
        made.done.append(f"{edition.name}: built" + (f", held: {edition.held}" if edition.held else ""))
        _step(desk, edition, settings, made)


def _report_missed(desk: Desk, slug: str, period: Period, made: Round) -> None:
    """A period that nobody was there for leaves an edition behind that says so."""
    now = desk.clock.now()
    reason = f"not built in time: due {_at(period.build_at)}, noticed {_at(now)}"
    try:
        edition = desk.editions.skip(slug, period, reason=reason, at=now, by=SCHEDULE)
    except EditionError:
        return  # another process was first
    made.done.append(f"{edition.name}: skipped, {reason}")
    desk.installation.raise_alert(
        f"missed {edition.name}",
        f"{edition.name} was {reason}. To send it all the same: digest edition build {slug} "
        f"--at {period.window.end.isoformat()} --rebuild, then approve and send it.",
        at=now,
    )


def _step(desk: Desk, edition: Edition, settings: Newsletter, made: Round) -> None:
    """Does what one edition needs now, step after step, until it has to wait."""
    for _ in range(8):  # build, tell, lock and send can all be due at once; more would be a circle
        now = desk.clock.now()
        step = due(
            edition.period,
            Facts(edition.state, edition.told, bool(edition.held), bool(edition.paused), edition.released),
            now,
            lateness=settings.lateness,
            approval=settings.approval,
        )
        made.look_again(next_wake(edition.period, now, lateness=settings.lateness))
        match step.step:
            case Step.tell:
                _tell(desk, edition, settings, made)
            case Step.lock:
                build.approve(desk, edition, by=SCHEDULE)
                made.done.append(f"{edition.name}: approved by the schedule")
            case Step.late:
                _late(desk, edition, step, made)
            case Step.ask:
                _ask(desk, edition, made)
                return
            case Step.send:
                made.to_send.append(edition)
                return
            case _:
                return
        edition = desk.editions.get(edition.id)


def _tell(desk: Desk, edition: Edition, settings: Newsletter, made: Round) -> None:
    """Writes to the editors, or, with none, just notes it; a letter that fails does not stop the edition."""
    if settings.editors:
        zone = desk.schedule(edition.newsletter).zone
        subject, text = draft_ready(
            edition,
            preview=preview_url(desk, edition.newsletter),
            lock_at=_at(edition.period.lock_at.astimezone(zone)),
            send_at=_at(edition.period.send_at.astimezone(zone)),
            automatic=settings.approval is Approval.automatic,
        )
        letters = [
            letter(
                sender_name=settings.sender_name or settings.name,
                sender=settings.sender,
                to=editor,
                subject=subject,
                text=text,
                at=desk.clock.now(),
            )
            for editor in settings.editors
        ]
        try:
            refused = send_letters(letters, desk.transport())
        except TransportError as error:
            # Told in the next round, until lock time: an edition does not wait for a letter.
            made.done.append(f"{edition.name}: editors not told: {error}")
            desk.installation.raise_alert(f"letters {edition.name}", str(error), at=desk.clock.now())
            return
        for line in refused:
            made.done.append(f"{edition.name}: editor not told: {line}")
        desk.installation.settle(f"letters {edition.name}", at=desk.clock.now())
    desk.editions.mark_told(edition.id, at=desk.clock.now())
    made.done.append(f"{edition.name}: editors told")


def _late(desk: Desk, edition: Edition, step: Due, made: Round) -> None:
    assert step.at is not None
    now = desk.clock.now()
    reason = f"too late to {step.of}: was due {_at(step.at)}, now {_at(now)}"
    desk.editions.hold(edition.id, reason, at=now, by=SCHEDULE)
    made.done.append(f"{edition.name}: held, {reason}")
    desk.installation.raise_alert(
        f"held {edition.name}",
        f"{edition.name} is held: {reason}. To send it all the same: digest edition release {edition.name}, "
        f"then digest send {edition.name}; or digest edition cancel {edition.name}.",
        at=now,
    )


def _ask(desk: Desk, edition: Edition, made: Round) -> None:
    message = f"{edition.name} waits for an editor: digest edition approve {edition.name}"
    if desk.installation.raise_alert(f"approve {edition.name}", message, at=desk.clock.now()):
        made.done.append(message)


def preview_url(desk: Desk, slug: str) -> str:
    """The signed address of the coming edition's preview; it works for 30 days."""
    return f"{desk.settings.site.url.rstrip('/')}/preview/{preview_link(desk.keys, slug)}"


def _at(moment: dt.datetime) -> str:
    return moment.strftime("%a %d %b %H:%M %Z")
