"""`digest config`: whether the configuration is right, and what is in effect."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import click

from digest.cli.base import Session, pass_session
from digest.cli.output import json_option, print_json, say

if TYPE_CHECKING:
    from digest.config import Loaded, Newsletter, Settings

_HIDDEN = "********"
_RESERVED = ("example.org", "example.com", "example.net", ".example", ".test", ".invalid", ".localhost")


@click.group()
def command() -> None:
    """Check the configuration, or show what is in effect."""


@command.command(
    epilog="""\b
    Examples:
      digest config check
      digest config check --config /srv/digest/config.toml"""
)
@json_option
@pass_session
def check(session: Session, as_json: bool) -> None:
    """Read config.toml, the DIGEST_ variables and the key files, and say whether they are right.

    Everything wrong is listed with file, line and what is allowed; exit code 2. What is allowed but will not
    do for real sending is noted.
    """
    from digest.config import read  # noqa: PLC0415 - quick start-up
    from digest.tokens import KeyRing  # noqa: PLC0415
    from digest.work.dkim_keys import KeyFolder  # noqa: PLC0415

    loaded = read(session.config, os.environ)
    settings = loaded.settings
    KeyRing.load(settings.path(settings.keys.file))
    dkim = KeyFolder(settings.path(settings.dkim.keys), required=settings.dkim.required)
    signs = {slug: dkim.signing(each.sender.rpartition("@")[2]) for slug, each in settings.newsletter.items()}
    notes = [
        *_file_notes(loaded),
        *_missing(settings),
        *_notes(settings, {slug for slug, keys in signs.items() if keys}),
    ]
    if as_json:
        print_json({"file": loaded.file, "ok": True, "notes": notes})
        return
    for note in notes:
        say(f"Note: {note}")
    newsletters = ", ".join(settings.newsletter) or "none"
    click.echo(f"{loaded.file}: ok (newsletters: {newsletters}; sources: {len(settings.source)})")


def _file_notes(loaded: Loaded) -> Iterator[str]:
    from digest.config.problems import mask  # noqa: PLC0415 - quick start-up

    settings = loaded.settings
    in_file = any((section, "password") in loaded.lines for section in ("smtp", "fallback", "database"))
    holds_secret = in_file or mask(settings.database.url) != settings.database.url
    if holds_secret and stat.S_IMODE(loaded.file.stat().st_mode) & 0o077:
        yield f"others may read the password in {loaded.file}. Run: chmod 600 {loaded.file}"


def _missing(settings: Settings) -> Iterator[str]:
    """What is named and is not there; it may come yet, so that nothing is wrong."""
    for slug, newsletter in settings.newsletter.items():
        for number, file in enumerate(newsletter.attachments, 1):
            path = settings.path(file)
            if not path.is_file():
                yield f"newsletter.{slug}.attachments[{number}]: there is no file {path}; no edition is built"
    senders = {newsletter.sender.rpartition("@")[2].lower() for newsletter in settings.newsletter.values()}
    for domain in settings.dkim.required:
        if not any(f".{sender}".endswith(f".{domain}") for sender in senders):
            yield f"dkim.required names {domain}, from which no newsletter is sent"


def _notes(settings: Settings, signed: Collection[str]) -> Iterator[str]:
    smtp, site = settings.smtp, settings.site
    if not settings.newsletter:
        yield "there is no newsletter; add a section such as [newsletter.weekly]"
    for name, server in (("smtp", smtp), ("fallback", settings.fallback)):
        if server.host and server.port == 465 and server.tls.value != "implicit":
            yield f'{name}.port 465 speaks implicit TLS; set {name}.tls = "implicit", or port 587'
        if server.host and server.tls.value == "none" and server.user and not server.loopback:
            yield f"{name}.tls is none: nobody signs in, for passwords do not cross a network in the clear"
    if smtp.loopback and smtp.port != 25 and (not settings.fallback.host or settings.fallback.loopback):
        return  # the trial inbox: nothing leaves this machine
    if not site.url.startswith("https://"):
        yield f"site.url is {site.url}; one-click unsubscription needs https:// (RFC 8058)"
    if not site.postal_address:
        yield "site.postal_address is empty; many countries require it in the footer"
    for slug, newsletter in settings.newsletter.items():
        yield from _sender_notes(slug, newsletter, signed=slug in signed)


def _sender_notes(slug: str, newsletter: Newsletter, *, signed: bool) -> Iterator[str]:
    if any(unicodedata.category(c) == "So" for c in newsletter.sender_name or newsletter.name):
        yield f"newsletter.{slug} has a picture in its sender's name; large mailbox providers distrust it"
    if newsletter.sender.lower().endswith(_RESERVED):
        yield f"newsletter.{slug}.sender is {newsletter.sender}, from which nobody can send"
    elif not signed:
        domain = newsletter.sender.rpartition("@")[2]
        yield (
            f"mail of newsletter.{slug} is not signed here: the relay has to sign for {domain}, or make "
            f"a key: digest dkim keygen {domain}"
        )


@command.command(
    epilog="""\b
    Examples:
      digest config show
      DIGEST_SMTP__PORT=587 digest config show --json"""
)
@json_option
@pass_session
def show(session: Session, as_json: bool) -> None:
    """Show every setting in effect and where it comes from: a line of the file, a variable, or its default.

    Secrets are masked.
    """
    from digest.config import read  # noqa: PLC0415 - quick start-up
    from digest.config.problems import dotted  # noqa: PLC0415
    from digest.config.schema import written  # noqa: PLC0415

    loaded = read(session.config, os.environ)
    rows = [(dotted(path), value, origin) for path, value, origin in effective(loaded)]
    if as_json:
        print_json(
            {
                "file": loaded.file,
                "settings": [{"key": key, "value": value, "origin": origin} for key, value, origin in rows],
            }
        )
        return
    click.echo(f"# {loaded.file}")
    for key, value, origin in rows:
        click.echo(f"{key} = {written(value) or '(not set)'}  # {origin}")


def effective(loaded: Loaded) -> Iterator[tuple[tuple[str | int, ...], object, str]]:
    """Path, value and origin of every key, in the order of the models; secrets masked."""
    from digest.config import schema  # noqa: PLC0415 - quick start-up
    from digest.config.problems import mask  # noqa: PLC0415
    from digest.config.schema import Shape  # noqa: PLC0415

    settings = loaded.settings
    for name in schema.top_level():
        yield (name,), getattr(settings, name), loaded.origin((name,))
    for section in schema.sections():
        kept = getattr(settings, section.name)
        members: list[tuple[tuple[str | int, ...], object]]
        if section.shape is Shape.table:
            members = [((section.name,), kept)]
        elif section.shape is Shape.named:
            members = [((section.name, slug), member) for slug, member in kept.items()]
        else:
            members = [((section.name, index), member) for index, member in enumerate(kept)]
        for base, member in members:
            for name, field in section.model.model_fields.items():
                path, value = (*base, name), getattr(member, name)
                origin = loaded.origin(path)
                if schema.is_secret(field) and value is not None:
                    file = (*base, f"{name}_file")
                    origin = loaded.origin(file) if origin == "default" else origin
                    value = _HIDDEN
                yield path, mask(value) if isinstance(value, str) else value, origin
