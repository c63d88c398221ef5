"""`digest sources`: the configured sources, and looking at them now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from digest.cli.base import pass_app
from digest.cli.output import json_option, print_json, say, table
from digest.errors import DigestError, NothingToDo, UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.config.settings import Source


@click.group()
def command() -> None:
    """Look at the configured sources now."""


@command.command(
    "list",
    epilog="""\b
    Examples:
      digest sources list
      digest sources list --json""",
)
@json_option
@pass_app
def list_(app: App, as_json: bool) -> None:
    """List the sources of config.toml: when each was looked at, when it is due, and what went wrong."""
    rows = []
    for source in app.settings.source:
        state = app.sources.get(source.name)
        rows.append(
            {
                "source": source.name,
                "type": source.type,
                "url": source.url,
                "every": source.every,
                "last_poll": state.last_poll,
                "last_success": state.last_success,
                "next_poll": state.last_poll + source.every if state.last_poll else app.clock.now(),
                "last_error": state.last_error,
            }
        )
    if as_json:
        print_json({"sources": rows})
    elif not rows:
        say("No source is configured. Add a [[source]] with name and url to config.toml.")
    else:
        table(
            ("source", "type", "last poll", "last success", "next poll", "last error", "address"),
            (
                (
                    r["source"],
                    source.type.value,
                    r["last_poll"],
                    r["last_success"],
                    r["next_poll"],
                    r["last_error"],
                    r["url"],
                )
                for r, source in zip(rows, app.settings.source, strict=True)
            ),
        )


@command.command(
    epilog="""\b
    Examples:
      digest sources poll
      digest sources poll paper --json"""
)
@click.argument("name", required=False)
@json_option
@pass_app
def poll(app: App, name: str | None, as_json: bool) -> None:
    """Look at all sources now, or at the one called NAME, due or not, and take in what is new.

    Exit code 1 when a source could not be read; the others are looked at all the same. Exit code 3 when none
    is configured.
    """
    from digest.importers.fetch import fetch  # noqa: PLC0415 - quick start-up
    from digest.work.poll import poll as look  # noqa: PLC0415

    results = []
    for polled in look(
        _chosen(app, name),
        stories=app.stories,
        signals=app.signals,
        states=app.sources,
        fetch=fetch,
        clock=app.clock,
        place=app.settings.path,
        force=True,
    ):
        results.append(polled)
        for note in polled.notes:
            say(f"{polled.source}: {note}")
        if polled.error:
            say(f"{polled.source}: {polled.error}")
    if as_json:
        print_json({"sources": results})
    else:
        table(
            ("source", "new", "changed", "same", "rejected", ""),
            (
                (
                    p.source,
                    p.counts.new,
                    p.counts.changed,
                    p.counts.same,
                    p.rejected,
                    "failed" if p.error else "nothing new since last time" if p.unchanged else "",
                )
                for p in results
            ),
        )
    failed = [p.source for p in results if p.error]
    if failed:
        raise DigestError(f"could not be read: {', '.join(failed)}", hint="See: digest sources list")


def _chosen(app: App, name: str | None) -> tuple[Source, ...]:
    configured = app.settings.source
    if not configured:
        raise NothingToDo(
            "no source is configured", hint="Add a [[source]] with name and url to config.toml."
        )
    chosen = tuple(source for source in configured if name in (None, source.name))
    if not chosen:
        raise UsageError(
            f"there is no source {name!r}", hint=f"Configured: {', '.join(s.name for s in configured)}."
        )
    return chosen
