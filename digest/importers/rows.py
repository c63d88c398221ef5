"""Rows of a table, whatever it was written in -> drafts, and the figures that stand beside them."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import quote

from digest.errors import UsageError
from digest.importers.clean import heading, line
from digest.importers.columns import CREATED, STORY, Columns, choose, listed, require
from digest.importers.context import Context
from digest.importers.dates import OrderSeen, is_numeric, not_future, when
from digest.importers.draft import Fields, Refused, draft, picture
from digest.importers.figures import readings
from digest.importers.imported import Rejected
from digest.importers.kinds import kind_named
from digest.importers.links import is_url
from digest.importers.table import Note, Reject, Row, Table
from digest.model import DateOrder, Metric, MetricKind, Reading, StoryDraft

_TIMES = ("published", "updated", "first_seen", "at")
_FIRST = 200
"""Rows looked at for dates whose order has to be found out."""
_IN_MEMORY = 16 * 1024 * 1024
_ENRICHED = 50
"""Rows whose pages are looked at together."""
_PLACE = re.compile(r"\{([^{}]+)\}")
_RELATIVE = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:|//|www\.)", re.IGNORECASE)


def read_table(table: Table, how: Context, *, reject: Reject, note: Note) -> Iterator[StoryDraft]:
    """Drafts from the rows of a table. Raises `UsageError` when there is no column for headings or links,
    or when nothing tells whether the day or the month of its dates comes first."""
    columns = _columns(table, how)
    if columns.unused:
        note(f"columns that were not used: {listed(columns.unused)}")
    if how.order is None:
        rows, order = _ordered(table, columns, how.name, note)
        table, how = replace(table, rows=rows), replace(how, order=order)
    return _Reader(columns, how, reject, note).drafts(table.rows)


def _columns(table: Table, how: Context) -> Columns:
    known = dict(STORY)
    if not how.figures and "at" not in how.mapped:
        known["at"] = ()
    columns = choose(table.columns, known, how.mapped, nested=table.nested)
    if not any(columns.of[name] or name in how.mapped for name in ("published", "first_seen")):
        columns = choose(table.columns, {**known, "published": CREATED}, how.mapped, nested=table.nested)
    if not columns.of["published"] and not columns.of["first_seen"]:
        columns = choose(table.columns, {**known, "at": STORY["at"]}, how.mapped, nested=table.nested)
    if not table.named and not (columns.of["title"] and "title" in how.mapped):
        shown = ", ".join(name[:40] for name in table.columns[:6])
        raise UsageError(
            f"{how.name}: the first line is a row and names no columns: {shown}",
            hint="Name them in their order: --columns id,url,title,published",
        )
    require(columns, ["title"], table.columns, how.name, nested=table.nested)
    if not columns.of["url"] and not how.link:
        require(columns, ["external_id"], table.columns, how.name, nested=table.nested)
    measured = {figure.column.partition(".")[0] for figure in how.figures}
    _named(how, table)
    return replace(columns, unused=tuple(name for name in columns.unused if name not in measured))


def _named(how: Context, table: Table) -> None:
    """Raises `UsageError` when a signal or the link names a column that is not there."""
    wanted = [("signal", figure.column) for figure in how.figures]
    wanted += [("link", name) for name in _PLACE.findall(how.link) if name not in ("id", *STORY)]
    for what, name in wanted:
        top = name.partition(".")[0] if table.nested else name
        if top not in table.columns:
            raise UsageError(
                f"{how.name}: {what}: there is no column {name!r}",
                hint=f"Found: {listed(table.columns)}.",
            )


# --- day or month first ---------------------------------------------------------------------------


def _ordered(table: Table, columns: Columns, name: str, note: Note) -> tuple[Iterator[Row], DateOrder | None]:
    """The rows, and the order that fits all dates of the file; the file is read to its end only where the
    first rows have dates in numbers with the year last."""
    dated = [column for field in _TIMES for column in columns.of.get(field, ())]
    first = list(itertools.islice(table.rows, _FIRST))
    if not any(is_numeric(row.cells.get(column, "")) for row in first for column in dated):
        return itertools.chain(first, table.rows), None
    seen = OrderSeen()
    kept = _Kept(itertools.chain(first, table.rows))
    for row in kept.rows():
        for column in dated:
            seen.add(row.cells.get(column, ""))
    if seen.order is None:
        example = (
            f"{seen.dmy} and {seen.mdy} stand beside each other" if seen.dmy else f"{seen.either} is two days"
        )
        kept.close()
        raise UsageError(
            f"{name}: nothing tells whether day or month comes first in {', '.join(dated)}: {example}",
            hint='Say --date-order dmy or mdy (date_order = "dmy" in config.toml).',
        )
    if seen.dmy or seen.mdy or seen.either:
        first_is = "month" if seen.order is DateOrder.mdy else "day"
        told = f"shown by {seen.mdy or seen.dmy}" if seen.mdy or seen.dmy else "as with points everywhere"
        note(f"dates have the {first_is} first, {told}")
    return kept.again(), seen.order


class _Kept:
    """Rows that are read twice: beyond a few megabytes they are kept on the disk."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        # Closed at the end of `again`, or with the import that fails.
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="\n")  # noqa: SIM115

    def rows(self) -> Iterator[Row]:
        for row in self._rows:
            stated = row.stated if row.stated is not None else list(row.cells.items())
            json.dump((row.number, stated, row.content), self._file)
            self._file.write("\n")
            yield row

    def close(self) -> None:
        self._file.close()

    def again(self) -> Iterator[Row]:
        from digest.importers.objects import cells  # noqa: PLC0415

        self._file.seek(0)
        with self._file:
            for kept in self._file:
                number, stated, content = json.loads(kept)
                if isinstance(stated, dict):
                    yield Row(number, cells(stated), content, stated)
                else:
                    yield Row(number, dict(stated), content)


# --- rows -----------------------------------------------------------------------------------------


class _Reader:
    """Reads row after row, and counts what was odd."""

    def __init__(self, columns: Columns, how: Context, reject: Reject, note: Note) -> None:
        self._columns, self._how, self._reject, self._note = columns, how, reject, note
        self._odd: Counter[str] = Counter()

    def drafts(self, rows: Iterator[Row]) -> Iterator[StoryDraft]:
        enrich = self._how.enrich
        if enrich is None:
            for row in rows:
                if (stated := self._stated(row)) is not None:
                    yield from self._draft(row, stated)
        else:
            while batch := list(itertools.islice(rows, _ENRICHED)):
                read = [(row, stated) for row in batch if (stated := self._stated(row)) is not None]
                enrich([stated for _, stated in read])
                for row, stated in read:
                    yield from self._draft(row, stated)
        for what, count in self._odd.items():
            self._note(f"{what}: {count:,}")

    def _stated(self, row: Row) -> Fields | None:
        try:
            return self._fields(row)
        except Refused as refused:
            self._refuse(row, str(refused))
            return None

    def _draft(self, row: Row, stated: Fields) -> Iterator[StoryDraft]:
        try:
            measured = list(self._measured(row))
            if stated.published is None and stated.first_seen is None and measured:
                stated.first_seen = not_future(min(each.at for _, each in measured), self._how.seen)
            made = draft(stated)
        except (Refused, ValueError) as refused:
            self._refuse(row, str(refused))
            return
        yield made
        for metric, reading in measured:
            self._how.measure(metric, replace(reading, story=made.external_id))

    def _refuse(self, row: Row, reason: str) -> None:
        cell = self._columns.cell
        item = heading(cell("title", row.cells)[:2000]) or cell("external_id", row.cells)
        self._reject(Rejected(row.number, line(item, 100), reason, row.content.rstrip("\r\n")[:4000]))

    def _fields(self, row: Row) -> Fields:
        how, columns = self._how, self._columns

        def cell(name: str) -> str:
            return columns.cell(name, row.cells)

        url, external_id = cell("url"), cell("external_id")
        if not url and is_url(external_id):
            url = external_id
        if not url and how.link:
            url = self._made_link(row)
        if url.strip() and not _RELATIVE.match(url) and how.base_url:
            self._odd[
                f"relative links, resolved against {how.base_url} (say --base-url if that is wrong)"
            ] += 1
        stated = {name: self._time(cell(name), name) for name in _TIMES[:3]}
        times = {name: not_future(moment, how.seen) for name, moment in stated.items()}
        for name in ("published", "first_seen"):
            if stated[name] is not None and times[name] is None:
                self._odd["dates more than a day ahead, which count as missing"] += 1
        if not columns.of["published"] and not columns.of["first_seen"]:  # seen when it was measured
            times["first_seen"] = not_future(self._time(cell("at"), "at"), how.seen)
        image = None
        if cell("picture"):
            alt = columns.of["picture_alt"]
            image = picture(
                cell("picture"),
                base=how.base_url or url,
                alt=cell("picture_alt") if alt else None,
                caption=cell("picture_caption"),
                credit=cell("picture_credit"),
            )
        return Fields(
            external_id=external_id,
            url=url,
            base=how.base_url,
            title=cell("title"),
            summary=cell("standfirst"),
            content=cell("body"),
            author=cell("author"),
            section=_section(row, columns) or how.section,
            language=cell("language") or how.language,
            pictures=[image] if image else [],
            published=times["published"],
            updated=times["updated"],
            first_seen=times["first_seen"],
            kind=kind_named(cell("kind")),
        )

    def _made_link(self, row: Row) -> str:
        """The address of a story that has none; "" when a column that it is made of is empty, too."""
        missing = False

        def filled(found: re.Match[str]) -> str:
            nonlocal missing
            name = "external_id" if found[1] == "id" and "id" not in row.cells else found[1]
            value = line(row.cells.get(name, "") or self._columns.cell(name, row.cells))
            missing = missing or not value
            return quote(value, safe="")

        made = _PLACE.sub(filled, self._how.link)
        return "" if missing else made

    def _time(self, text: str, name: str) -> dt.datetime | None:
        try:
            return when(text, self._how.zone, self._how.order)
        except ValueError as error:
            raise Refused(f"{name}: {error}") from None

    def _measured(self, row: Row) -> Iterator[tuple[Metric, Reading]]:
        """The figures of a row. A total without a time is what stands there now."""
        if not self._how.figures:
            return
        stated = self._time(self._columns.cell("at", row.cells), "at")
        for figure in self._how.figures:
            at = stated or (self._how.seen if figure.metric.kind is MetricKind.total else None)
            listed = _listed(row, figure.column)
            for each in readings(figure, row.cells.get(figure.column, ""), listed, at, self._when()):
                if not_future(each.at, self._how.seen) is None:
                    raise Refused(f"{figure.metric.name}: {each.at.isoformat()} lies in the future")
                yield figure.metric, each

    def _when(self) -> Callable[[str], dt.datetime | None]:
        return lambda text: when(text, self._how.zone, self._how.order)


def _listed(row: Row, column: str) -> object:
    """The list of objects that an object of JSON has under a dotted path, if it is one."""
    value: object = row.stated
    for step in column.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _section(row: Row, columns: Columns) -> str:
    """A column of tags holds many: the first stands for the section."""
    for column in columns.of["section"]:
        text = row.cells.get(column, "")
        if text.strip():
            many = column.strip().lower() in ("tags", "categories")
            return re.split(r"[,;|]", text.strip("[]{} "))[0].strip("\"' ") if many else text
    return ""
