"""`digest edition`: build, look at, change, approve or hold an edition."""

from __future__ import annotations

import dataclasses
import datetime as dt
import textwrap
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import actor, pass_app
from digest.cli.output import TIME, json_option, print_json, say, table
from digest.errors import NothingToDo, UsageError
from digest.model import Edition, EditionState

if TYPE_CHECKING:
    from digest.app import App

_LONGEST_STATE = 60
_NOT_LEFT = (EditionState.draft, EditionState.approved)


@click.group()
def command() -> None:
    """Build, look at, change, approve or hold an edition.

    EDITION is a name such as weekly/2026-11-16 (the date on which its period starts), a newsletter for its
    newest edition, or a number. STORY is a number, an external id or an address.
    """


@command.command(
    epilog="""\b
    Examples:
      digest edition build weekly
      digest edition build weekly --at 2026-11-16T06:00 --json
      digest edition build weekly --rebuild"""
)
@click.argument("newsletter")
@click.option("--at", type=TIME, help="Build the period that was last complete then; default: now.")
@click.option("--rebuild", is_flag=True, help="Make a draft anew from what the store knows now.")
@json_option
@pass_app
def build(app: App, newsletter: str, at: dt.datetime | None, rebuild: bool, as_json: bool) -> None:
    """Make the edition of the period that was last complete, as a draft.

    Where there is one already, it is shown as it is. Exit code 3 when the edition is held.
    """
    from digest.work import build as work  # noqa: PLC0415 - quick start-up

    period = work.period_at(app, newsletter, at or app.clock.now())
    before = app.editions.for_period(newsletter, period.start_date)
    if before is None:
        edition = work.build(app, newsletter, period, by=actor())
    elif rebuild:
        edition = work.rebuild(app, before, by=actor())
    else:
        edition = before
        say(f"{edition.name} exists already and was left as it is (--rebuild makes a draft anew).")
    _show(edition, as_json=as_json)
    if edition.held:
        say(f"Held: {edition.held}")
        if edition.state is EditionState.draft:
            say(f"Once that is mended: digest edition build {newsletter} --rebuild")
        click.get_current_context().exit(NothingToDo.exit_code)
    if not as_json and edition.state is EditionState.draft:
        say(f"Look at it: digest preview {edition.name}. Then: digest edition approve {edition.name}")


@command.command(
    "list",
    epilog="""\b
    Examples:
      digest edition list
      digest edition list weekly --json""",
)
@click.argument("newsletter", required=False, default="")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@json_option
@pass_app
def list_(app: App, newsletter: str, limit: int, as_json: bool) -> None:
    """The newest editions, of one newsletter or of all."""
    if newsletter:
        app.newsletter(newsletter)
    editions = app.editions.list_(newsletter, limit=limit, content=False)
    if as_json:
        print_json([_facts(edition) for edition in editions])
        return
    table(
        ("Edition", "No.", "State", "Subject", "Leaves", "Approved by"),
        [(e.name, e.number, _clipped(e), e.subject, e.period.send_at, e.approved_by) for e in editions],
    )


@command.command(
    epilog="""\b
    Examples:
      digest edition show weekly
      digest edition show weekly/2026-11-16 --json"""
)
@click.argument("edition")
@json_option
@pass_app
def show(app: App, edition: str, as_json: bool) -> None:
    """An edition's stories with their reasons, what was left out, and when it would be out."""
    from digest.work.alerts import why_it_waits  # noqa: PLC0415 - quick start-up

    found = app.editions.get(edition)
    _show(found, as_json=as_json)
    if not as_json:
        for line in _forecast(app, found):
            click.echo(line)
        if why := why_it_waits(app, found):
            click.echo(f"Waits: {why}")


@command.command(
    epilog="""\b
    Examples:
      digest edition forecast weekly
      digest edition forecast weekly --at 2026-11-24T18:00 --json"""
)
@click.argument("edition")
@click.option(
    "--at", type=TIME, help="As if it left then; default: its send time, or now where that is over."
)
@json_option
@pass_app
def forecast(app: App, edition: str, at: dt.datetime | None, as_json: bool) -> None:
    """When the edition would be out, and what stands in its way: the relay's limits, growth, lateness."""
    from digest.work.forecast import forecast_in_words, forecast_of  # noqa: PLC0415 - quick start-up

    found = app.editions.get(edition)
    recipients = app.subscribers.counts(found.newsletter).reachable
    made = forecast_of(app, found, start=at)
    if made is None:
        why = "nobody has it yet" if found.state in _NOT_LEFT else f"it is {_state(found)}"
        raise NothingToDo(f"there is nothing to forecast for {found.name}: {why}")
    if as_json:
        print_json({"edition": found.name, "recipients": recipients, **dataclasses.asdict(made)})
        return
    for line in forecast_in_words(made, recipients):
        click.echo(line)


@command.command(
    epilog="""\b
    Examples:
      digest edition pin weekly 412
      digest edition pin weekly https://example.org/story --position 1"""
)
@click.argument("edition")
@click.argument("story")
@click.option("--position", type=click.IntRange(1), help="Where; without it, where its figures put it.")
@json_option
@pass_app
def pin(app: App, edition: str, story: str, position: int | None, as_json: bool) -> None:
    """Keep a story in the edition, at a position if one is given."""
    from digest import edition as editing  # noqa: PLC0415 - quick start-up

    _choose(app, edition, story, editing.Action.pin, lambda c, s: editing.pin(c, s, position), as_json)


@command.command(
    epilog="""\b
    Example:
      digest edition unpin weekly 412"""
)
@click.argument("edition")
@click.argument("story")
@json_option
@pass_app
def unpin(app: App, edition: str, story: str, as_json: bool) -> None:
    """Take a pin back: the story is judged by its figures again."""
    from digest import edition as editing  # noqa: PLC0415 - quick start-up

    _choose(app, edition, story, editing.Action.pin, editing.unpin, as_json)


@command.command(
    epilog="""\b
    Example:
      digest edition exclude weekly 412"""
)
@click.argument("edition")
@click.argument("story")
@json_option
@pass_app
def exclude(app: App, edition: str, story: str, as_json: bool) -> None:
    """Keep a story out of the edition; the next one moves up."""
    from digest import edition as editing  # noqa: PLC0415 - quick start-up

    _choose(app, edition, story, editing.Action.exclude, editing.exclude, as_json)


@command.command(
    epilog="""\b
    Example:
      digest edition include weekly 412"""
)
@click.argument("edition")
@click.argument("story")
@json_option
@pass_app
def include(app: App, edition: str, story: str, as_json: bool) -> None:
    """Take an exclusion back."""
    from digest import edition as editing  # noqa: PLC0415 - quick start-up

    _choose(app, edition, story, editing.Action.exclude, editing.include, as_json)


@command.command(
    epilog="""\b
    Example:
      digest edition move weekly 412 2"""
)
@click.argument("edition")
@click.argument("story")
@click.argument("position", type=click.IntRange(1))
@json_option
@pass_app
def move(app: App, edition: str, story: str, position: int, as_json: bool) -> None:
    """Put a story of the list at a position."""
    from digest.work import build as work  # noqa: PLC0415 - quick start-up

    found = app.editions.get(edition)
    _changed(found, work.move(app, found, app.stories.resolve(story).id, position, by=actor()), as_json)


@command.command(
    "set",
    epilog="""\b
    Examples:
      digest edition set weekly --subject "The week the ferry came back"
      digest edition set weekly --intro "" """,
)
@click.argument("edition")
@click.option("--subject", help="The subject line.")
@click.option("--preheader", help="What inboxes show behind the subject.")
@click.option("--intro", help="A few words above the first story.")
@json_option
@pass_app
def set_(
    app: App, edition: str, subject: str | None, preheader: str | None, intro: str | None, as_json: bool
) -> None:
    """Set words of the edition; "" goes back to what is made of the headings."""
    from digest.work import build as work  # noqa: PLC0415 - quick start-up

    given = {"subject": subject, "preheader": preheader, "intro": intro}
    words = {key: " ".join(value.split()) for key, value in given.items() if value is not None}
    if not words:
        raise UsageError("nothing to set", hint="Give --subject, --preheader or --intro.")
    found = app.editions.get(edition)
    _changed(found, work.set_words(app, found, words, by=actor()), as_json)


@command.command(
    epilog="""\b
    Examples:
      digest edition approve weekly
      digest edition approve weekly/2026-11-16 --by ada@example.org"""
)
@click.argument("edition")
@click.option("--by", help="Who approves; default: the user who runs the command.")
@json_option
@pass_app
def approve(app: App, edition: str, by: str | None, as_json: bool) -> None:
    """Approve an edition exactly as it is now; it leaves by schedule, or with `digest send`."""
    from digest.work import build as work  # noqa: PLC0415 - quick start-up

    found = app.editions.get(edition)
    if found.state is EditionState.approved and found.approved_hash == found.hash and not found.held:
        say(f"{found.name} is approved already, by {found.approved_by}.")
    else:
        found = work.approve(app, found, by=by or actor())
        app.installation.settle(f"approve {found.name}", at=app.clock.now())
        say(f"{found.name} is approved. It leaves by schedule, or now with: digest send {found.name}")
    for line in _forecast(app, found):
        say(line)
    if as_json:
        print_json(_facts(found))


@command.command(
    epilog="""\b
    Example:
      digest edition hold weekly --reason "waiting for the court's decision" """
)
@click.argument("edition")
@click.option("--reason", required=True, help="Why, for those who find it held.")
@json_option
@pass_app
def hold(app: App, edition: str, reason: str, as_json: bool) -> None:
    """Keep an edition from being approved or sent until it is released."""
    found = app.editions.get(edition)
    held = app.editions.hold(found.id, reason, at=app.clock.now(), by=actor())
    say(f"{held.name} is held. To let it go on: digest edition release {held.name}")
    if as_json:
        print_json(_facts(held))


@command.command(
    epilog="""\b
    Example:
      digest edition release weekly"""
)
@click.argument("edition")
@json_option
@pass_app
def release(app: App, edition: str, as_json: bool) -> None:
    """Let a held edition go on from where it was."""
    found = app.editions.get(edition)
    released = app.editions.release(found.id, at=app.clock.now(), by=actor())
    app.installation.settle(f"held {found.name}", at=app.clock.now())
    say(f"{released.name} is released; it is {_state(released)}.")
    if as_json:
        print_json(_facts(released))


@command.command(
    "check-pages",
    epilog="""\b
    Examples:
      digest edition check-pages weekly
      digest edition check-pages weekly --json""",
)
@click.argument("edition")
@json_option
@pass_app
def check_pages(app: App, edition: str, as_json: bool) -> None:
    """Look now whether the pages of its stories are still there.

    A story whose page says 410, or 404 at two looks an hour apart, is withdrawn, and the edition held. Where
    robots.txt keeps programs away nothing is asked. Exit code 3 when the edition is held for that.
    """
    from digest.work.departure import hold_withdrawn  # noqa: PLC0415 - quick start-up
    from digest.work.page_looks import PageLooks  # noqa: PLC0415 - quick start-up
    from digest.work.permission import Permissions  # noqa: PLC0415
    from digest.work.withdrawals import look_at_edition  # noqa: PLC0415

    found = app.editions.get(edition)
    if found.state not in _NOT_LEFT:
        raise NothingToDo(f"{found.name} is {_state(found)}: what has left cannot be taken back")
    looked = look_at_edition(app, found, PageLooks(Permissions(app.clock)), older_than=dt.timedelta())
    reason = hold_withdrawn(app, found, by=actor())
    if as_json:
        pages = [
            {
                "story": each.story.id,
                "title": each.story.title,
                "url": each.story.url,
                "status": each.status,
                "words": each.words,
                "withdrawn": each.reason,
                "again": each.again,
            }
            for each in looked
        ]
        print_json({"edition": found.name, "pages": pages, "held": reason})
    else:
        table(
            ("Story", "Title", "Status", "", "Looked at again"),
            [(e.story.id, e.story.title, e.status or None, e.reason or e.words, e.again) for e in looked],
        )
    if reason:
        say(f"Held: {reason}")
        click.get_current_context().exit(NothingToDo.exit_code)


@command.command(
    epilog="""\b
    Example:
      digest edition cancel weekly/2026-11-16 --reason "wrong week" """
)
@click.argument("edition")
@click.option("--reason", default="", help="Why.")
@json_option
@pass_app
def cancel(app: App, edition: str, reason: str, as_json: bool) -> None:
    """End an edition for good; what no reader was offered is given back, and its period is free again."""
    from digest.work.identity import gone  # noqa: PLC0415 - quick start-up

    found = app.editions.get(edition)
    cancelled = app.editions.cancel(found.id, at=app.clock.now(), by=actor(), reason=reason)
    app.ledger.cancel(cancelled.id, now=app.clock.now(), gone=gone)
    say(f"{cancelled.name} is cancelled.")
    if as_json:
        print_json(_facts(cancelled))


def _forecast(app: App, edition: Edition) -> list[str]:
    from digest.work.forecast import forecast_in_words, forecast_of  # noqa: PLC0415 - quick start-up

    made = forecast_of(app, edition) if edition.variants else None
    return forecast_in_words(made, app.subscribers.counts(edition.newsletter).reachable) if made else []


def _choose(app: App, edition: str, story: str, action: Any, change: Any, as_json: bool) -> None:
    from digest.work import build as work  # noqa: PLC0415 - quick start-up

    found = app.editions.get(edition)
    number = app.stories.resolve(story).id
    _changed(found, work.choose(app, found, action, lambda c: change(c, number), by=actor()), as_json)


def _changed(before: Edition, after: Edition, as_json: bool) -> None:
    if before.state is EditionState.approved and after.state is EditionState.draft:
        say(f"It was approved as it was before. Approve it again: digest edition approve {after.name}")
    _show(after, as_json=as_json)


def _show(edition: Edition, *, as_json: bool) -> None:
    if as_json:
        print_json({**_facts(edition), "picks": _picks(edition), "left_out": _left_out(edition)})
        return
    click.echo(f"{edition.name}, no. {edition.number}: {_state(edition)}")
    click.echo(f"Subject:   {edition.subject}")
    click.echo(f"Preheader: {edition.preheader}")
    if edition.intro:
        click.echo(f"Intro:     {edition.intro}")
    click.echo(f"Version:   {edition.hash[:12]}")
    table(
        ("", "Story", "Heading", "Why"),
        [(s.position, s.story.id, s.story.title, "; ".join(s.reasons)) for s in edition.stories],
    )
    if edition.left_out:
        table(
            ("Left out", "Heading", "Why"),
            [(o.story.id, o.story.title, o.reason) for o in edition.left_out],
        )


def _facts(edition: Edition) -> dict[str, object]:
    period = edition.period
    return {
        "edition": edition.name,
        "number": edition.number,
        "state": edition.state,
        "hash": edition.hash,
        "approved_hash": edition.approved_hash,
        "approved_by": edition.approved_by,
        "held": edition.held,
        "paused": edition.paused,
        "window": {"start": period.window.start, "end": period.window.end},
        "build_at": period.build_at,
        "lock_at": period.lock_at,
        "send_at": period.send_at,
        "subject": edition.subject,
        "preheader": edition.preheader,
        "intro": edition.intro,
        "metric": edition.metric,
    }


def _picks(edition: Edition) -> list[dict[str, object]]:
    return [
        {
            "rank": each.position,
            "story": each.story.id,
            "external_id": each.story.external_id,
            "url": each.story.url,
            "title": each.story.title,
            "score": each.score.value if each.score else None,
            "reasons": each.reasons,
            "pinned": each.pinned,
        }
        for each in edition.stories
    ]


def _left_out(edition: Edition) -> list[dict[str, object]]:
    return [
        {
            "story": each.story.id,
            "external_id": each.story.external_id,
            "title": each.story.title,
            "by": each.by,
            "reason": each.reason,
            "score": each.score,
        }
        for each in edition.left_out
    ]


def _clipped(edition: Edition) -> str:
    """The state for a table: of a long reason the beginning; `edition show` has all of it."""
    return textwrap.shorten(_state(edition), _LONGEST_STATE, placeholder=" …")


def _state(edition: Edition) -> str:
    """The state with its flags, in one line."""
    if edition.held:
        return (
            f"{edition.state}: {edition.held}"
            if edition.state is EditionState.skipped
            else (f"{edition.state}, held: {edition.held}")
        )
    return f"{edition.state}, paused: {edition.paused}" if edition.paused else edition.state.value
