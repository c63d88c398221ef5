"""`digest subscribers`: taking people in, taking them off, and who is there."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from digest.cli.base import pass_app
from digest.cli.output import json_option, print_json, progress, say, table
from digest.errors import ImportFailed, StoreError, UsageError

if TYPE_CHECKING:
    from digest.app import App
    from subscribers import Listing, Rejected, Subscription

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
STATES = ("pending", "confirmed", "unsubscribed")
REASONS = ("manual", "imported", "hard_bounce", "soft_bounce", "complaint")
SHOWN = 10
"""Rejected rows that are also named on the screen."""


@click.group()
def command() -> None:
    """Import and look at subscribers and suppressions."""


def _mapping(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> Mapping[str, str]:
    pairs = [value.partition("=") for value in values]
    for need, equals, column in pairs:
        if not (need and equals and column):
            raise click.BadParameter(f"{need!r} is not FIELD=COLUMN, such as email=Contact")
    return {need.strip(): column.strip() for need, _, column in pairs}


map_option = click.option(
    "--map",
    "columns",
    multiple=True,
    metavar="FIELD=COLUMN",
    callback=_mapping,
    help="Which column holds email, name, first_name, last_name, language or status, where its heading does "
    "not say so; COLUMN - means: none.",
)
rejected_option = click.option(
    "--rejected",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where rows that were not taken are listed with the reason; otherwise FILE.rejected.csv.",
)


@command.command(
    "import",
    epilog="""\b
    Examples:
      digest subscribers import people.csv --newsletter weekly --basis "double opt-in at the old site"
      digest subscribers import fair.csv --newsletter weekly --basis "signed up there" --map email=Kontakt""",
)
@click.argument("file", type=FILE)
@click.option("--newsletter", required=True, metavar="SLUG", help="What these people get.")
@click.option("--basis", required=True, help="How you know that they agreed; kept with each of them.")
@click.option("--wording", default="", help="The words that they agreed to, where you have them.")
@map_option
@rejected_option
@json_option
@pass_app
def import_(
    app: App,
    *,
    file: Path,
    newsletter: str,
    basis: str,
    wording: str,
    columns: Mapping[str, str],
    rejected: Path | None,
    as_json: bool,
) -> None:
    """Take in people who have agreed to get a newsletter, from a CSV file.

    The columns email and name are found by their headings, as Mailchimp, Ghost, Substack, listmonk and Brevo
    write them. Run again it changes nothing. It never brings back anyone who left or is suppressed, and
    leaves out whom the other program had as unsubscribed, bounced or unconfirmed.
    """
    app.newsletter(newsletter)
    listing = _looked_through(file, columns, everyone=False)
    app.editions.ensure_newsletter(newsletter, since=app.clock.now())
    with progress(f"Importing {file.name}", total=listing.rows) as bar:
        bar(len(listing.left_out))
        with _in_batches(file):
            report = app.subscribers.import_confirmed(
                listing.entries(),
                newsletter,
                source=f"import:{file.name}",
                basis=basis,
                wording=wording,
                progress=bar,
            )
    refused = sorted((*listing.left_out, *report.rejected), key=lambda each: each.row)
    kept = _keep_rejected(refused, rejected or file.with_name(f"{file.name}.rejected.csv"))
    if as_json:
        print_json(
            {
                "newsletter": newsletter,
                "rows": listing.rows,
                "new": report.new,
                "already": report.already,
                "left_before": report.left_before,
                "suppressed": report.suppressed,
                "rejected": len(refused),
                "rejected_file": kept,
                "smtputf8": report.smtputf8,
            }
        )
    else:
        click.echo(
            f"{report.new:,} new, {report.already:,} already there, {report.left_before:,} left before, "
            f"{report.suppressed:,} suppressed, {len(refused):,} not taken"
        )
    if report.smtputf8:
        are = "address has" if report.smtputf8 == 1 else "addresses have"
        say(
            f"{report.smtputf8:,} new {are} other than ASCII before the @: only a relay that offers SMTPUTF8 "
            "takes such mail."
        )
    _tell(refused, kept)
    if refused and len(refused) == listing.rows:
        raise ImportFailed(str(file), "not one row could be used", hint="Is this the right file and column?")


@command.command(
    epilog="""\b
    Examples:
      digest subscribers suppress bounced.csv --reason hard_bounce
      digest subscribers suppress --address angry@example.org --note "asked by letter\""""
)
@click.argument("file", type=FILE, required=False)
@click.option("--address", "addresses", multiple=True, help="One address; may be given more than once.")
@click.option(
    "--reason", type=click.Choice(REASONS), default="manual", show_default=True, help="Why they get no more."
)
@click.option("--note", default="", help="Where that comes from.")
@map_option
@rejected_option
@json_option
@pass_app
def suppress(
    app: App,
    *,
    file: Path | None,
    addresses: Sequence[str],
    reason: str,
    note: str,
    columns: Mapping[str, str],
    rejected: Path | None,
    as_json: bool,
) -> None:
    """Never write to these addresses again, whatever newsletter they have: a CSV file, single ones, or both.

    Kept as keyed hashes, so that it outlives the erasure of a person. The first reason of an address stays.
    """
    from subscribers import Entry, SuppressionReason  # noqa: PLC0415 - quick start-up

    if file is None and not addresses:
        raise UsageError("nobody to suppress", hint="Name a FILE or an --address.")
    refused: list[Rejected] = []
    new = already = rows = 0
    if file is not None:
        listing = _looked_through(file, columns, everyone=True)
        rows += listing.rows
        refused += listing.left_out
        with progress(f"Suppressing {file.name}", total=listing.rows) as bar:
            bar(len(listing.left_out))
            with _in_batches(file):
                report = app.subscribers.import_suppressions(
                    listing.entries(), SuppressionReason(reason), note, progress=bar
                )
        new, already = report.new, report.already
        refused += report.rejected
    if addresses:
        single = app.subscribers.import_suppressions(
            [Entry(each.strip()) for each in addresses], SuppressionReason(reason), note
        )
        rows += len(addresses)
        new, already = new + single.new, already + single.already
        refused += single.rejected
    beside = file.with_name(f"{file.name}.rejected.csv") if file is not None else None
    kept = _keep_rejected(sorted(refused, key=lambda each: each.row), rejected or beside)
    if as_json:
        print_json(
            {"rows": rows, "new": new, "already": already, "rejected": len(refused), "rejected_file": kept}
        )
    else:
        click.echo(f"{new:,} new, {already:,} suppressed before, {len(refused):,} not taken")
    _tell(refused, kept)
    if refused and len(refused) == rows:
        raise ImportFailed(str(file or addresses[0]), "not one address could be used")


@command.command(
    epilog="""\b
    Examples:
      digest subscribers leave someone@example.org
      digest subscribers leave someone@example.org --newsletter weekly"""
)
@click.argument("address")
@click.option("--newsletter", metavar="SLUG", help="Only this one; otherwise all.")
@json_option
@pass_app
def leave(app: App, address: str, newsletter: str | None, as_json: bool) -> None:
    """Take someone off who asked for it by mail or in a letter."""
    if newsletter is not None:
        app.newsletter(newsletter)
    found = [
        each
        for each in app.subscribers.of_address(address.strip())
        if newsletter is None or each.newsletter == newsletter
    ]
    if not found:
        raise UsageError(
            f"{address} is not subscribed" + (f" to {newsletter}" if newsletter else ""),
            hint="Look for another spelling: digest subscribers list --newsletter SLUG",
        )
    left = [app.subscribers.leave(each.id, source="operator") for each in found]
    if as_json:
        print_json([_facts(each) for each in left])
        return
    for each in left:
        click.echo(f"{each.address or 'an erased person'} gets {each.newsletter} no more")


@command.command(
    "list",
    epilog="""\b
    Examples:
      digest subscribers list --newsletter weekly
      digest subscribers list --newsletter weekly --state unsubscribed --json""",
)
@click.option("--newsletter", required=True, metavar="SLUG", help="Whose.")
@click.option("--state", type=click.Choice(STATES), help="Only these.")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Go on behind this number.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="At most so many.")
@json_option
@pass_app
def list_(app: App, *, newsletter: str, state: str | None, after: int, limit: int, as_json: bool) -> None:
    """Who has a newsletter, in the order in which they came."""
    from subscribers import SubscriptionState  # noqa: PLC0415 - quick start-up

    app.newsletter(newsletter)
    found = app.subscribers.subscriptions(
        newsletter, state=SubscriptionState(state) if state else None, after=after, limit=limit
    )
    if as_json:
        print_json([_facts(each) for each in found])
        return
    table(
        ("number", "address", "name", "state", "since"),
        ((each.id, each.address or "(erased)", each.name, each.state, each.changed) for each in found),
    )
    if len(found) == limit:
        say(f"There may be more: --after {found[-1].id}")


@command.command(
    epilog="""\b
    Examples:
      digest subscribers count
      digest subscribers count --newsletter weekly --json"""
)
@click.option("--newsletter", metavar="SLUG", help="Only this one; otherwise all.")
@json_option
@pass_app
def count(app: App, newsletter: str | None, as_json: bool) -> None:
    """How many people each newsletter has, and how many addresses are suppressed."""
    if newsletter is not None:
        app.newsletter(newsletter)
    slugs = [newsletter] if newsletter else sorted(app.settings.newsletter)
    counts = [app.subscribers.counts(slug) for slug in slugs]
    suppressed = app.subscribers.suppressions()
    if as_json:
        print_json(
            {
                "newsletters": [
                    {
                        "newsletter": each.newsletter,
                        **{state: each.states[state] for state in each.states},
                        "reachable": each.reachable,
                    }
                    for each in counts
                ],
                "suppressed": suppressed,
            }
        )
        return
    table(
        ("newsletter", *STATES, "gets the next edition"),
        ((each.newsletter, *each.states.values(), each.reachable) for each in counts),
    )
    total = sum(suppressed.values())
    by_reason = ", ".join(f"{reason.replace('_', ' ')}: {n:,}" for reason, n in sorted(suppressed.items()))
    click.echo(f"Suppressed addresses: {total:,}" + (f" ({by_reason})" if total else ""))


# --- shared -------------------------------------------------------------------------------------------


@contextmanager
def _in_batches(file: Path) -> Iterator[None]:
    """A store that fails half-way keeps the batches before: whoever reads the error should know."""
    try:
        yield
    except StoreError as error:
        again = f"What came before stays; importing {file.name} again goes on from there and doubles nobody."
        error.hint = f"{error.hint} {again}".strip()
        raise


def _looked_through(file: Path, columns: Mapping[str, str], *, everyone: bool) -> Listing:
    from subscribers import read_list  # noqa: PLC0415 - quick start-up

    try:
        return read_list(file, columns, everyone=everyone)
    except OSError as error:
        _unreadable(file, error)


def _unreadable(file: Path, error: OSError) -> NoReturn:
    raise ImportFailed(str(file), f"cannot be read: {error.strerror}") from None


def _keep_rejected(refused: Sequence[Rejected], file: Path | None) -> Path | None:
    """Lists refused rows in a file; None where there are none, or where it cannot be written."""
    if not refused or file is None:
        return None
    try:
        with file.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(("line", "email", "reason"))
            writer.writerows((each.row or "", each.address, each.reason) for each in refused)
    except (OSError, UnicodeEncodeError) as error:
        say(f"{file} cannot be written ({error}); use --rejected to choose another place.")
        return None
    return file


def _tell(refused: Sequence[Rejected], kept: Path | None) -> None:
    for each in refused[:SHOWN]:
        where = f"line {each.row}: " if each.row else ""
        say(f"Not taken: {where}{each.address + ': ' if each.address else ''}{each.reason}")
    if len(refused) > SHOWN:
        say(f"... and {len(refused) - SHOWN:,} more" + (f"; all in {kept}" if kept else ""))
    elif kept is not None:
        say(f"Also in {kept}")


def _facts(each: Subscription) -> dict[str, str | int | dt.datetime | None]:
    return {
        "subscription": each.id,
        "newsletter": each.newsletter,
        "address": each.address,
        "name": each.name,
        "state": each.state.value,
        "since": each.changed,
    }
