"""When each source was looked at last, what it said, and when it is asked again: for polling on time and
without asking for the same bytes twice."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from digest.store import Database
from digest.store.dialects import insert
from digest.store.tables import source, story


@dataclass(frozen=True, slots=True)
class SourceState:
    """What is known of one source. `etag` and `modified` are for a conditional request (RFC 9110 13.1)."""

    name: str
    last_poll: dt.datetime | None = None
    last_success: dt.datetime | None = None
    last_error: str = ""
    """Why the last poll failed; "" when it did not."""
    etag: str = ""
    modified: str = ""
    failures: int = 0
    """In a row."""
    not_before: dt.datetime | None = None
    """When it is asked again after a failure; None when it was well."""
    address: str = ""
    """Stands for the address that all of this is about."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a source has brought so far."""

    stories: int = 0
    """Those whose text is from it; not those that another source brought first."""
    newest: dt.datetime | None = None
    """The date of the newest one."""
    longest_pause: dt.timedelta | None = None
    """The longest time between two of its stories in the last 90 days; None with fewer than three then."""


RHYTHM = dt.timedelta(days=90)


class Sources:
    """The state of the sources. One that was never seen has an empty state: they are made on first use."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> SourceState:
        with self._database.read() as connection:
            row = connection.execute(sa.select(source).where(source.c.name == name)).first()
        return SourceState(name) if row is None else _state(row)

    def list_(self) -> list[SourceState]:
        """All that were ever used, by name."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(source).order_by(source.c.name)).all()
        return [_state(row) for row in rows]

    def brought(self, now: dt.datetime) -> dict[str, Brought]:
        """What each source has brought, by name; those without a story are left out. Reads every story's row,
        for a person who asks; nothing that happens by itself does."""
        at = sa.type_coerce(story.c.date, sa.BigInteger)
        counts = sa.select(story.c.source, sa.func.count(), sa.func.max(story.c.date)).group_by(
            story.c.source
        )
        pause = (at - sa.func.lag(at).over(partition_by=story.c.source, order_by=at)).label("pause")
        recent = sa.select(story.c.source, pause).where(story.c.date >= now - RHYTHM).subquery()
        pauses = (
            sa.select(recent.c.source, sa.func.max(recent.c.pause))
            .group_by(recent.c.source)
            .having(sa.func.count() >= 3)
        )
        with self._database.read() as connection:
            names = {row.id: row.name for row in connection.execute(sa.select(source.c.id, source.c.name))}
            longest = {row[0]: row[1] for row in connection.execute(pauses)}
            rows = connection.execute(counts).all()
        return {
            names[number]: Brought(
                count, newest, dt.timedelta(seconds=longest[number]) if number in longest else None
            )
            for number, count, newest in rows
        }

    def succeeded(
        self, name: str, *, at: dt.datetime, etag: str = "", modified: str = "", address: str = ""
    ) -> None:
        """The source answered (with something new or not)."""
        self._note(
            name, last_poll=at, last_success=at, last_error="", etag=etag, modified=modified, failures=0,
            not_before=None, address=address,
        )  # fmt: skip

    def failed(
        self,
        name: str,
        error: str,
        *,
        at: dt.datetime,
        not_before: dt.datetime | None = None,
        address: str = "",
        failures: int = 1,
    ) -> None:
        """The source could not be read, for so many times in a row, and is asked again at `not_before`.

        Its etag stays when it still has the address that it had: what it names is still what was imported.
        """
        values = {"last_poll": at, "last_error": error, "not_before": not_before, "failures": failures}
        with self._database.write() as connection:
            source_id(connection, name)
            here, moved = source.c.name == name, source.c.address != address
            connection.execute(sa.update(source).where(here, moved).values(etag="", modified=""))
            connection.execute(sa.update(source).where(here).values(**values, address=address))

    def _note(self, name: str, **values: object) -> None:
        with self._database.write() as connection:
            source_id(connection, name)
            connection.execute(sa.update(source).where(source.c.name == name).values(**values))


def source_id(connection: sa.Connection, name: str) -> int:
    """The number of a source, made when it is new; within the caller's transaction."""
    query = sa.select(source.c.id).where(source.c.name == name)
    found = connection.execute(query).scalar()
    if found is None:
        # Another process may be making it at this moment: do nothing then, and look again.
        connection.execute(insert(connection, source).values(name=name).on_conflict_do_nothing())
        found = connection.execute(query).scalar_one()
    return int(found)


def _state(row: sa.Row[tuple[object, ...]]) -> SourceState:
    return SourceState(
        row.name, row.last_poll, row.last_success, row.last_error, row.etag, row.modified, row.failures,
        row.not_before, row.address,
    )  # fmt: skip
