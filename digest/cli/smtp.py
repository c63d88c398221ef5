"""`digest smtp`: whether the relay can be used, how it is spoken to, and what rate to expect."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import fields
from typing import TYPE_CHECKING

import click

from digest.cli.base import pass_app
from digest.cli.output import json_option, print_json, say
from digest.errors import DigestError, UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.model import Message, Outcome
    from digest.smtp.examine import Examined

_PATIENCE = 30.0
"""Seconds for the greeting and each reply: somebody is waiting."""


@click.group()
def command() -> None:
    """Try the relay."""


@command.command(
    epilog="""\b
    Examples:
      digest smtp test
      digest smtp test you@example.org
      digest smtp test --fallback --json"""
)
@click.argument("address", required=False)
@click.option("--fallback", is_flag=True, help="The second server, [fallback].")
@json_option
@pass_app
def test(app: App, address: str | None, fallback: bool, as_json: bool) -> None:
    """Talk to the relay and show the conversation, its TLS, sign-in, and the rate to expect.

    With ADDRESS one message is sent there. Passwords and tokens are never shown. Ends with exit code 1 when
    the relay cannot be used, or does not take the message.
    """
    from digest.smtp.examine import examine  # noqa: PLC0415 - quick start-up
    from digest.smtp.relay import Relay  # noqa: PLC0415

    settings = app.settings.fallback if fallback else app.settings.smtp
    section = "fallback" if fallback else "smtp"
    if not settings.host:
        raise UsageError("there is no second server", hint="Name one: [fallback] host in config.toml.")
    patient = settings.model_copy(update={"timeout": min(settings.timeout, _PATIENCE)})
    message = None if address is None else _message(app, address)

    def listen(who: str, line: str) -> None:
        if not as_json:
            say(f"{who}: {line}")

    examined = asyncio.run(examine(Relay(patient, section=section), message, listen))
    if as_json:
        print_json(_document(examined))
    else:
        for line in _words(examined):
            click.echo(line)
    if examined.outcome is not None and examined.outcome.kind.value != "accepted":
        if as_json:
            sys.exit(DigestError.exit_code)
        raise _not_taken(address or "", examined.outcome)


def _document(examined: Examined) -> dict[str, object]:
    told = {field.name: getattr(examined, field.name) for field in fields(examined)}
    if examined.outcome is not None:  # the number of a delivery that is none says nothing
        told["outcome"] = {k: v for k, v in examined.outcome._asdict().items() if k != "delivery"}
    return told


def _message(app: App, address: str) -> Message:
    """A letter from the first newsletter, for its sender is what a relay looks at."""
    from digest.config.values import address_problem  # noqa: PLC0415 - quick start-up
    from digest.model import Message  # noqa: PLC0415
    from digest.work.letters import letter  # noqa: PLC0415

    problem = address_problem(address)
    if problem:
        raise UsageError(f"{address!r} is no address: {problem}")
    newsletter = next(iter(app.settings.newsletter.values()), None)
    if newsletter is None:
        raise UsageError(
            "there is no newsletter to send from",
            hint="Add [newsletter.weekly] with its sender to config.toml.",
        )
    made = letter(
        sender_name=newsletter.sender_name or newsletter.name,
        sender=newsletter.sender,
        to=address,
        subject="A test of the relay",
        text="This came from `digest smtp test`: the relay takes mail from here.\n",
        at=app.clock.now(),
    )
    return Message(0, newsletter.sender, address, made.as_bytes())


def _words(examined: Examined) -> list[str]:
    lines = [f"Server       {examined.server}, which calls itself {examined.name or 'nothing'}"]
    tls = examined.encryption
    if tls is None:
        lines.append("TLS          none")
    else:
        expires = f", good until {tls.expires:%Y-%m-%d}" if tls.expires else ""
        lines += [
            f"TLS          {tls.version}, {tls.cipher}",
            f"Certificate  {tls.subject}, issued by {tls.issuer}{expires}",
        ]
    lines.append(f"Sign-in      {'done' if examined.signed_in else 'none asked for'}")
    offers = ", ".join(f"{key} {value}".rstrip() for key, value in examined.extensions.items())
    trip, rate = f"{examined.round_trip * 1000:.1f} ms", _rounded(examined.rate)
    lines += [
        f"It offers    {offers or 'no extensions'}",
        f"Mode         {examined.mode.value}",
        f"Round trip   {trip}: at most about {rate} messages a second, if the relay keeps up",
    ]
    outcome = examined.outcome
    if outcome is not None:
        lines.append(f"Message      {outcome.kind.value}: {_said(outcome)}")
    return lines


def _rounded(rate: float) -> str:
    """Two figures: it is no more exact than that."""
    return f"{float(f'{rate:.2g}'):,.0f}" if rate >= 1 else f"{rate:.2g}"


def _said(outcome: Outcome) -> str:
    return f"{outcome.code or ''} {outcome.reply}".strip()


def _not_taken(address: str, outcome: Outcome) -> DigestError:
    from digest.replies import meaning  # noqa: PLC0415 - quick start-up

    hint = meaning(outcome.code, outcome.reply, outcome.enhanced).hint
    if outcome.at == "MAIL" and not hint:
        hint = "Check the newsletter's sender in config.toml."
    return DigestError(f"the message to {address} was not taken: {_said(outcome)}", hint=hint)
