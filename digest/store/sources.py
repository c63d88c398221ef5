"""When each source was looked at last, and what it said: for polling on time and without asking for the same
bytes twice."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from digest.store import Database
from digest.store.dialects import insert
from digest.store.tables import source


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

    def succeeded(self, name: str, *, at: dt.datetime, etag: str = "", modified: str = "") -> None:
        """The source answered (with something new or not)."""
        self._note(name, last_poll=at, last_success=at, last_error="", etag=etag, modified=modified)

    def failed(self, name: str, error: str, *, at: dt.datetime) -> None:
        """The source could not be read. Its etag stays: what it names is still what was imported."""
        self._note(name, last_poll=at, last_error=error)

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
    return SourceState(row.name, row.last_poll, row.last_success, row.last_error, row.etag, row.modified)
