"""`digest stories add | edit | hide | merge | split`: what editors do to stories."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import actor, pass_app
from digest.cli.output import TIME, json_option, print_json, say
from digest.cli.story_import import pages_of
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.importers.draft import Fields
    from digest.model import Picture, Story

BY_HAND = "by-hand"
"""The source of stories that an editor added."""

_KINDS = ("article", "live", "gallery", "video", "sponsored")


def resolved(app: App, ref: str, *, part: bool = False) -> Story:
    """The story that a person means, by its address in any of its forms, too. Raises `UsageError`."""
    from digest.importers.links import canonical_url, is_url  # noqa: PLC0415 - quick start-up

    try:
        return app.stories.resolve(ref, part=part)
    except UsageError:
        try:
            address = canonical_url(ref) if is_url(ref) else ref
        except ValueError:
            address = ref
        if address == ref:
            raise
        return app.stories.resolve(address, part=part)


def _words(function: Any) -> Any:
    """The options for what a story says."""
    options = (
        click.option("--title", metavar="TEXT", help="The heading."),
        click.option("--standfirst", metavar="TEXT", help="One or two sentences under the heading."),
        click.option(
            "--body", metavar="HTML", help="The text, as HTML or with an empty line between paragraphs."
        ),
        click.option("--author", metavar="NAME", help="Who wrote it."),
        click.option("--section", metavar="NAME", help="Its section, spelt as readers see it."),
        click.option("--language", metavar="TAG", help="Such as en or pt-BR."),
        click.option("--picture", metavar="URL", help="The address of its picture."),
        click.option("--alt", metavar="TEXT", help="What the picture shows, for those who do not see it."),
        click.option("--credit", metavar="NAME", help="Whose picture it is."),
        click.option("--kind", type=click.Choice(_KINDS), help="What it is."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command(
    epilog="""\b
    Examples:
      digest stories add https://paper.example/a-story
      digest stories add https://paper.example/a-story --title 'A story' --section Culture
      digest stories add https://paper.example/a-story --title 'A story' --date '2026-11-12 09:00' --json"""
)
@click.argument("url")
@_words
@click.option("--date", type=TIME, help="When it was published; without it now counts, as first seen.")
@json_option
@pass_app
def add(app: App, /, url: str, date: dt.datetime | None, as_json: bool, **words: Any) -> None:
    """Add a story by hand: its address is enough where its page says the rest, else its address and heading.

    A story that is known by this address stays as it is: change it with digest stories edit.
    """
    from digest.importers.draft import Refused, draft  # noqa: PLC0415

    fields = _fields(url, words, date)
    if not fields.title.strip():
        pages = pages_of(app, BY_HAND)
        pages([fields])
        for note in pages.notes:
            say(f"Note: {note}")
    try:
        made = draft(fields)
    except Refused as refused:
        raise UsageError(
            f"{url}: {refused}",
            hint="Say --title TEXT." if "heading" in str(refused) else "Give its whole address: https://...",
        ) from None
    counts = app.stories.import_drafts(BY_HAND, [made], seen=app.clock.now())
    story = app.stories.resolve(f"{BY_HAND}:{made.external_id}")
    if as_json:
        print_json({"story": story.id, "new": bool(counts.new), "url": story.url, "title": story.title})
    elif counts.new:
        click.echo(f"#{story.id} added: {story.title}")
    else:
        click.echo(f"#{story.id} is known by this address: {story.title}")


def _fields(url: str, words: dict[str, Any], date: dt.datetime | None) -> Fields:
    """What was said, as a source would state it."""
    from digest.importers.draft import Fields  # noqa: PLC0415
    from digest.model import StoryKind  # noqa: PLC0415

    shown = _picture(url, words["picture"] or "", words["alt"], words["credit"] or "")
    return Fields(
        url=url,
        title=words["title"] or "",
        title_html=False,
        summary=words["standfirst"] or "",
        content=words["body"] or "",
        author=words["author"] or "",
        section=words["section"] or "",
        language=words["language"] or "",
        pictures=[] if shown is None else [shown],
        published=date,
        kind=StoryKind(words["kind"]) if words["kind"] else StoryKind.article,
    )


def _picture(base: str, url: str, alt: str | None, credit: str) -> Picture | None:
    from digest.importers.draft import picture  # noqa: PLC0415

    if not url:
        return None
    made = picture(url, base=base, alt=alt, credit=credit)
    if made is None:
        raise UsageError(f"--picture {url}: it is no address of a picture", hint="Such as https://...")
    return made


@click.command(
    epilog="""\b
    Examples:
      digest stories edit '#12' --title 'A better heading'
      digest stories edit https://paper.example/a-story --section '' --alt 'Children on a pier'
      digest stories edit '#12' --undo"""
)
@click.argument("story")
@_words
@click.option("--undo", is_flag=True, help="Say again what the source says.")
@json_option
@pass_app
def edit(app: App, /, story: str, undo: bool, as_json: bool, **words: Any) -> None:
    """Write a story's words over those of its source; an empty text takes them away.

    What is written here stays, whatever the source says later, until --undo. The former heading is kept. An
    edition that has the story already is offered the change, as when a source makes it.
    """
    found = resolved(app, story)
    said = {name: value for name, value in words.items() if value is not None}
    if undo == bool(said):
        raise UsageError("nothing to write", hint="Say --title TEXT and the like, or --undo, and not both.")
    now = app.clock.now()
    if undo:
        done = app.story_desk.give_back(found.id, at=now, by=actor())
    else:
        done = app.story_desk.edit(found.id, _columns(found, said), at=now, by=actor())
    after = app.stories.get(found.id)
    told = "says what its source says" if undo else "changed"
    _report(as_json, after, done, told if done else "was like that already")


def _columns(story: Story, said: dict[str, Any]) -> dict[str, Any]:
    """What was said, cleaned as everything that a source says is."""
    from digest.importers.body import read_body  # noqa: PLC0415
    from digest.importers.clean import cut, heading, line  # noqa: PLC0415
    from digest.importers.draft import MAX_SUMMARY, language_tag  # noqa: PLC0415

    clean: dict[str, Callable[[str], str]] = {
        "title": lambda text: heading(text, html=False),
        "standfirst": lambda text: cut(line(text), MAX_SUMMARY),
        "body": lambda text: read_body(text, base=story.url).html,
        "author": lambda text: line(text, 200),
        "section": lambda text: line(text, 200),
        "language": language_tag,
        "kind": str,
    }
    columns: dict[str, Any] = {name: make(said[name]) for name, make in clean.items() if name in said}
    if columns.get("title") == "":
        raise UsageError(f"#{story.id}: no heading", hint="Every story has one.")
    if {"picture", "alt", "credit"} & said.keys():
        columns["picture"] = _changed_picture(story, said)
    return columns


def _changed_picture(story: Story, said: dict[str, Any]) -> dict[str, Any] | None:
    """The picture with what was said of it; another address brings none of the old one's words along."""
    if "picture" in said:
        made = _picture(story.url, said["picture"], said.get("alt"), said.get("credit", ""))
        return None if made is None else dataclasses.asdict(made)
    if story.picture is None:
        raise UsageError(f"#{story.id} has no picture", hint="Say --picture URL, too.")
    kept = dataclasses.asdict(story.picture)
    return kept | {name: said[name] for name in ("alt", "credit") if name in said}


@click.command(
    epilog="""\b
    Examples:
      digest stories hide '#12' --reason 'a court forbids it'
      digest stories hide '#12' --undo"""
)
@click.argument("story")
@click.option("--reason", default="", metavar="TEXT", help="Why; it is kept, and said where it is missed.")
@click.option("--undo", is_flag=True, help="Let it into editions again.")
@json_option
@pass_app
def hide(app: App, story: str, reason: str, undo: bool, as_json: bool) -> None:
    """Take a story out of every coming edition; one that it is in already is held until a person looks.

    To leave it out of one edition only: digest edition exclude.
    """
    from digest.importers.clean import line  # noqa: PLC0415

    if undo == bool(line(reason)):
        raise UsageError("why is the story hidden?", hint="Say --reason TEXT, or --undo, and not both.")
    found = resolved(app, story)
    now = app.clock.now()
    if undo:
        done = app.story_desk.unhide(found.id, at=now, by=actor())
    else:
        done = app.story_desk.hide(found.id, reason=line(reason, 500), at=now, by=actor())
    told = ("is no longer hidden" if undo else "hidden") if done else "was like that already"
    _report(as_json, app.stories.get(found.id), done, told)


@click.command(
    epilog="""\b
    Examples:
      digest stories merge '#12' '#31'
      digest stories merge https://paper.example/a https://paper.example/a-second-address --json"""
)
@click.argument("story")
@click.argument("others", nargs=-1, required=True, metavar="OTHER...")
@json_option
@pass_app
def merge(app: App, story: str, others: tuple[str, ...], as_json: bool) -> None:
    """Make several stories one: STORY, whose words stay.

    The others' addresses and names mean it from now on, and their signals count for it: counts are added,
    running totals are not (the larger one counts). Undone by digest stories split.
    """
    into = resolved(app, story)
    parts = [resolved(app, other) for other in others]
    app.story_desk.merge(into.id, [part.id for part in parts], at=app.clock.now(), by=actor())
    merged = ", ".join(f"#{part.id}" for part in parts)
    if as_json:
        print_json({"story": into.id, "merged": [part.id for part in parts], "title": into.title})
    else:
        click.echo(f"#{into.id} has {merged} merged into it: {into.title}")


@click.command(
    epilog="""\b
    Examples:
      digest stories split '#31'
      digest stories split '#12' --name other-paper:a-guid"""
)
@click.argument("story")
@click.option("--name", default="", metavar="SOURCE:ID", help="Make a story of its own of this name of it.")
@json_option
@pass_app
def split(app: App, story: str, name: str, as_json: bool) -> None:
    """Undo a merge: STORY, by its own number or address, is a story of its own again, with its own signals.

    With --name: two sources have the same link for it, and yet mean two stories.
    """
    now = app.clock.now()
    if name:
        source, colon, external_id = name.partition(":")
        if not colon or not external_id:
            raise UsageError(f"--name {name!r} is not SOURCE:ID", hint="See its names: digest stories show.")
        found = resolved(app, story)
        made = app.story_desk.split_name(found.id, source, external_id, at=now, by=actor())
        own, of = app.stories.get(made), found.id
    else:
        own = resolved(app, story, part=True)
        of = app.story_desk.split(own.id, at=now, by=actor())
    if as_json:
        print_json({"story": own.id, "from": of, "title": own.title})
    else:
        click.echo(f"#{own.id} is a story of its own again, apart from #{of}: {own.title}")


def _report(as_json: bool, story: Story, done: bool, told: str) -> None:
    if as_json:
        print_json({"story": story.id, "changed": done, "title": story.title, "hidden": story.hidden})
    else:
        click.echo(f"#{story.id} {told}: {story.title}")
