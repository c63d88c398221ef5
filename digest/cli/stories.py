"""`digest stories`: import stories from a file or an address, list them, show one."""

from __future__ import annotations

import datetime as dt
import textwrap
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import pass_app
from digest.cli.output import TIME, json_option, print_json, say, table
from digest.cli.story_desk import add, edit, hide, merge, resolved, split
from digest.cli.story_import import import_

if TYPE_CHECKING:
    from digest.app import App
    from digest.model import Story


_BEGINNING = 400
"""So many characters of a story's text are shown."""


@click.group()
def command() -> None:
    """Import stories, look at them, and change what sources say."""


for each in (import_, add, edit, hide, merge, split):
    command.add_command(each)


# --- looking --------------------------------------------------------------------------------------


@command.command(
    "list",
    epilog="""\b
    Examples:
      digest stories list --since 2026-11-09 --until 2026-11-16
      digest stories list --section Politics --limit 10 --json""",
)
@click.option("--since", type=TIME, help="Dated at or after this.")
@click.option("--until", type=TIME, help="Dated before this.")
@click.option("--section", default="", help="Only of this section, spelt as in the story.")
@click.option("--source", default="", metavar="NAME", help="Only those that this source brought first.")
@click.option("--search", default="", metavar="TEXT", help="Only with this in the heading.")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many, newest first."
)
@json_option
@pass_app
def list_(
    app: App,
    since: dt.datetime | None,
    until: dt.datetime | None,
    section: str,
    source: str,
    search: str,
    limit: int,
    as_json: bool,
) -> None:
    """List stories, the newest first; their date is that of publication, else when they were first seen."""
    found = app.stories.list_(
        since=since, before=until, section=section, source_name=source, search=search, limit=limit
    )
    if as_json:
        print_json({"stories": [_brief(story) for story in found]})
    elif found:
        table(
            ("", "date", "section", "source", "heading"),
            ((f"#{s.id}", s.date, s.section, s.source, s.title) for s in found),
        )
    else:
        say("No story. Import some: digest stories import FILE")


def _brief(story: Story) -> dict[str, Any]:
    return {
        "story": story.id,
        "source": story.source,
        "external_id": story.external_id,
        "url": story.url,
        "title": story.title,
        "section": story.section,
        "author": story.author,
        "kind": story.kind,
        "date": story.date,
        "published": story.published,
        "first_seen": story.first_seen,
        "withdrawn": story.withdrawn,
        "hidden": story.hidden,
    }


@command.command(
    epilog="""\b
    Examples:
      digest stories show '#12'
      digest stories show https://paper.example/a-story --json"""
)
@click.argument("story")
@json_option
@pass_app
def show(app: App, story: str, as_json: bool) -> None:
    """Show one story: what is kept of it, its earlier headings, and what was measured; of its text the
    beginning, with --json all.

    STORY is #ID as in the list, the source's own id, SOURCE:ID, or the story's address.
    """
    from digest.importers.clean import plain  # noqa: PLC0415 - quick start-up

    found = resolved(app, story)
    names = app.stories.names(found.id)
    headings = app.stories.headings(found.id)
    parts = app.story_desk.parts(found.id)
    source_says = app.story_desk.edited(found.id)
    signals = app.stories.signals(found.id, until=app.clock.now())
    figures = [
        {
            "metric": name,
            "kind": series.metric.kind,
            "readings": len(series.at),
            "first": dt.datetime.fromtimestamp(series.at[0], dt.UTC),
            "last": dt.datetime.fromtimestamp(series.at[-1], dt.UTC),
            "last_value": series.values[-1],
        }
        for name, series in sorted(signals.items())
        if series.at
    ]
    if as_json:
        whole = _brief(found) | {
            "standfirst": found.standfirst,
            "body": found.body,
            "language": found.language,
            "picture": found.picture,
            "related": found.related,
            "updated": found.updated,
            "full_text": found.full_text,
            "names": names,
            "parts": parts,
            "edited": source_says,
            "earlier_headings": headings,
            "signals": figures,
        }
        print_json(whole)
        return
    facts: list[tuple[str, object]] = [
        ("heading", found.title),
        *((f"until {h.until:%Y-%m-%d %H:%M}Z", h.title) for h in headings),
        ("story", f"#{found.id}"),
        *((f"in {name.source}", name.external_id) for name in names),
        *(("has merged into it", f"#{part}") for part in parts),
        ("address", found.url),
        ("published", found.published),
        ("first seen", found.first_seen),
        ("withdrawn", None if found.hidden else found.withdrawn),
        ("hidden", found.hidden),
        *((f"{name} at its source", str(said)) for name, said in source_says.items()),
        ("kind", found.kind.value),
        ("section", found.section),
        ("author", found.author),
        ("language", found.language),
        ("picture", found.picture.url if found.picture else ""),
        ("its text", found.picture.alt if found.picture else ""),
        ("standfirst", found.standfirst),
        ("body", textwrap.shorten(plain(found.body), _BEGINNING, placeholder=" …")),
        *(("related", f"{link.title} <{link.url}>") for link in found.related),
        *(
            (
                str(f["metric"]),
                f"{f['last_value']:g} at {f['last']:%Y-%m-%d %H:%M}Z, {f['readings']:,} readings",
            )
            for f in figures
        ),
    ]
    table(("", ""), ((name, value) for name, value in facts if value not in (None, "")))
