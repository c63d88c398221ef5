"""Who this installation is, who leads it, and what in it needs a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa

from digest.store import Database
from digest.store.dialects import insert
from digest.store.tables import alert, installation, lease


@dataclass(frozen=True, slots=True)
class Lease:
    """Who does a thing that only one process may do. `epoch` rises with each holder: what an earlier one
    still tries carries an older epoch and is refused."""

    name: str
    owner: str
    """"" when it was given back."""
    epoch: int
    until: dt.datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that needs a person; open until it is settled."""

    id: int
    key: str
    message: str
    raised: dt.datetime
    told: dt.datetime | None
    settled: dt.datetime | None


class Installation:
    """The one row that every database has, leases, and alerts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @cached_property
    def id(self) -> str:
        """What the public pages answer with; made when the database was set up, and never changed."""
        with self._database.read() as connection:
            return str(connection.execute(sa.select(installation.c.id)).scalar_one())

    @property
    def generation(self) -> int:
        """How many sending steps this store has seen. Lower than a note kept elsewhere: it is a restored
        copy."""
        with self._database.read() as connection:
            return int(connection.execute(sa.select(installation.c.generation)).scalar_one())

    def bump_generation(self) -> int:
        """Counts one more step, and returns the count."""
        with self._database.write() as connection:
            return raise_generation(connection)

    # Leases

    def acquire(self, name: str, owner: str, *, now: dt.datetime, length: dt.timedelta) -> int | None:
        """Takes the lease if nobody holds it at `now`; its new epoch, or None while another owner has it.

        `owner` names one process for its lifetime: asking again as the same owner takes the lease anew. One
        that is said to last far longer than any is given was taken while a clock was wrong, and counts for
        nothing; the new epoch fences its holder off.
        """
        with self._database.write() as connection:
            statement = insert(connection, lease).values(name=name, owner=owner, epoch=1, until=now + length)
            statement = statement.on_conflict_do_update(
                index_elements=[lease.c.name],
                set_={"owner": owner, "epoch": lease.c.epoch + 1, "until": now + length},
                where=sa.or_(lease.c.until <= now, lease.c.until > now + 10 * length, lease.c.owner == owner),
            )
            return connection.execute(statement.returning(lease.c.epoch)).scalar()

    def renew(self, name: str, owner: str, epoch: int, *, now: dt.datetime, length: dt.timedelta) -> bool:
        """Holds it for `length` more; False when it ran out or was taken: stop at once."""
        return self._change(name, owner, epoch, lease.c.until > now, until=now + length)

    def release(self, name: str, owner: str, epoch: int, *, now: dt.datetime) -> bool:
        """Gives it back, so that the next one need not wait. The row stays: epochs never start again."""
        return self._change(name, owner, epoch, sa.true(), owner_after="", until=now)

    def lease(self, name: str) -> Lease | None:
        """Who has it, or had it last; None when nobody ever had."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(lease).where(lease.c.name == name)).first()
        return None if row is None else Lease(row.name, row.owner, row.epoch, row.until)

    def _change(
        self,
        name: str,
        owner: str,
        epoch: int,
        condition: sa.ColumnElement[bool],
        *,
        until: dt.datetime,
        owner_after: str | None = None,
    ) -> bool:
        statement = (
            sa.update(lease)
            .where(lease.c.name == name, lease.c.owner == owner, lease.c.epoch == epoch, condition)
            .values(until=until, owner=owner if owner_after is None else owner_after)
        )
        with self._database.write() as connection:
            return connection.execute(statement).rowcount == 1

    # Alerts

    def raise_alert(self, key: str, message: str, *, at: dt.datetime) -> bool:
        """Opens an alert. True when it is new; while one of this key is open, only its words are brought up
        to date."""
        with self._database.write() as connection:
            return raise_alert(connection, key, message, at=at)

    def settle(self, key: str, *, at: dt.datetime) -> bool:
        """Closes the open alert of this key; False when there was none."""
        with self._database.write() as connection:
            return settle(connection, key, at=at)

    def untold(self) -> list[Alert]:
        """Open alerts that nobody was told of yet, oldest first."""
        return self._alerts(alert.c.settled.is_(None), alert.c.told.is_(None))

    def open_alerts(self) -> list[Alert]:
        """Everything that needs a person now, oldest first."""
        return self._alerts(alert.c.settled.is_(None))

    def mark_told(self, ids: Iterable[int], *, at: dt.datetime) -> None:
        """Notes that somebody was told."""
        with self._database.write() as connection:
            connection.execute(sa.update(alert).where(alert.c.id.in_(list(ids))).values(told=at))

    def _alerts(self, *conditions: sa.ColumnElement[bool]) -> list[Alert]:
        with self._database.read() as connection:
            rows = connection.execute(sa.select(alert).where(*conditions).order_by(alert.c.id)).all()
        return [Alert(row.id, row.key, row.message, row.raised, row.told, row.settled) for row in rows]


# Within a transaction of another part of the store


def raise_generation(connection: sa.Connection) -> int:
    """Counts one more sending step within the caller's transaction."""
    statement = sa.update(installation).values(generation=installation.c.generation + 1)
    return int(connection.execute(statement.returning(installation.c.generation)).scalar_one())


def raise_alert(connection: sa.Connection, key: str, message: str, *, at: dt.datetime) -> bool:
    """`Installation.raise_alert` within the caller's transaction."""
    statement = insert(connection, alert).values(key=key, message=message, raised=at)
    statement = statement.on_conflict_do_nothing(
        index_elements=[alert.c.key], index_where=alert.c.settled.is_(None)
    )
    if connection.execute(statement.returning(alert.c.id)).first() is not None:
        return True
    connection.execute(
        sa.update(alert).where(alert.c.key == key, alert.c.settled.is_(None)).values(message=message)
    )
    return False


def settle(connection: sa.Connection, key: str, *, at: dt.datetime) -> bool:
    """`Installation.settle` within the caller's transaction."""
    statement = sa.update(alert).where(alert.c.key == key, alert.c.settled.is_(None)).values(settled=at)
    return connection.execute(statement).rowcount > 0
