"""`digest init`: a folder from which everything else works at once, with mail that goes nowhere but here."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from digest.cli.output import say
from digest.errors import DigestError, UsageError

INBOX_PORT = 2525
"""Where `digest inbox` listens unless told otherwise; so that a new installation cannot mail anyone."""

SLUG = "weekly"


@dataclass(frozen=True)
class Relay:
    """What a relay needs to be told. `suggestions` are written commented out, for the operator to fill in."""

    host: str
    port: int
    tls: str
    note: str
    suggestions: Mapping[str, str] = field(default_factory=dict)


_SIGN_IN = (
    "Then set user, and put the password into the file of password_file (or set both as DIGEST_SMTP__USER "
    "and DIGEST_SMTP__PASSWORD)."
)
TRIAL = Relay(
    "127.0.0.1",
    INBOX_PORT,
    "auto",
    "This one is `digest inbox`, which takes all mail and shows it: for trying things. For real mail name "
    "your relay.",
)
RELAYS = {
    "postfix": Relay("127.0.0.1", 25, "auto", "This one is the Postfix of this machine."),
    "ses": Relay(
        "email-smtp.eu-west-1.amazonaws.com",
        587,
        "required",
        f"This one is Amazon SES; put your region into the host. {_SIGN_IN} SES has SMTP credentials of its "
        "own, other than the access keys.",
        {"user": "SMTP user name from the SES console", "password_file": "smtp.password"},
    ),
    "mailgun": Relay(
        "smtp.mailgun.org",
        587,
        "required",
        f"This one is Mailgun; in its EU region the host is smtp.eu.mailgun.org. {_SIGN_IN} Switch click and "
        "open tracking off for the domain there: it rewrites links.",
        {"user": "postmaster@mg.example.org", "password_file": "smtp.password"},
    ),
    "smtp": Relay(
        "smtp.example.org",
        587,
        "required",
        f"Put the host of your provider here. {_SIGN_IN}",
        {"user": "weekly@example.org", "password_file": "smtp.password"},
    ),
}


def first_config(relay: Relay = TRIAL) -> str:
    """The config.toml of a new installation, which is also the example at the top of the repository."""
    from digest.config.example import example  # noqa: PLC0415 - quick start-up

    newsletter = ("newsletter", SLUG)
    return example(
        {
            ("database", "url"): "sqlite:///digest.db",
            ("smtp", "host"): relay.host,
            ("smtp", "port"): relay.port,
            ("smtp", "tls"): relay.tls,
            ("site", "url"): "http://127.0.0.1:8765",
            ("site", "postal_address"): "",
            ("keys", "file"): "digest.keys",
            ("alerts", "to"): [],
            (*newsletter, "name"): "Weekly",
            (*newsletter, "sender"): f"{SLUG}@example.org",
            (*newsletter, "zone"): "UTC",
            (*newsletter, "window_start"): "mon 00:00",
            (*newsletter, "build"): "mon 06:00",
            (*newsletter, "lock"): "tue 08:00",
            (*newsletter, "send"): "tue 09:00",
            (*newsletter, "approval"): "automatic",
            (*newsletter, "count"): 10,
            (*newsletter, "language"): "en",
        },
        suggestions={("smtp", key): value for key, value in relay.suggestions.items()},
        notes={
            ("smtp",): relay.note,
            ("site", "url"): "Mail to other machines is refused until this address answers, so change it "
            "before real sending.",
            ("newsletter",): "Write one such section for each newsletter.",
            (*newsletter, "sender"): "Change it before real sending: nobody may send as example.org.",
        },
        slug=SLUG,
    )


@click.command(
    epilog="""\b
    Examples:
      digest init news
      digest init /srv/digest --relay postfix"""
)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--relay",
    type=click.Choice(list(RELAYS)),
    help=f"What takes the mail; without it the trial inbox at 127.0.0.1:{INBOX_PORT}.",
)
def command(folder: Path, relay: str | None) -> None:
    """Write a commented config.toml, the keys and an empty database into DIR.

    What it writes works unchanged with `digest inbox`. It never overwrites anything.
    """
    config, keys, store = make(folder, first_config(RELAYS[relay] if relay else TRIAL))
    say(f"Made {config}, {keys.name} (keep a copy of it elsewhere) and {store.name}.\n")
    say(_next_steps(folder, trial=relay is None))


def make(folder: Path, text: str) -> tuple[Path, Path, Path]:
    """Makes config.toml with this text, digest.keys and digest.db in the folder: all of it or nothing.

    Raises `UsageError` when one of them exists already, `DigestError` for a text that is no configuration.
    """
    from digest.config import load  # noqa: PLC0415 - quick start-up
    from digest.store import Database  # noqa: PLC0415
    from digest.tokens import KeyRing  # noqa: PLC0415

    config, keys, store = (folder / name for name in ("config.toml", "digest.keys", "digest.db"))
    for path in (config, keys, store):
        if path.exists():
            raise UsageError(f"{path} exists already", hint="Nothing was changed; choose another folder.")
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made.append(config)
        _write_new(config, text)
        settings = load(config, {})
        made += [keys, store, *(store.with_name(store.name + end) for end in ("-wal", "-shm"))]
        KeyRing.load(settings.path(settings.keys.file), create=True)
        Database(settings.database_url()).create_or_upgrade()
    except (OSError, DigestError) as error:
        for path in made:  # all or nothing, so that a second try is not refused
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UsageError(f"{error.filename or folder}: {error.strerror}") from None
        raise
    return config, keys, store


def _write_new(path: Path, text: str) -> None:
    """Mode 600: passwords may come to stand in it. Raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def _next_steps(folder: Path, *, trial: bool) -> str:
    steps = [(f"cd {shlex.quote(str(folder))}", "")] if folder.resolve() != Path.cwd() else []
    if not trial:
        steps.append(("digest config check", "once relay, sender and public address are in config.toml"))
    steps += [
        ("digest stories import FILE", "or name feeds as [[source]] in config.toml"),
        ("digest signals import FILE --metric views --kind count", ""),
        (f"digest subscribers import FILE --newsletter {SLUG} --basis TEXT", ""),
        (f"digest rank {SLUG}", "the most popular stories of the last seven days, and why"),
        (f"digest edition build {SLUG}", "the edition of last week; then: digest preview " + SLUG),
    ]
    if trial:
        steps.append(("digest inbox", "in a second terminal: takes all mail and shows it"))
    steps.append(("digest run", "builds and sends every week by itself"))
    return "Next:\n" + "\n".join(f"  {what:<30} {why}".rstrip() for what, why in steps)
