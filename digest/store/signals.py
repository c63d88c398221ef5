"""Readings of popularity, kept idempotently: the same file imported twice changes nothing, a corrected one
replaces.

A reading is known by story, metric, source and moment. Nothing is dropped silently: what belongs to no story
is counted by the name that it came under.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from digest.errors import DigestError, UsageError
from digest.model import Metric, Reading
from digest.store import Database
from digest.store.candidates import read_metric
from digest.store.dialects import among, insert
from digest.store.sources import source_id
from digest.store.stories import batches
from digest.store.tables import ID, metric, story, story_name

MOST = 1e15
"""A larger figure is a mistake, and a week of such would not add up (IEEE 754: whole numbers to 2^53)."""
BATCH = 5000
"""Readings a transaction: a large file never holds the write lock for long."""

# As in tables.py, but with moments as the whole seconds that they are in the database.
_observation = sa.table(
    "observation",
    sa.column("story", ID),
    sa.column("metric", ID),
    sa.column("source", ID),
    sa.column("at", sa.BigInteger),
    sa.column("value", sa.Float),
)
_KEY = ("story", "metric", "source", "at")

Key = tuple[int, int]
"""Story id and moment, in one import the only parts of a reading's name that differ."""


@dataclass(frozen=True, slots=True)
class SignalCounts:
    """What became of the readings; all of it adds up to their number.

    `unknown` and `ambiguous` give for each name how many readings came under it that were not stored: no
    story has this name, or stories of several sources do.
    """

    new: int = 0
    replaced: int = 0
    same: int = 0
    unknown: Mapping[str, int] = field(default_factory=dict)
    ambiguous: Mapping[str, int] = field(default_factory=dict)


class Signals:
    """Everything that was measured."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        measured: Metric,
        source: str,
        readings: Iterable[Reading],
        *,
        progress: Callable[[int], object] | None = None,
    ) -> SignalCounts:
        """Stores readings that `source` took of one metric; of two for one moment the later one counts.

        `Reading.story` is a name that a source gave the story (the same source's first), or its canonical
        URL. Each batch is one transaction; `progress` is called with its size. Raises `DigestError` for a
        metric that is known as the other kind, and `UsageError` for a value that is no number.
        """
        with self._database.write() as connection:
            by_metric = _metric_id(connection, measured)
            by_source = source_id(connection, source)
        names = _Names(by_source)
        totals: Counter[str] = Counter()
        for batch in batches(readings, BATCH):
            with self._database.read() as connection:
                names.learn(connection, {reading.story for reading in batch})
            found = [
                (number, math.floor(reading.at.timestamp()), _checked(reading))
                for reading in batch
                if (number := names.story(reading)) is not None
            ]
            if found:
                with self._database.write() as connection:
                    totals.update(_store(connection, by_metric, by_source, found))
            if progress is not None:
                progress(len(batch))
        return SignalCounts(
            totals["new"], totals["replaced"], totals["same"], dict(names.unknown), dict(names.ambiguous)
        )

    def metrics(self) -> list[Metric]:
        """Every metric that was ever recorded, by name."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(metric).order_by(metric.c.name)).all()
        return [read_metric(row) for row in rows]


def _checked(reading: Reading) -> float:
    if reading.at.tzinfo is None:
        raise ValueError(f"a time without a zone cannot be stored: {reading.at}")
    if not abs(reading.value) <= MOST:  # neither is NaN
        raise UsageError(
            f"{reading.story}, {reading.at}: {reading.value} is not a number of anything",
            hint="Correct or remove this row.",
        )
    return float(reading.value)


def _metric_id(connection: sa.Connection, measured: Metric) -> int:
    """The number of a metric, made when it is new. The first word on what it means stands."""
    query = sa.select(metric).where(metric.c.name == measured.name)
    row = connection.execute(query).first()
    if row is None:
        bucket = None if measured.bucket is None else int(measured.bucket.total_seconds())
        made = insert(connection, metric).values(
            name=measured.name, kind=measured.kind.value, distinct=measured.distinct, bucket=bucket
        )
        connection.execute(made.on_conflict_do_nothing())
        row = connection.execute(query).one()
    if row.kind != measured.kind.value:
        raise DigestError(
            f"signal {measured.name!r} is kept as a {row.kind}; these readings are said to be a"
            f" {measured.kind.value}",
            hint=f"Say --kind {row.kind}, or give these readings another name with --metric.",
        )
    return int(row.id)


class _Names:
    """Which story a reading is of, with what was looked up so far."""

    def __init__(self, by_source: int) -> None:
        self._source = by_source
        # For a URL several: whoever submits a page again makes another story of it.
        self._stories: dict[str, Sequence[tuple[float, int]]] = {}
        self._many: set[str] = set()
        self.unknown: Counter[str] = Counter()
        self.ambiguous: Counter[str] = Counter()

    def learn(self, connection: sa.Connection, refs: set[str]) -> None:
        """Looks up the names that were not looked up before."""
        missing = refs.difference(self._stories, self._many)
        if not missing:
            return
        query = sa.select(story_name.c.external_id, story_name.c.source, story_name.c.story)
        by_name: dict[str, dict[int, int]] = defaultdict(dict)
        for name, of_source, number in connection.execute(
            query.where(among(connection, story_name.c.external_id, missing))
        ):
            by_name[name][of_source] = number
        for name, of_sources in by_name.items():
            numbers = {of_sources[self._source]} if self._source in of_sources else {*of_sources.values()}
            if len(numbers) == 1:
                self._stories[name] = [(-math.inf, numbers.pop())]
            else:
                self._many.add(name)
        urls = missing.difference(by_name)
        by_url: dict[str, list[tuple[float, int]]] = {url: [] for url in urls}
        dated = sa.select(story.c.url, sa.type_coerce(story.c.date, sa.BigInteger), story.c.id)
        if urls:
            for url, date, number in connection.execute(dated.where(among(connection, story.c.url, urls))):
                by_url[url].append((date, number))
        for url, dates in by_url.items():
            self._stories[url] = sorted(dates)

    def story(self, reading: Reading) -> int | None:
        """The story's id, or None and counted.

        Of several submissions of one URL it is the last one before the reading, so that another import, with
        newer submissions about, gives the same answer.
        """
        name = reading.story
        if name in self._many:
            self.ambiguous[name] += 1
            return None
        dated = self._stories[name]
        if not dated:
            self.unknown[name] += 1
            return None
        if len(dated) == 1:
            return dated[0][1]
        return dated[max(0, bisect_right(dated, (reading.at.timestamp(), math.inf)) - 1)][1]


def _store(
    connection: sa.Connection, by_metric: int, by_source: int, found: Sequence[tuple[int, int, float]]
) -> Counter[str]:
    """Writes what is new or different; says how many readings were new, replaced one, or were there."""
    moments = [at for _, at, _ in found]
    query = sa.select(_observation.c.story, _observation.c.at, _observation.c.value).where(
        among(connection, _observation.c.story, {number for number, _, _ in found}),
        _observation.c.metric == by_metric,
        _observation.c.source == by_source,
        _observation.c.at.between(min(moments), max(moments)),
    )
    values: dict[Key, float] = {(row[0], row[1]): row[2] for row in connection.execute(query)}
    became: Counter[str] = Counter()
    written: dict[Key, float] = {}
    for number, at, value in found:
        key = (number, at)
        before = values.get(key)
        became["new" if before is None else "same" if before == value else "replaced"] += 1
        if before != value:
            values[key] = written[key] = value
    if written:
        _write(connection, by_metric, by_source, written)
    return became


def _write(connection: sa.Connection, by_metric: int, by_source: int, written: Mapping[Key, float]) -> None:
    statement = insert(connection, _observation)
    if connection.dialect.name != "postgresql":
        statement = statement.on_conflict_do_update(
            index_elements=_KEY, set_={"value": statement.excluded.value}
        )
        rows = [
            {"story": number, "metric": by_metric, "source": by_source, "at": at, "value": value}
            for (number, at), value in written.items()
        ]
        connection.execute(statement, rows)
        return
    # One statement with three arrays: a round trip a row would take longer than everything else.
    columns = (
        sa.func.unnest(
            sa.bindparam("stories", [number for number, _ in written], ARRAY(sa.BigInteger)),
            sa.bindparam("moments", [at for _, at in written], ARRAY(sa.BigInteger)),
            sa.bindparam("figures", list(written.values()), ARRAY(sa.Float)),
        )
        .table_valued("story", "at", "value")
        .render_derived()
    )
    given = sa.select(
        columns.c.story, sa.literal(by_metric, ID), sa.literal(by_source, ID), columns.c.at, columns.c.value
    )
    statement = statement.from_select([*_KEY, "value"], given)
    connection.execute(
        statement.on_conflict_do_update(index_elements=_KEY, set_={"value": statement.excluded.value})
    )
