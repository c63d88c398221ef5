"""Stories and figures to rank, written as briefly as a test wants to read them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from digest.model import Candidate, Metric, MetricKind, Series, Story, StoryKind, Window

START = dt.datetime(2026, 11, 9, tzinfo=dt.UTC)
END = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
WEEK = Window(START, END)

POINTS = Metric("points", MetricKind.total)
VIEWS = Metric("page_views", MetricKind.count, bucket=dt.timedelta(hours=1))
READERS = Metric("readers", MetricKind.count, distinct=True, bucket=dt.timedelta(days=1))

SECOND_DAY = START + dt.timedelta(days=1)

WORDS = tuple(
    word
    for line in (
        "harbour violin glacier parliament orchard tunnel verdict eclipse ferry census",
        "mosaic drought referee lantern quarry sonata tariff comet bakery harvest",
    )
    for word in line.split()
)


def hours(count: float) -> dt.timedelta:
    return dt.timedelta(hours=count)


def story(
    number: int,
    *,
    date: dt.datetime = SECOND_DAY,
    title: str | None = None,
    standfirst: str = "",
    section: str = "",
    author: str = "",
    url: str | None = None,
    source: str = "feed",
    withdrawn: dt.datetime | None = None,
    kind: StoryKind = StoryKind.article,
    hidden: str = "",
) -> Story:
    """A story like no other, but for what is said."""
    words = [WORDS[(number * step + step) % len(WORDS)] for step in (1, 3, 7)]
    return Story(
        id=number,
        source=source,
        external_id=f"x{number}",
        url=f"https://example.org/{number}" if url is None else url,
        title=f"{' '.join(words)} n{number}" if title is None else title,
        standfirst=standfirst,
        section=section,
        author=author,
        first_seen=date,
        published=date,
        withdrawn=withdrawn,
        hidden=hidden,
        kind=kind,
    )


def series(metric: Metric, *readings: tuple[dt.datetime, float]) -> Series:
    ordered = sorted(readings)
    return Series(
        metric, tuple(int(at.timestamp()) for at, _ in ordered), tuple(float(value) for _, value in ordered)
    )


def candidate(of: Story, *signals: Series) -> Candidate:
    return Candidate(of, {each.metric.name: each for each in signals})


def scored(number: int, points: float, *, end: dt.datetime = END, **facts: object) -> Candidate:
    """A story with so many points in all, the last of them read well before the end: nothing is projected."""
    of = story(number, **facts)  # type: ignore[arg-type]  # the facts of `story`
    early = max(of.date, START) + hours(1)
    return candidate(of, series(POINTS, (early, points / 2), (early + hours(1), points)))


def fresh(number: int, points: float) -> Candidate:
    """As `scored`, with one more reading of the same points at the very end: the figures are up to date."""
    of = story(number)
    return candidate(of, series(POINTS, (of.date + hours(1), points), (END, points)))


def ids(rows: Sequence[object]) -> list[int]:
    """Story ids of picks, left-out ones or candidates, in order."""
    return [row.story.id for row in rows]  # type: ignore[attr-defined]  # all three have a story
