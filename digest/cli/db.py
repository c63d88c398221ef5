"""`digest db`: bring the database to this version, or check it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from digest.cli.base import Session, pass_app, pass_session
from digest.cli.output import json_option, print_json, say
from digest.errors import StoreError
from digest.store import Database
from digest.store.versions import known

if TYPE_CHECKING:
    from digest.app import App


@click.group("db")
def command() -> None:
    """Bring the database to this version, or check it."""


@command.command()
@json_option
@pass_session
def upgrade(session: Session, as_json: bool) -> None:
    """Make the database, or bring it to this version.

    Safe to run again, and by two at once. Everything happens in one transaction: when it fails, nothing
    changed. Make a copy of the file (or a dump) before the upgrade of a database that matters.

    Example: digest db upgrade
    """
    database = Database(session.settings.database_url())
    before, after = database.create_or_upgrade()
    if as_json:
        print_json({"database": database.name, "before": before, "after": after})
    elif before == after:
        say(f"{database.name} is up to date (schema {after}).")
    else:
        say(f"{database.name} is now at schema {after}" + (f", was {before}." if before else "."))


@command.command()
@json_option
@pass_session
def check(session: Session, as_json: bool) -> None:
    """Check that the database is of this version and undamaged.

    Reads the whole of an SQLite file and looks for rows that refer to nothing.

    Example: digest db check --json
    """
    database = Database(session.settings.database_url())
    problem: StoreError | None = None
    damage: list[str] = []
    version: str | None = None
    try:
        version = database.version()
        database.check()
        damage = database.damage()
    except StoreError as error:
        problem = error
    if problem is None and damage:
        problem = StoreError(
            f"{database.name} is damaged: {damage[0]}",
            hint="Stop digest, keep a copy of the file, and restore the last backup.",
        )
    if as_json:
        print_json(
            {
                "database": database.name,
                "schema": version,
                "newest": known()[-1],
                "ok": problem is None,
                "problem": "" if problem is None else problem.message,
                "hint": "" if problem is None else problem.hint,
                "damage": damage,
            }
        )
    if problem is not None:
        raise problem
    if not as_json:
        say(f"{database.name} is fine (schema {version}).")


@command.command("accept-restore")
@pass_app
def accept_restore(app: App) -> None:
    """Say that a restored backup may send again.

    A database that went back in time does not know what has left since the backup. First look at
    `digest edition list` and at the relay's log; cancel the editions whose readers have their copies.

    Example: digest db accept-restore
    """
    from digest.work import alerts  # noqa: PLC0415 - quick start-up

    generation = app.generation.accept()
    app.installation.settle(alerts.RESTORED, at=app.clock.now())
    say(f"{app.database.name} is taken as it is; sending goes on from step {generation}.")
