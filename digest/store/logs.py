"""What is kept of access logs: how far each file was read, who read what on a day that is still open (as
hashes), and how many read each page.

A day is closed some time after its end: then the salt of its hashes and the hashes themselves are deleted,
and only numbers are left. Readers of a page that is no story yet are kept, too, and become the story's
readings when it comes in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from digest.errors import StoreBusy
from digest.store import Database
from digest.store.dialects import insert
from digest.store.sources import source_id
from digest.store.tables import log_day, log_file, log_page, log_visits, source, story, story_name

KEEP = dt.timedelta(hours=36)
"""How long a day stays open after its end, or after its first line where that came later: CloudFront writes
lines up to 24 hours late, and a log that was rotated at night is read in the morning."""
KEEP_PAGES = dt.timedelta(days=35)
"""How long numbers of readers are kept for stories that come in later: a month of history on day one."""
KEEP_FILES = dt.timedelta(days=90)
"""How long a file that was not met again is known."""
MOST_UNKNOWN = 10_000
"""Pages of a closed day that are no story, the most read ones; a site's searches would be without end."""

_NEWEST = 10_000


@dataclass(frozen=True, slots=True)
class LogFile:
    """How far a file was read. `digest` is of its first `length` bytes without gzip, by which it is known
    again under any name; `mark` is its time and size when it was last read to its end."""

    digest: str
    length: int
    name: str
    offset: int = 0
    lines: int = 0
    mark: str = ""
    latest: dt.datetime | None = None
    seen: dt.datetime | None = None
    id: int | None = None
    """None for one that is not kept yet."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class OpenDay:
    """A day as it is kept while it is open; `records` are those of `digest.importers.logs.days`."""

    id: int
    salt: bytes
    version: int
    pages: tuple[str, ...]
    readers: tuple[int, ...]
    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PageDay:
    """How many read a page on a day."""

    day: int
    number: int
    url: str
    start: dt.datetime
    readers: int


class Logs:
    """The access logs of all sources."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Files

    def files(self, of_source: str) -> list[LogFile]:
        """All that are known of a source."""
        query = _FILES.where(source.c.name == of_source).order_by(log_file.c.id)
        with self._database.read() as connection:
            return [_file(row) for row in connection.execute(query)]

    def readers_of(self, beginning: Mapping[int, str]) -> list[LogFile]:
        """The files of any source that begin so; `beginning` has digests by length."""
        query = _FILES.where(log_file.c.digest.in_(beginning.values()))
        with self._database.read() as connection:
            found = [_file(row) for row in connection.execute(query)]
        return [each for each in found if beginning.get(each.length) == each.digest]

    def lengths(self) -> set[int]:
        """The lengths of all beginnings that are known."""
        with self._database.read() as connection:
            return set(connection.execute(sa.select(log_file.c.length).distinct()).scalars())

    def note(self, of_source: str, file: LogFile) -> None:
        """Keeps how far a file was read, in place of what was known of it."""
        values = {
            "length": file.length, "digest": file.digest, "name": file.name, "mark": file.mark,
            "offset": file.offset, "lines": file.lines, "latest": file.latest, "seen": file.seen,
        }  # fmt: skip
        with self._database.write() as connection:
            if file.id is None:
                number = source_id(connection, of_source)
                connection.execute(log_file.insert(), values | {"source": number})
            else:
                connection.execute(sa.update(log_file).where(log_file.c.id == file.id).values(**values))

    def latest(self) -> dict[str, dt.datetime]:
        """Source -> the moment of its latest line."""
        query = (
            sa.select(source.c.name, sa.type_coerce(sa.func.max(log_file.c.latest), log_file.c.latest.type))
            .join(source, source.c.id == log_file.c.source)
            .where(log_file.c.latest.is_not(None))
            .group_by(source.c.name)
        )
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    # Days

    def open_day(
        self, of_source: str, start: dt.datetime, end: dt.datetime, *, now: dt.datetime, salt: bytes
    ) -> OpenDay | None:
        """The day of a source that begins at `start`, made with this salt when it is new; None when it is
        closed."""
        with self._database.write() as connection:
            number = source_id(connection, of_source)
            query = sa.select(log_day).where(log_day.c.source == number, log_day.c.start == start)
            row = connection.execute(query).first()
            if row is None:
                values = {"source": number, "start": start, "closes": max(end, now) + KEEP, "salt": salt}
                connection.execute(insert(connection, log_day).values(**values).on_conflict_do_nothing())
                row = connection.execute(query).one()
            if row.salt is None:
                return None
            pages = connection.execute(
                sa.select(log_page.c.url, log_page.c.readers)
                .where(log_page.c.day == row.id)
                .order_by(log_page.c.number)
            ).all()
            records = connection.execute(
                sa.select(log_visits.c.records)
                .where(log_visits.c.day == row.id)
                .order_by(log_visits.c.number)
            ).scalars()
            return OpenDay(
                row.id,
                bytes(row.salt),
                row.version,
                tuple(page.url for page in pages),
                tuple(page.readers for page in pages),
                tuple(bytes(each) for each in records),
            )

    def add(
        self, day: int, version: int, *, records: bytes, pages: Sequence[str], readers: Sequence[int]
    ) -> int:
        """Adds what was read since, and says how many read each page now; returns the day's next version.

        `pages` are all pages of the day, `readers` their figures. Raises `StoreBusy`, with nothing done, when
        another program has changed or closed the day since it was read.
        """
        change = (
            sa.update(log_day)
            .where(log_day.c.id == day, log_day.c.version == version, log_day.c.salt.is_not(None))
            .values(version=version + 1)
        )
        with self._database.write() as connection:
            if connection.execute(change).rowcount != 1:
                raise StoreBusy(
                    "another program is reading the logs of this source",
                    hint="Nothing is lost: read them again when it is done.",
                )
            query = sa.select(log_page.c.number, log_page.c.readers).where(log_page.c.day == day)
            known = {row.number: row.readers for row in connection.execute(query)}
            if records:
                connection.execute(log_visits.insert(), {"day": day, "number": version, "records": records})
            new = [
                {"day": day, "number": number, "url": url, "readers": readers[number], "recorded": 0}
                for number, url in enumerate(pages)
                if number not in known
            ]
            if new:
                connection.execute(log_page.insert(), new)
            changed = [
                {"of_page": number, "now": readers[number]}
                for number, before in known.items()
                if before != readers[number]
            ]
            if changed:
                connection.execute(
                    sa.update(log_page)
                    .where(log_page.c.day == day, log_page.c.number == sa.bindparam("of_page"))
                    .values(readers=sa.bindparam("now")),
                    changed,
                )
        return version + 1

    def close_due(self, now: dt.datetime) -> int:
        """Closes every day whose time has come, and forgets what is too old; how many days were closed.

        The salts and hashes are overwritten where the database can do that (SQLite's secure_delete); a copy
        of the database made before still has them.
        """
        due = sa.and_(log_day.c.closes <= now, log_day.c.salt.is_not(None))
        with self._database.write() as connection:
            days = list(connection.execute(sa.select(log_day.c.id).where(due)).scalars())
            if days and connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            for day in days:
                connection.execute(sa.delete(log_visits).where(log_visits.c.day == day))
                connection.execute(sa.update(log_day).where(log_day.c.id == day).values(salt=None))
                _drop_unknown(connection, day)
            old = sa.select(log_day.c.id).where(log_day.c.closes < now - KEEP_PAGES)
            connection.execute(sa.delete(log_page).where(log_page.c.day.in_(old)))
            connection.execute(sa.delete(log_file).where(log_file.c.seen < now - KEEP_FILES))
        return len(days)

    # What it comes to

    def pending(self, of_source: str) -> list[PageDay]:
        """Figures that the observations do not have yet, of pages that some story's address or name is."""
        named = sa.or_(
            sa.exists().where(story.c.url == log_page.c.url),
            sa.exists().where(story_name.c.external_id == log_page.c.url),
        )
        query = _PAGES.where(
            source.c.name == of_source, log_page.c.readers != log_page.c.recorded, named
        ).order_by(log_page.c.day, log_page.c.number)
        with self._database.read() as connection:
            return [PageDay(*row) for row in connection.execute(query)]

    def recorded(self, pages: Iterable[PageDay]) -> None:
        """These figures are in the observations now."""
        rows = [{"of_day": each.day, "of_page": each.number, "now": each.readers} for each in pages]
        if not rows:
            return
        change = (
            sa.update(log_page)
            .where(log_page.c.day == sa.bindparam("of_day"), log_page.c.number == sa.bindparam("of_page"))
            .values(recorded=sa.bindparam("now"))
        )
        with self._database.write() as connection:
            connection.execute(change, rows)

    def unknown(self, of_source: str, *, limit: int) -> list[tuple[str, int]]:
        """The pages most read that are no story, with their reader-days of all days that are kept."""
        total = sa.func.sum(log_page.c.readers)
        query = (
            sa.select(log_page.c.url, total)
            .join(log_day, log_day.c.id == log_page.c.day)
            .join(source, source.c.id == log_day.c.source)
            .where(source.c.name == of_source, log_page.c.recorded == 0, log_page.c.readers > 0)
            .group_by(log_page.c.url)
            .order_by(total.desc(), log_page.c.url)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [(url, int(readers)) for url, readers in connection.execute(query)]

    def origins(self) -> dict[str, int]:
        """How many of the newest stories each site has, by the beginning of their addresses."""
        found: dict[str, int] = {}
        query = sa.select(story.c.url).order_by(story.c.date.desc()).limit(_NEWEST)
        with self._database.read() as connection:
            for url in connection.execute(query).scalars():
                origin = "/".join(url.split("/", 3)[:3])
                found[origin] = found.get(origin, 0) + 1
        return found


_FILES = sa.select(log_file, source.c.name.label("source_name")).join(
    source, source.c.id == log_file.c.source
)
_PAGES = (
    sa.select(log_page.c.day, log_page.c.number, log_page.c.url, log_day.c.start, log_page.c.readers)
    .join(log_day, log_day.c.id == log_page.c.day)
    .join(source, source.c.id == log_day.c.source)
)


def _drop_unknown(connection: sa.Connection, day: int) -> None:
    """Of the pages that are no story, all but the most read."""
    of_day = (log_page.c.day == day, log_page.c.recorded == 0)
    rest = (
        sa.select(log_page.c.number)
        .where(*of_day)
        .order_by(log_page.c.readers.desc(), log_page.c.url)
        .offset(MOST_UNKNOWN)
    )
    if connection.dialect.name == "sqlite":
        rest = rest.limit(-1)  # SQLite has no OFFSET without LIMIT
    numbers = list(connection.execute(rest).scalars())
    if numbers:
        condition = (log_page.c.day == sa.bindparam("of_day"), log_page.c.number == sa.bindparam("of_page"))
        connection.execute(
            sa.delete(log_page).where(*condition), [{"of_day": day, "of_page": n} for n in numbers]
        )


def _file(row: sa.Row[Any]) -> LogFile:
    return LogFile(
        row.digest, row.length, row.name, row.offset, row.lines, row.mark, row.latest, row.seen, row.id,
        row.source_name,
    )  # fmt: skip
