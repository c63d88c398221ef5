"""`digest dkim`: the keys that sign mail, and the records that DNS must have for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from digest.cli.base import pass_app
from digest.cli.output import json_option, print_json, say
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.compose import SigningKey
    from digest.work.dkim_keys import Kept

_STRING = 255
"""Octets of one string of a TXT record (RFC 1035 3.3.14)."""

selector_option = click.option(
    "--selector", default="", metavar="NAME", help="The name of the key in DNS; otherwise the date of today."
)


@click.group()
def command() -> None:
    """Keys that sign mail (DKIM): make, show, change.

    First `keygen`, then put the record into DNS, and when it can be seen there, `activate`. Without an
    active key nothing is signed here, and the relay has to sign. A new key every year or so: `rotate`, the
    record, and `activate`; the old record has to stay in DNS for seven days.
    """


@command.command(
    epilog="""\b
    Examples:
      digest dkim keygen example.org
      digest dkim keygen example.org --selector s2026 --ed25519"""
)
@click.argument("domain")
@selector_option
@click.option(
    "--ed25519", is_flag=True, help="A second, Ed25519 signature as well (RFC 8463); one more record."
)
@json_option
@pass_app
def keygen(app: App, *, domain: str, selector: str, ed25519: bool, as_json: bool) -> None:
    """Make the first key of a domain, RSA with 2048 bits.

    DOMAIN is the one behind the @ of the sender, or one above it. The key does not sign before `activate`.
    """
    keys = app.dkim_keys
    if any(each.signs for each in keys.kept(domain)):
        raise UsageError(f"{domain} has a key that signs", hint=f"The next one: digest dkim rotate {domain}")
    _tell([keys.make(domain, selector, ed25519=ed25519, at=app.clock.now())], as_json=as_json)


@command.command(
    epilog="""\b
    Examples:
      digest dkim rotate example.org
      digest dkim rotate example.org --selector s2027"""
)
@click.argument("domain")
@selector_option
@json_option
@pass_app
def rotate(app: App, *, domain: str, selector: str, as_json: bool) -> None:
    """Make the next key of a domain, of the same kinds.

    The present one goes on signing until the new one is activated.
    """
    keys = app.dkim_keys
    kept = keys.kept(domain)
    present = next((each for each in kept if each.signs), None)
    if present is None:
        waiting = next((each for each in kept if each.retired is None), None)
        way = (
            f"It has {waiting.selector}. When DNS shows it: digest dkim activate {domain} {waiting.selector}"
            if waiting
            else f"Make one: digest dkim keygen {domain}"
        )
        raise UsageError(f"{domain} has no key that signs", hint=way)
    ed25519 = any(key.algorithm == "ed25519-sha256" for key in present.keys)
    _tell([keys.make(domain, selector, ed25519=ed25519, at=app.clock.now())], as_json=as_json)


@command.command(
    epilog="""\b
    Example:
      digest dkim activate example.org s20261116"""
)
@click.argument("domain")
@click.argument("selector")
@json_option
@pass_app
def activate(app: App, *, domain: str, selector: str, as_json: bool) -> None:
    """Sign with this key from now on, once DNS shows its record.

    Looks nothing up: a receiver that does not find the record takes the mail as unsigned. An edition that is
    leaving goes on with the key that it began with until its run ends.
    """
    now = app.dkim_keys.activate(domain, selector, at=app.clock.now())
    before = [each for each in app.dkim_keys.kept(domain) if not each.signs]
    if as_json:
        print_json([_facts(each) for each in (now, *(each for each in before if each.removable))])
        return
    click.echo(f"{now.domain} signs with {now.selector} from now on")
    for each in before:
        if each.removable:
            say(f"{each.selector}: leave its record in DNS until {_day(each.removable)}.")


@command.command(
    epilog="""\b
    Examples:
      digest dkim show
      digest dkim show example.org --json"""
)
@click.argument("domain", required=False)
@json_option
@pass_app
def show(app: App, *, domain: str | None, as_json: bool) -> None:
    """Show the keys of a domain, or of all, with the records that DNS must have.

    Each record as a line of a zone file, and as the plain value that web forms ask for. No private key is
    shown.
    """
    keys = app.dkim_keys
    found = [each for name in ([domain] if domain else keys.domains()) for each in keys.kept(name)]
    if domain and not found:
        raise UsageError(f"{domain} has no keys", hint=f"Make one: digest dkim keygen {domain}")
    if not found and not as_json:
        say("There are no keys; the relay has to sign. To sign here: digest dkim keygen DOMAIN")
    _tell(found, as_json=as_json)


def zone_line(key: SigningKey) -> str:
    """The record for a zone file, in strings of at most 255 octets (RFC 1035 3.3.14)."""
    strings = [key.record[at : at + _STRING] for at in range(0, len(key.record), _STRING)]
    quoted = " ".join(f'"{each}"' for each in strings)
    return (
        f"{key.name}. 3600 IN TXT ( {quoted} )" if len(strings) > 1 else f"{key.name}. 3600 IN TXT {quoted}"
    )


def _tell(found: Sequence[Kept], *, as_json: bool) -> None:
    if as_json:
        print_json([_facts(each) for each in found])
        return
    for each in found:
        click.echo(f"{each.domain}, selector {each.selector}: {_state(each)}")
        for key in each.keys:
            click.echo(f"\n  for a zone file:\n{zone_line(key)}")
            click.echo(f"\n  for a web form, type TXT, name {key.name}:\n{key.record}")
        click.echo()
    for each in found:
        if not each.signs and each.retired is None:
            say(f"When DNS shows it: digest dkim activate {each.domain} {each.selector}")


def _state(kept: Kept) -> str:
    if kept.signs:
        return "signs"
    if kept.removable is None:
        return "does not sign yet"
    return f"signs no more; its record may go after {_day(kept.removable)}"


def _day(moment: dt.datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def _facts(kept: Kept) -> dict[str, object]:
    return {
        "domain": kept.domain,
        "selector": kept.selector,
        "signs": kept.signs,
        "retired": kept.retired,
        "removable": kept.removable,
        "records": [
            {"algorithm": key.algorithm, "name": key.name, "value": key.record, "zone": zone_line(key)}
            for key in kept.keys
        ],
    }
