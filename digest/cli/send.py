"""`digest send`: an approved edition leaves, or goes on leaving."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

import click

from digest.cli.base import INTERRUPTED, actor, pass_app
from digest.cli.output import json_option, print_json, progress, say
from digest.cli.sending import domain_table, duration, in_states, pace
from digest.errors import DigestError, EditionError, NothingToDo, StoreError, TransportError
from digest.model import DeliveryState, EditionState

if TYPE_CHECKING:
    from digest.app import App
    from digest.delivery import Progress
    from digest.model import Edition
    from digest.work.send import Sent

WAITS = 3
_WORTH_A_TABLE = 50
"""So many copies are told of by domain, too."""


@click.command(
    epilog="""\b
    Examples:
      digest send weekly --test ada@example.org
      digest send weekly
      digest send weekly/2026-11-16 --resume --json
    Exit codes:
      0  every copy is settled; uncertain ones are listed by `digest deliveries`
      1  the relay or the database cannot be used, the edition is not approved, or it is leaving already and
         --resume is not given
      3  held, paused, sent before; or some copies wait for another attempt (then --resume, or digest run)
      4  stopped by Ctrl-C or SIGTERM; --resume goes on"""
)
@click.argument("edition")
@click.option("--resume", is_flag=True, help="Go on with an edition that is leaving already.")
@click.option(
    "--test",
    "addresses",
    multiple=True,
    metavar="ADDRESS",
    help="Only send this address a copy, marked [Test]; may be repeated. Works for drafts, too.",
)
@json_option
@pass_app
def command(app: App, edition: str, resume: bool, addresses: tuple[str, ...], as_json: bool) -> None:
    """Send an approved edition to its subscribers.

    Ctrl-C once finishes what is in flight, twice breaks it off. Whatever happens, nobody is forgotten and
    nobody gets a second copy by itself: --resume goes on where it was, and copies of which nobody can know
    whether they arrived are listed as uncertain.
    """
    found = app.editions.get(edition)
    if addresses:
        _test(app, found, addresses, as_json)
    else:
        try:
            _somebody(app, found)
            _look_at_pages(app, found)
            _send(app, found, resume, as_json)
        except DigestError as error:
            with suppress(StoreError):  # it may be what failed
                if as_json:
                    print_json(_stopped(app, found, error))
                elif error.exit_code == 1 and not isinstance(error, EditionError):
                    _so_far(app, found)
            raise


def _somebody(app: App, found: Edition) -> None:
    """Raises `NothingToDo` where nobody has the newsletter: an edition that was sent to nobody is spent."""
    from subscribers import SubscriptionState  # noqa: PLC0415 - quick start-up

    confirmed = SubscriptionState.confirmed
    if found.state is not EditionState.approved or found.held:
        return
    if not app.subscribers.subscriptions(found.newsletter, state=confirmed, limit=1):
        raise NothingToDo(
            f"nobody has {found.newsletter} yet; {found.name} was not sent and stays approved",
            hint=f"First: digest subscribers import FILE --newsletter {found.newsletter} --basis TEXT",
        )


def _look_at_pages(app: App, found: Edition) -> None:
    """The last look at the pages of its stories; what is gone holds the edition as it is about to leave."""
    from digest.work.page_looks import PageLooks  # noqa: PLC0415 - quick start-up
    from digest.work.permission import Permissions  # noqa: PLC0415
    from digest.work.withdrawals import AT_DEPARTURE, look_at_edition  # noqa: PLC0415

    if found.state is not EditionState.approved or found.held:
        return
    for each in look_at_edition(app, found, PageLooks(Permissions(app.clock)), older_than=AT_DEPARTURE):
        if each.again is not None:
            say(
                f"The page of #{each.story.id} “{each.story.title[:60]}” is not found (404): {each.story.url}"
            )


@contextmanager
def _trial_hint(app: App) -> Iterator[None]:
    """Where nothing answers on this machine, whoever is trying things is missing the trial inbox."""
    try:
        yield
    except TransportError as error:
        if error.phase == "connect" and app.settings.smtp.loopback:
            error.hint = f"{error.hint}\nTo try things, take the mail in a second terminal: digest inbox"
        raise


def _send(app: App, found: Edition, resume: bool, as_json: bool) -> None:
    from digest.work.send import send  # noqa: PLC0415 - quick start-up

    if resume and found.paused and found.state in (EditionState.fanning, EditionState.sending):
        app.editions.resume(found.id, at=app.clock.now(), by=actor())
    stop, abort = _signals()
    with _trial_hint(app), progress(f"Sending {found.name}", timed=False) as bar:
        seen = 0

        def watch(now: Progress) -> None:
            nonlocal seen
            bar(now.settled - seen)
            seen = now.settled
            bar.of(now.settled + now.left)
            bar.note(progress_in_words(now))

        sent = send(app, found, resume=resume, stop=stop, abort=abort, watch=watch, warn=say)
    if as_json:
        print_json(
            {
                "edition": sent.edition,
                "counts": sent.counts,
                "seconds": round(sent.seconds, 3),
                "finished": sent.finished,
                "next_attempt": sent.next_attempt,
                "domains": [
                    {"domain": each.domain or None, "counts": each.counts}
                    for each in app.ledger.domains(found.id)
                ],
            }
        )
    _tell(sent)
    if not as_json and sum(sent.counts.values()) >= _WORTH_A_TABLE:
        domain_table(app.ledger.domains(found.id))
    click.get_current_context().exit(exit_code(sent))


def _so_far(app: App, found: Edition) -> None:
    """What had become of the copies when a run broke off."""
    told = in_states(app.ledger.counts(found.id))
    if told:
        say(f"{found.name}: {told}")


def _stopped(app: App, found: Edition, error: DigestError) -> dict[str, object]:
    """What is known of an edition that could not be sent, or is sent already: the counts all the same."""
    return {
        "edition": found.name,
        "counts": app.ledger.counts(found.id),
        "seconds": 0.0,
        "finished": app.editions.get(found.id).state is EditionState.finished,
        "next_attempt": None,
        "error": str(error),
        "hint": error.hint,
        "exit_code": error.exit_code,
    }


def exit_code(sent: Sent) -> int:
    """What the command returns; see its help."""
    if sent.interrupted:
        return INTERRUPTED
    return 0 if sent.finished else WAITS


def progress_in_words(now: Progress) -> str:
    """The line behind the bar."""
    states = (
        DeliveryState.deferred,
        DeliveryState.rejected,
        DeliveryState.expired,
        DeliveryState.uncertain,
        DeliveryState.skipped,
    )
    parts = [f"{now.done[state]:,} {state.value}" for state in states if now.done.get(state)]
    parts.insert(0, f"{now.done.get(DeliveryState.accepted, 0):,} accepted")
    if now.waiting:
        parts.append(f"waits {duration(now.resumes)}: {now.waiting}")
    else:
        parts.append(pace(now.rate))
        if now.left and now.seconds_left is not None:
            parts.append(f"{duration(now.seconds_left)} left")
    return ", ".join(parts)


def _tell(sent: Sent) -> None:
    say(f"{sent.edition}: {sent.words}")
    uncertain = sent.counts.get(DeliveryState.uncertain, 0)
    if uncertain:
        say(
            f"{uncertain:,} may or may not have arrived: digest deliveries {sent.edition} --state uncertain\n"
            f"Then decide: digest deliveries resolve {sent.edition} --resend (or --skip)"
        )
    if sent.interrupted or not sent.finished:
        say(f"Go on with: digest send {sent.edition} --resume (or leave it to `digest run`)")


def _test(app: App, found: Edition, addresses: tuple[str, ...], as_json: bool) -> None:
    from digest.work.trial import send_test  # noqa: PLC0415 - quick start-up

    with _trial_hint(app):
        refused = send_test(app, found, addresses, by=actor())
    for line in refused:
        say(f"Not taken: {line}")
    taken = len(addresses) - len(refused)
    say(f"{taken} test cop{'y' if taken == 1 else 'ies'} of {found.name} handed to the relay.")
    if as_json:
        print_json({"edition": found.name, "test": True, "accepted": taken, "refused": refused})
    click.get_current_context().exit(1 if refused else 0)


def _signals() -> tuple[threading.Event, threading.Event]:
    """Set by the first and by the second Ctrl-C or SIGTERM."""
    stop, abort = threading.Event(), threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            abort.set()
            return
        stop.set()
        say("Stopping: what is in flight is finished and recorded. Once more breaks it off.")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return stop, abort
