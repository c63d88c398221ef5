"""Tables of popularity -> readings: story, moment, value."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from digest.errors import ImportFailed
from digest.importers.clean import line
from digest.importers.columns import READING, Columns, choose, normal, require
from digest.importers.dates import FUTURE, when
from digest.importers.figures import number
from digest.importers.form import Form, detect
from digest.importers.imported import Rejected
from digest.importers.links import canonical_url, is_url
from digest.importers.objects import read_jsonl
from digest.importers.stories import opening
from digest.importers.table import Note, Reject, Row, Table, read_csv
from digest.model import MetricKind, Reading

_RANKS = ("rank", "position", "place")


def read_readings(
    stream: BinaryIO,
    *,
    name: str,
    metric: str,
    kind: MetricKind,
    seen: dt.datetime,
    reject: Reject,
    note: Note,
    mapped: Mapping[str, tuple[str, ...]] | None = None,
    zone: dt.tzinfo = dt.UTC,
    base_url: str = "",
    places: int = 0,
) -> Iterator[Reading]:
    """Readings from CSV or JSONL with the columns story, at and value.

    With `places` the values are ranks in a list of so many places, 1 the best: the first place counts
    `places`, the last one 1, so that their sum is the time in the list weighted by rank.

    Other names of these are in `columns.READING`; the metric's own is looked for first. A story may be its
    source's id or its address, which is brought into the canonical form. What is no reading goes to `reject`.
    Raises `ImportFailed` for a file that cannot be read and `UsageError` for missing columns, both before the
    first reading.
    """
    opened, start = opening(stream, name)
    form = detect(start)
    if form in (Form.feed, Form.sitemap):
        raise ImportFailed(name, "it is XML or HTML, not a table", hint="Readings come as CSV or JSONL.")
    read = read_jsonl if form in (Form.json, Form.jsonl) else read_csv
    table = read(opened, name=name, reject=reject, note=note)
    by_rank = _RANKS if places else ()
    known = {**READING, "value": (*by_rank, normal(metric), *READING["value"])}
    columns = choose(table.columns, known, mapped or {}, nested=table.nested)
    require(columns, ["story", "at", "value"], table.columns, name, nested=table.nested)
    # One column each: a reading is not put together from several guesses.
    chosen = Columns(
        {field: names if field in (mapped or {}) else names[:1] for field, names in columns.of.items()}, ()
    )
    return _readings(
        table,
        chosen,
        value=functools.partial(_rank, places=places) if places else functools.partial(number, kind=kind),
        latest=seen + FUTURE,
        zone=zone,
        base_url=base_url,
        reject=reject,
    )


def _readings(
    table: Table,
    columns: Columns,
    *,
    value: Callable[[str], float],
    latest: dt.datetime,
    zone: dt.tzinfo,
    base_url: str,
    reject: Reject,
) -> Iterator[Reading]:
    names: dict[str, str] = {}  # a file repeats its stories: cleaning a name once is enough
    for row in table.rows:
        try:
            yield _reading(row, columns, names, value=value, latest=latest, zone=zone, base_url=base_url)
        except ValueError as error:
            item = line(columns.cell("story", row.cells), 100)
            reject(Rejected(row.number, item, str(error), row.content.rstrip("\r\n")[:4000]))


def _reading(
    row: Row,
    columns: Columns,
    names: dict[str, str],
    *,
    value: Callable[[str], float],
    latest: dt.datetime,
    zone: dt.tzinfo,
    base_url: str,
) -> Reading:
    stated = columns.cell("story", row.cells)
    story = names.get(stated)
    if story is None:
        if len(names) > 100_000:
            names.clear()
        story = names[stated] = _story(stated, base_url)
    at = when(columns.cell("at", row.cells), zone)
    if at is None:
        raise ValueError("no time")
    if at > latest:
        raise ValueError(f"{at.isoformat()} lies in the future")
    return Reading(story, at, value(columns.cell("value", row.cells)))


def _story(stated: str, base_url: str) -> str:
    name = line(stated)
    if not name:
        raise ValueError("no story")
    if is_url(name) or (base_url and name.startswith("/")):
        return canonical_url(name, base=base_url)
    return name


def _rank(text: str, places: int) -> float:
    rank = number(text, MetricKind.count)
    if not (1 <= rank <= places and rank.is_integer()):
        raise ValueError(f"{line(text, 40)!r} is no place in a list of {places}; say how long it is")
    return places + 1 - rank
