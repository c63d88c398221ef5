"""`digest rank`: the most popular stories of a window, with reasons. Looks; changes nothing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from digest.cli.base import pass_app
from digest.cli.output import DURATION, TIME, json_option, print_json, say, table
from digest.errors import NothingToDo, UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.model import Ranking, Story

_NEAR_MISSES = 20
"""Rows of "left out" on a screen; `--json` has them all."""


@click.command(
    epilog="""\b
    Examples:
      digest rank weekly
      digest rank weekly --at 2026-11-16 --window 7d --limit 10 --json
      digest rank weekly --window 24h --metric points"""
)
@click.argument("newsletter", metavar="NEWSLETTER")
@click.option("--at", type=TIME, help="The end of the window and the cut-off; now, if not given.")
@click.option("--window", "length", type=DURATION, help="Its length; the newsletter's, if not given.")
@click.option("--limit", type=click.IntRange(1, 500), help="How many; the newsletter's count, if not given.")
@click.option("--metric", help="Rank by this metric instead of the newsletter's.")
@json_option
@pass_app
def command(
    app: App,
    *,
    newsletter: str,
    at: dt.datetime | None,
    length: dt.timedelta | None,
    limit: int | None,
    metric: str | None,
    as_json: bool,
) -> None:
    """Rank the stories of the window [AT - WINDOW, AT); nothing later than AT is looked at.

    Caps, near-duplicates and what earlier editions had are as for an edition. Exit code 3 when such a list
    would be held; the reason and the way out are told, and the list is printed all the same.
    """
    from digest.schedule import last_complete  # noqa: PLC0415 - quick start-up

    ranking = _ranking(app, newsletter, at, length, limit=limit, metric=metric)
    if as_json:
        print_json(_document(newsletter, ranking))
    else:
        _show(ranking)
        if at is None and length is None:
            end = last_complete(app.schedule(newsletter), app.clock.now()).window.end
            say(
                f"This is up to now. An edition has the last complete period, as: "
                f"digest rank {newsletter} --at {end.isoformat(timespec='minutes')}"
            )
    if ranking.hold:
        say(f"Held: {ranking.hold}")
        click.get_current_context().exit(NothingToDo.exit_code)


def _ranking(
    app: App,
    newsletter: str,
    at: dt.datetime | None,
    length: dt.timedelta | None,
    *,
    limit: int | None,
    metric: str | None,
) -> Ranking:
    from digest.config.durations import parse_duration  # noqa: PLC0415 - quick start-up
    from digest.model import Window  # noqa: PLC0415
    from digest.ranking import rank  # noqa: PLC0415

    configured = app.newsletter(newsletter)
    if length is None:
        length = parse_duration(configured.window)
    if length <= dt.timedelta(0):
        raise UsageError("a window of no length has no stories", hint="Give --window 7d, or 24h.")
    end = (at or app.clock.now()).astimezone(dt.UTC)
    zone = ZoneInfo(configured.zone)
    # Subtracted in UTC: a day is 24 hours here, whatever the clocks of the zone did.
    window = Window((end - length).astimezone(zone), end.astimezone(zone))
    settings = app.ranking_settings(newsletter)
    if limit is not None:
        settings = dataclasses.replace(settings, count=limit)
    if metric is not None:
        settings = dataclasses.replace(settings, metric=metric, weights={})
    # What the edition of this very window reserved is what it was ranked for, not an earlier use.
    own = app.editions.for_period(newsletter, window.start.date())
    with _uncollected():
        candidates, used = app.stories.candidates(
            window, newsletter, until=end, edition=own.id if own is not None else None
        )
        return rank(candidates, window, settings, used=used, until=end)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles: there are none in half a million small values, and looking for them
    again and again takes a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _document(newsletter: str, ranking: Ranking) -> dict[str, Any]:
    """The shape that scripts rely on: keys are added, never renamed."""
    return {
        "newsletter": newsletter,
        "window": {
            "start": ranking.window.start.astimezone(dt.UTC),
            "end": ranking.window.end.astimezone(dt.UTC),
        },
        "metric": ranking.metric,
        "hold": ranking.hold,
        "picks": [
            {
                "rank": pick.rank,
                **_named(pick.story),
                "score": pick.score.value if pick.score is not None else None,
                "reasons": pick.reasons,
                "pinned": pick.pinned,
                "folded": [_named(story) for story in pick.folded],
            }
            for pick in ranking.picks
        ],
        "left_out": [
            {**_named(left.story), "by": left.by, "reason": left.reason, "score": left.score}
            for left in ranking.left_out
        ],
    }


def _named(story: Story) -> dict[str, Any]:
    return {
        "story": story.id,
        "external_id": story.external_id,
        "url": story.url,
        "title": story.title,
    }


def _show(ranking: Ranking) -> None:
    by = f", by {ranking.metric}" if ranking.metric else ""
    period = f"{ranking.window.start:%d %B %H:%M} to {ranking.window.end:%d %B %H:%M %Z}"
    table(
        ("No.", "Story", "Heading", "Why"),
        [
            (pick.rank, f"#{pick.story.id}", pick.story.title, "; ".join(pick.reasons))
            for pick in ranking.picks
        ],
        title=f"{period}{by}",
    )
    shown = ranking.left_out[:_NEAR_MISSES]
    if shown:
        table(
            ("Left out", "Heading", "Why"),
            [(f"#{left.story.id}", left.story.title, left.reason) for left in shown],
        )
    if len(ranking.left_out) > len(shown):
        say(f"{len(ranking.left_out) - len(shown)} more with --json.")
