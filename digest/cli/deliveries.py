"""`digest deliveries`: what became of each copy, and what to do about those that nobody can know of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import actor, pass_app
from digest.cli.output import json_option, print_json, say, table
from digest.cli.sending import domain_table, in_states, in_words
from digest.errors import EditionError, NothingToDo, UsageError
from digest.model import Delivery, DeliveryState, EditionState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from digest.app import App
    from digest.model import Edition

_SHOWN = 50
_ANY_SERVER = "If that server's log says that it has none of them: --resend --any-server."


class _Group(click.Group):
    """`digest deliveries EDITION` lists; `digest deliveries resolve EDITION` decides."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [arg for arg in args if not arg.startswith("-")]
        if words and not self.commands.keys() & set(words):
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "EDITION [--state STATE] [--domains] [--all] [--json]")
        formatter.write_usage(ctx.command_path, "resolve EDITION --resend | --skip")


@click.group(
    cls=_Group,
    epilog="""\b
    Examples:
      digest deliveries weekly
      digest deliveries weekly --state uncertain --json
      digest deliveries resolve weekly --skip""",
)
def command() -> None:
    """What became of each copy of an edition."""


@command.command(
    "list",
    epilog="""\b
    Examples:
      digest deliveries weekly
      digest deliveries weekly --domains
      digest deliveries list weekly --state rejected --all""",
)
@click.argument("edition")
@click.option(
    "--state",
    type=click.Choice([state.value for state in DeliveryState]),
    help="Only copies in this state.",
)
@click.option(
    "--domains",
    is_flag=True,
    help="Figures for each domain instead of single copies; with --state for those that have such copies.",
)
@click.option("--all", "everything", is_flag=True, help=f"Every copy or domain; else the first {_SHOWN}.")
@json_option
@pass_app
def list_(app: App, edition: str, state: str | None, domains: bool, everything: bool, as_json: bool) -> None:
    """List the copies of an edition with their state and the relay's last words (the word `list` may be left
    out). Of one that is leaving it says how fast, and how long it will take."""
    found = app.editions.get(edition)
    wanted = DeliveryState(state) if state else None
    if domains:
        _by_domain(app, found, wanted, everything or as_json, as_json)
        return
    counts = app.ledger.counts(found.id)
    limit = None if everything or as_json else _SHOWN
    rows = list(app.ledger.deliveries(found.id, _message_id(app, found), state=wanted, limit=limit))
    going = app.ledger.progress(found.id) if found.state is EditionState.sending else None
    if as_json:
        print_json(
            {
                "edition": found.name,
                "counts": counts,
                "rate": going.rate if going else None,
                "seconds_left": going.seconds_left if going else None,
                "deliveries": [_facts(row) for row in rows],
            }
        )
        return
    say(f"{found.name}: {in_states(counts) or 'the audience is not fixed yet'}")
    if going is not None and going.rate:
        say(f"Leaving now: {in_words(going.rate, going.left, going.seconds_left)}")
    if not rows:
        return
    # Where a copy is in doubt, it matters whose log to look into.
    servers = any(row.state is DeliveryState.uncertain for row in rows)
    table(
        ["Address", "State", "Attempts", *(["Server"] if servers else []), "Reply"],
        [
            (row.address, row.state.value, row.attempts, *([row.server] if servers else []), _reply(row))
            for row in rows
        ],
    )
    more = (counts[wanted] if wanted else sum(counts.values())) - len(rows)
    if more:
        say(f"{more:,} more: --all, or --state.")


@command.command(
    epilog="""\b
    Examples:
      digest deliveries resolve weekly --skip
      digest deliveries resolve weekly/2026-11-16 --resend --only ada@example.org
      digest deliveries resolve weekly --resend --any-server"""
)
@click.argument("edition")
@click.option("--resend", is_flag=True, help="Send them once more, with the same Message-ID.")
@click.option(
    "--any-server",
    is_flag=True,
    help="With --resend: through whichever server is in use. Only for copies that the log of the server that "
    "was given them does not have.",
)
@click.option("--skip", is_flag=True, help="Leave them as they are; they get nothing more.")
@click.option("--only", multiple=True, metavar="ADDRESS", help="Only this address; may be repeated.")
@json_option
@pass_app
def resolve(
    app: App,
    edition: str,
    resend: bool,
    any_server: bool,
    skip: bool,
    only: tuple[str, ...],
    as_json: bool,
) -> None:
    """Decide about uncertain copies: the connection broke after their text, before the relay's answer.

    The relay's log knows which of them it took. Sent again, a reader may have two copies; most mailboxes show
    one of two with the same Message-ID. A copy is sent again only to the server that may have it; where that
    one is no longer configured, it stays as it is.
    """
    from digest.work import alerts  # noqa: PLC0415 - quick start-up
    from digest.work.bound import known  # noqa: PLC0415

    if resend == skip or (any_server and skip):
        raise UsageError("what is to happen with them?", hint="Give --resend or --skip.")
    found = app.editions.get(edition)
    if resend and found.state is EditionState.cancelled:
        raise EditionError(found.name, "was cancelled: nothing more of it leaves", hint="Give --skip.")
    numbers = None
    if only:
        uncertain = app.ledger.deliveries(found.id, str, state=DeliveryState.uncertain)
        numbers = [row.id for row in uncertain if row.address.lower() in {each.lower() for each in only}]
    changed = app.ledger.resolve(
        found.id,
        resend=resend,
        now=app.clock.now(),
        actor=actor(),
        deliveries=numbers,
        servers=known(app.settings) if resend and not any_server else None,
        anew=any_server,
    )
    stays = _stays(app.ledger.may_have(found.id, numbers))
    if not changed:
        none = f"{found.name} has no uncertain copies" + (" to these addresses" if only else "")
        raise NothingToDo(stays or none, hint=_ANY_SERVER if stays else "")
    if not app.ledger.counts(found.id)[DeliveryState.uncertain]:
        app.installation.settle(alerts.in_doubt(found.name), at=app.clock.now())
    if as_json:
        print_json({"edition": found.name, "resolved": changed, "resend": resend})
    if resend:
        say(f"{changed:,} will be sent once more. Now: digest send {found.name} --resume (or digest run)")
        if stays:
            say(f"{stays}: left as they are. {_ANY_SERVER}")
    else:
        say(f"{changed:,} left as they are.")


def _stays(may_have: Mapping[str, int]) -> str:
    """Which copies are not sent again, in words; "" when there are none."""
    return "; ".join(
        f"{count:,} may be with {server}, which is not configured any more"
        if server
        else f"of {count:,} nobody noted which server may have them"
        for server, count in may_have.items()
    )


def _by_domain(
    app: App, found: Edition, wanted: DeliveryState | None, everything: bool, as_json: bool
) -> None:
    domains = app.ledger.domains(found.id, limit=10_000 if everything or wanted else _SHOWN)
    if wanted is not None:
        domains = [each for each in domains if each.counts.get(wanted)]
    if as_json:
        facts = [{"domain": each.domain or None, "counts": each.counts} for each in domains]
        print_json({"edition": found.name, "domains": facts})
        return
    say(f"{found.name}: {in_states(app.ledger.counts(found.id)) or 'the audience is not fixed yet'}")
    if domains:
        domain_table(domains)


def _message_id(app: App, edition: Edition) -> Any:
    """Makes the Message-ID of a copy: it is not kept, since the same delivery always gives the same."""
    from digest.compose.frame import message_id  # noqa: PLC0415 - quick start-up
    from digest.tokens import Purpose, sign  # noqa: PLC0415

    sender, keys = edition.sender, app.keys

    def make(number: int) -> str:
        if sender is None:
            return ""
        return message_id(sender, sign(keys, Purpose.message, number, key_id=edition.key_id))

    return make


def _facts(row: Delivery) -> dict[str, object]:
    return {
        "address": row.address,
        "state": row.state,
        "message_id": row.message_id,
        "attempts": row.attempts,
        "reply": row.reply,
        "skip_reason": row.skip_reason,
        "next_attempt": row.next_attempt,
        "server": row.server,
    }


def _reply(row: Delivery) -> str:
    return row.skip_reason or row.reply
