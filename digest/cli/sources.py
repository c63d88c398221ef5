"""`digest sources`: the configured sources, and looking at them now."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from digest.cli.base import pass_app
from digest.cli.output import json_option, print_json, progress, say, table
from digest.errors import DigestError, NothingToDo, UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.config.settings import Source
    from digest.work.source_check import Checked


@click.group()
def command() -> None:
    """List the configured sources, check them, or look at them now."""


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
    """List the sources of config.toml: what each brought, when it is looked at, and what went wrong.

    "stale": the newest story is older than one and a half times the longest pause that this source made in 90
    days, and older than a day (a week, for one with fewer than three stories).
    """
    from digest.config.problems import mask  # noqa: PLC0415 - quick start-up
    from digest.store.sources import Brought  # noqa: PLC0415
    from digest.work.freshness import freshness  # noqa: PLC0415
    from digest.work.next_poll import next_poll  # noqa: PLC0415

    now, rows = app.clock.now(), []
    known = app.sources.brought(now)
    for source in app.settings.source:
        state, brought = app.sources.get(source.name), known.get(source.name, Brought())
        rows.append(
            {
                "source": source.name,
                "type": source.type,
                "url": mask(source.url),
                "every": source.every,
                "last_poll": state.last_poll,
                "last_success": state.last_success,
                "next_poll": next_poll(source, state, now),
                "failures": state.failures,
                "last_error": state.last_error,
                "stories": brought.stories,
                "newest": brought.newest,
                "newest_age": brought.newest and max(now - brought.newest, dt.timedelta()),
                "freshness": freshness(brought, now),
            }
        )
    if as_json:
        print_json({"sources": rows})
    elif not rows:
        say("No source is configured. Add a [[source]] with name and url to config.toml.")
    else:
        shown = ("source", "freshness", "newest", "stories", "last_poll", "next_poll", "failures", "url")
        table(
            [name.replace("_", " ").replace("url", "address") for name in shown],
            [[row[name] for name in shown] for row in rows],
        )
        for row in rows:
            if row["last_error"]:
                say(f"{row['source']}: {row['last_error']}")


@command.command(
    epilog="""\b
    Examples:
      digest sources check
      digest sources check paper --json"""
)
@click.argument("name", required=False)
@json_option
@pass_app
def check(app: App, name: str | None, as_json: bool) -> None:
    """Fetch and read all sources, or the one called NAME, and say what they would bring. Stores nothing.

    Each web address is asked twice: the second time for what has changed since, which a good server answers
    with 304. Exit code 1 when a source cannot be read or brings no story; 2 when there is none of that name;
    3 when none is configured. Advice alone changes no exit code.
    """
    from digest.importers.fetch import fetch  # noqa: PLC0415 - quick start-up
    from digest.work.source_check import check_source  # noqa: PLC0415

    chosen, results = _chosen(app, name), []
    with progress("Sources", len(chosen)) as bar:
        for source in chosen:
            bar.note(source.name)
            results.append(check_source(source, fetch=fetch, place=app.settings.path, now=app.clock.now()))
            bar()
    if as_json:
        print_json({"sources": results})
    else:
        for checked in results:
            _show(checked)
    bad = [each.source for each in results if each.error or not each.stories]
    if bad:
        raise DigestError(
            f"cannot be read, or bring no story: {', '.join(bad)}", hint="What to change is said above."
        )


def _show(checked: Checked) -> None:
    facts: list[tuple[str, object]] = [("address", checked.url)]
    facts += [("leads to", address) for address in checked.redirects]
    if not checked.error:
        facts += [
            ("type", checked.type),
            ("encoding", checked.encoding),
            ("stories", f"{checked.stories:,}"),
            ("newest", checked.newest),
            ("oldest", checked.oldest),
            ("without a date", f"{checked.undated:,}"),
            ("with a picture", _share(checked.with_picture)),
            ("with the full text", _share(checked.with_full_text)),
            ("rejected", f"{checked.rejected:,}"),
        ]
        facts += [("", f"{count:,} {reason}") for reason, count in list(checked.reasons.items())[:5]]
    if checked.size:
        packed = f", {checked.travelled:,} as it travelled" if checked.travelled else ""
        facts.append(("bytes", f"{checked.size:,}{packed}"))
    if checked.conditional is not None:
        facts += [
            ("seconds", checked.seconds),
            ("304 when unchanged", "yes" if checked.conditional else "no"),
        ]
    table(("", checked.source), facts)
    if checked.error:
        say(f"{checked.source}: {checked.error}")
    for advice in checked.advice:
        say(f"{checked.source}: {advice}")


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


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

    chosen, results = _chosen(app, name), []
    with progress("Sources", len(chosen)) as bar:
        for polled in look(
            chosen,
            stories=app.stories,
            signals=app.signals,
            states=app.sources,
            fetch=fetch,
            clock=app.clock,
            place=app.settings.path,
            force=True,
            finished=lambda _: bar(),
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
