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
      digest rank weekly --window 24h --metric points
      digest rank weekly --at 2026-11-16 --explain https://example.org/a-story"""
)
@click.argument("newsletter", metavar="NEWSLETTER")
@click.option("--at", type=TIME, help="The end of the window and the cut-off; now, if not given.")
@click.option("--window", "length", type=DURATION, help="Its length; the newsletter's, if not given.")
@click.option("--limit", type=click.IntRange(1, 500), help="How many; the newsletter's count, if not given.")
@click.option("--metric", help="Rank by this metric instead of the newsletter's.")
@click.option(
    "--explain",
    "explained",
    metavar="STORY",
    help="Why this one story is in or out: #ID, a source's id for it, or its address.",
)
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
    explained: str | None,
    as_json: bool,
) -> None:
    """Rank the stories of the window [AT - WINDOW, AT); nothing later than AT is looked at.

    Caps, near-duplicates and what earlier editions had are as for an edition. Exit code 3 when such a list
    would be held; the reason and the way out are told, and the list is printed all the same.
    """
    from digest.schedule import last_complete  # noqa: PLC0415 - quick start-up

    story = None if explained is None else app.stories.resolve(explained)
    ranking = _ranking(app, newsletter, at, length, limit=limit, metric=metric, story=story)
    if story is not None:
        explanation = _explanation(ranking, story)
        if as_json:
            print_json(explanation)
        else:
            _tell(explanation)
    elif as_json:
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
    story: Story | None,
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
        always = frozenset() if story is None else frozenset({story.id})
        return rank(candidates, window, settings, used=used, until=end, always=always)


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


def _explanation(ranking: Ranking, story: Story) -> dict[str, Any]:
    """Of one story. `needed` is the score of the last story that got in by its own score."""
    scores = [pick.score.value for pick in ranking.picks if pick.score is not None and not pick.pinned]
    found: dict[str, Any] = {
        **_named(story), "metric": ranking.metric, "rank": None, "by": None, "reasons": (), "score": None,
        "needed": min(scores, default=None), "folded": [],
    }  # fmt: skip
    for pick in ranking.picks:
        if pick.story.id == story.id:
            score = pick.score.value if pick.score is not None else None
            folded = [_named(each) for each in pick.folded]
            return {**found, "rank": pick.rank, "reasons": pick.reasons, "score": score, "folded": folded}
    for left in ranking.left_out:
        if left.story.id == story.id:
            return {**found, "by": left.by, "reasons": (left.reason,), "score": left.score}
    window = f"{ranking.window.start:%d %B %H:%M} to {ranking.window.end:%d %B %H:%M %Z}"
    return {**found, "reasons": (f"dated {story.date:%d %B %Y %H:%M} UTC, not in the window {window}",)}


def _tell(found: dict[str, Any]) -> None:
    place = f"number {found['rank']} of the list" if found["rank"] else "not in the list"
    rows = [("story", f"#{found['story']} {found['title']}"), ("is", place)]
    rows += [("why", reason) for reason in found["reasons"]]
    if found["score"] is not None:
        rows.append(("score", f"{found['score']:,.1f}"))
    if found["needed"] is not None:
        rows.append(("the last one in has", f"{found['needed']:,.1f}"))
    rows += [("stands for", f"#{each['story']} {each['title']}") for each in found["folded"]]
    table(("", ""), rows)


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
