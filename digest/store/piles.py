"""Rows of the ledger by their state: how many there are, and moving many at once.

`sending` has a count for each state, changed in every transaction that moves rows: pages and the scheduler
ask often, and counting a million rows takes long. `true_up` compares it with the rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from digest.model import DeliveryState
from digest.store import Database
from digest.store.dialects import among, insert
from digest.store.tables import PASSING, delivery, sending

State = DeliveryState

TO_DO = (State.queued, State.claimed, State.offered, State.deferred)
CHUNK = 10_000
"""So many rows are moved in one transaction; others get their turn between two."""


def pile(state: str) -> str | None:
    """What stands in `delivery.pile` beside a state."""
    return None if state in PASSING else state


def becomes(state: State) -> dict[str, Any]:
    """The values of a row that moves to this state."""
    return {"state": state.value, "pile": pile(state.value)}


def count(connection: sa.Connection, number: int, moved: Mapping[State, int]) -> None:
    """Notes in `sending` that states gained or lost so many rows, within the caller's transaction."""
    changes = {state.value: sending.c[state.value] + by for state, by in moved.items() if by}
    if changes:
        connection.execute(sa.update(sending).where(sending.c.edition == number).values(changes))


def counted(connection: sa.Connection, number: int) -> dict[State, int]:
    """How many rows are in which state; every state is there."""
    columns = [sending.c[state.value] for state in State]
    row = connection.execute(sa.select(*columns).where(sending.c.edition == number)).first()
    return dict(zip(State, row or [0] * len(columns), strict=True))


def begin(connection: sa.Connection, number: int) -> None:
    """Makes the row of counts of an edition, if there is none yet."""
    statement = insert(connection, sending).values(edition=number)
    connection.execute(statement.on_conflict_do_nothing(index_elements=[sending.c.edition]))


def move_pile(
    connection: sa.Connection,
    number: int,
    before: State,
    after: State,
    condition: sa.ColumnElement[bool] | None = None,
    *,
    limit: int | None = None,
    **values: Any,
) -> int:
    """Moves rows of one state, which is none of the passing ones, to another; returns how many."""
    these = sa.select(delivery.c.id).where(delivery.c.edition == number, delivery.c.pile == before.value)
    if condition is not None:
        these = these.where(condition)
    if limit is not None:
        these = these.order_by(delivery.c.id).limit(limit)
    change = sa.update(delivery).where(delivery.c.id.in_(these), delivery.c.pile == before.value)
    moved = connection.execute(change.values(**becomes(after), **values)).rowcount
    count(connection, number, {before: -moved, after: moved})
    return moved


def move_these(
    connection: sa.Connection,
    number: int,
    ids: list[int],
    before: State,
    after: State,
    **values: Any,
) -> int:
    """Moves those of the rows that are still in state `before`; returns how many."""
    change = sa.update(delivery).where(
        among(connection, delivery.c.id, ids), delivery.c.state == before.value
    )
    moved = connection.execute(change.values(**becomes(after), **values)).rowcount
    count(connection, number, {before: -moved, after: moved})
    return moved


def passing(
    database: Database, number: int, state: State, condition: sa.ColumnElement[bool] | None = None
) -> list[int]:
    """The rows of a state that is in no index: reads all of the edition, without keeping anybody waiting."""
    query = sa.select(delivery.c.id).where(delivery.c.edition == number, delivery.c.state == state.value)
    if condition is not None:
        query = query.where(condition)
    with database.read() as connection:
        return list(connection.execute(query.order_by(delivery.c.id)).scalars())


def true_up(database: Database, number: int) -> None:
    """Counts the rows, and sets `sending` right where it says something else.

    It never should; but an edition would not finish, or too early, if it did.
    """
    by_state = sa.select(delivery.c.state, sa.func.count()).where(delivery.c.edition == number)
    with database.read() as connection:
        found = {
            State(state): rows for state, rows in connection.execute(by_state.group_by(delivery.c.state))
        }
        noted = counted(connection, number)
    # A difference at one moment is one at every later moment, whatever was moved and counted since.
    wrong = {state: found.get(state, 0) - noted[state] for state in State}
    if any(wrong.values()):
        with database.write() as connection:
            begin(connection, number)
            count(connection, number, wrong)


def first_in_doubt(connection: sa.Connection, number: int, servers: Collection[str]) -> dt.datetime | None:
    """When the first uncertain copy that was never sent again was offered, of those that one of these servers
    may have; None when there is none."""
    moment: dt.datetime | None = connection.execute(
        sa.select(sa.func.min(delivery.c.offered)).where(
            delivery.c.edition == number,
            delivery.c.pile == State.uncertain.value,
            delivery.c.resends == 0,
            delivery.c.server.in_(servers),
        )
    ).scalar()
    return moment
