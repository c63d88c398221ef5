"""What may enter an edition: the stories of a window, each with its signals."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from digest.model import Candidate, Metric, MetricKind, Series, Window
from digest.store.story_rows import STORIES, read
from digest.store.tables import held_over, metric, observation, story, story_use

BEFORE = dt.timedelta(days=1)
"""Readings so long before the window are handed over too: they show how fast a total grew when it began."""

_SERIES = (observation.c.story, observation.c.metric, observation.c.source)

Signals = dict[str, Series]
Observed = tuple[int, int, int, int, float]
"""Story, metric, source, at, value; where there are many, in this order."""


def candidates(
    connection: sa.Connection,
    window: Window,
    newsletter: str,
    *,
    until: dt.datetime,
    also: Iterable[int] = (),
) -> list[Candidate]:
    """Stories dated in the window, those held over to it, and those in `also`, by date and id."""
    held = sa.select(held_over.c.story).where(
        held_over.c.newsletter == newsletter, held_over.c.at <= window.start
    )
    # As a list and not as a subquery, so that both halves of the OR can use an index.
    kept = [*connection.execute(held).scalars(), *also]
    dated = sa.and_(story.c.date >= window.start, story.c.date < window.end)
    chosen = sa.and_(sa.or_(dated, story.c.id.in_(kept)), story.c.merged_into.is_(None))
    rows = connection.execute(STORIES.where(chosen).order_by(story.c.date, story.c.id)).all()
    signals = signals_of(connection, chosen, since=window.start - BEFORE, until=until)
    return [Candidate(read(row), signals.get(row.id, {})) for row in rows]


def used(connection: sa.Connection, newsletter: str, *, besides: int | None = None) -> frozenset[int]:
    """Stories that editions of this newsletter show or have reserved, but for the edition `besides`."""
    query = sa.select(story_use.c.story).where(story_use.c.newsletter == newsletter)
    if besides is not None:
        query = query.where(story_use.c.edition != besides)
    shown = frozenset(connection.execute(query).scalars())
    merged = sa.select(story.c.merged_into).where(story.c.merged_into.is_not(None), story.c.id.in_(query))
    return shown.union(connection.execute(merged).scalars())


def signals_of(
    connection: sa.Connection,
    chosen: sa.ColumnElement[bool],
    *,
    since: dt.datetime | None,
    until: dt.datetime,
) -> Mapping[int, Signals]:
    """Story -> metric name -> readings in [since, until], and for a total the last one before them.

    Those of stories that were merged into one of the chosen belong to it.
    """
    own = _signals_of(connection, chosen, since=since, until=until)
    whole = sa.select(story.c.id).where(chosen)
    parts: dict[int, int] = {
        row.id: row.merged_into
        for row in connection.execute(
            sa.select(story.c.id, story.c.merged_into)
            .where(story.c.merged_into.is_not(None), story.c.merged_into.in_(whole))
            .order_by(story.c.id)
        )
    }
    if not parts:
        return own
    found = dict(own)
    for number, signals in _signals_of(
        connection, story.c.id.in_(list(parts)), since=since, until=until
    ).items():
        into = parts[number]
        found[into] = joined(found.get(into, {}), signals)
    return found


def joined(one: Signals, other: Signals) -> Signals:
    """The signals of two stories that are one. Counts add up: whoever read came to one of the two addresses.
    Totals do not: they are running figures of one thing, of which the larger at each moment counts."""
    made = dict(one)
    for name, series in other.items():
        mine = made.get(name)
        made[name] = series if mine is None else _joined(mine, series)
    return made


def _joined(one: Series, other: Series) -> Series:
    values: dict[int, float] = {}
    if one.metric.kind is MetricKind.count:
        for series in (one, other):
            for at, value in zip(series.at, series.values, strict=True):
                values[at] = values.get(at, 0.0) + value
    else:
        latest = [-math.inf, -math.inf]
        steps = [
            (at, place, value)
            for place, series in enumerate((one, other))
            for at, value in zip(series.at, series.values, strict=True)
        ]
        for at, place, value in sorted(steps):
            latest[place] = value
            values[at] = max(latest)
    moments = tuple(sorted(values))
    return Series(one.metric, moments, tuple(values[moment] for moment in moments))


def _signals_of(
    connection: sa.Connection,
    chosen: sa.ColumnElement[bool],
    *,
    since: dt.datetime | None,
    until: dt.datetime,
) -> Mapping[int, Signals]:
    metrics = {row.id: read_metric(row) for row in connection.execute(sa.select(metric))}
    of_chosen = sa.select(
        observation.c.story,
        observation.c.metric,
        observation.c.source,
        sa.type_coerce(observation.c.at, sa.BigInteger).label("at"),
        observation.c.value,
    ).join(story, story.c.id == observation.c.story)
    recent = of_chosen.where(chosen, observation.c.at <= until)
    if since is None:
        return _by_story(sorted(_observed(connection, recent)), metrics)
    totals = [number for number, each in metrics.items() if each.kind is MetricKind.total]
    # Numbered and not joined to their own maximum: for that PostgreSQL reads the whole table.
    place = sa.func.row_number().over(partition_by=_SERIES, order_by=observation.c.at.desc())
    numbered = (
        of_chosen.add_columns(place.label("place"))
        .where(chosen, observation.c.metric.in_(totals), observation.c.at < since, observation.c.at <= until)
        .subquery()
    )
    readings = (numbered.c[name] for name in ("story", "metric", "source", "at", "value"))
    before = sa.select(*readings).where(numbered.c.place == 1)
    rows = _observed(connection, before) + _observed(connection, recent.where(observation.c.at >= since))
    return _by_story(sorted(rows), metrics)


def _observed(connection: sa.Connection, query: sa.Select[Any]) -> list[Observed]:
    # As the driver has them: whole numbers need no translation, and ten readings of each story no wrapping.
    rows: Sequence[Observed] = connection.execute(query).cursor.fetchall()
    return list(rows)


def read_metric(row: sa.Row[Any]) -> Metric:
    """A row of `metric`."""
    return Metric(
        name=row.name,
        kind=MetricKind(row.kind),
        distinct=row.distinct,
        bucket=None if row.bucket is None else dt.timedelta(seconds=row.bucket),
    )


def _by_story(rows: Iterable[Observed], metrics: Mapping[int, Metric]) -> dict[int, Signals]:
    found: dict[int, Signals] = defaultdict(dict)
    for (story_id, metric_id), group in itertools.groupby(rows, key=lambda row: row[:2]):
        measured = metrics[metric_id]
        by_source = [list(each) for _, each in itertools.groupby(group, key=lambda row: row[2])]
        found[story_id][measured.name] = _series(measured, by_source)
    return found


def _series(measured: Metric, by_source: Sequence[Sequence[Observed]]) -> Series:
    """One series of what several sources measured.

    Counts add up, bucket by bucket. A total cannot be continued by that of another source, which counts from
    its own beginning: the source with the most readings speaks, at a tie the one that was known first.
    """
    if len(by_source) == 1 or measured.kind is MetricKind.total:
        fullest = max(by_source, key=len)
        return Series(measured, tuple(row[3] for row in fullest), tuple(row[4] for row in fullest))
    sums: dict[int, float] = defaultdict(float)
    for row in itertools.chain.from_iterable(by_source):
        sums[row[3]] += row[4]
    at = sorted(sums)
    return Series(measured, tuple(at), tuple(sums[moment] for moment in at))
