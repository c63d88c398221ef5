"""The statements that sending consists of, made once: taking them apart anew costs more than running them.

Parameters begin with ``p_``. Lists of ids are one array on PostgreSQL and expanded on SQLite; results of a
group are one statement there and one to a row here, each the quicker way.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.dml import ReturningUpdate

from digest.delivery import Result
from digest.model import DeliveryState
from digest.store.tables import ID, Instant, delivery, edition, lease

State = DeliveryState

_SETTLED = frozenset({State.accepted, State.rejected, State.expired, State.uncertain})
_OPEN = sa.or_(*(delivery.c.state == s for s in (State.claimed, State.offered, State.uncertain)))
_MINE = sa.and_(delivery.c.owner == sa.bindparam("p_owner"), delivery.c.epoch == sa.bindparam("p_epoch"))
_COLUMNS = (
    delivery.c.id,
    delivery.c.subscription,
    delivery.c.address,
    delivery.c.address_key,
    delivery.c.name,
    delivery.c.variant,
    delivery.c.attempts,
)


def _edition(column: sa.Column[Any]) -> sa.ScalarSelect[Any]:
    return sa.select(column).where(edition.c.id == sa.bindparam("p_edition")).scalar_subquery()


FENCE = (
    sa.update(lease)
    .where(
        lease.c.name == sa.bindparam("p_name"),
        lease.c.owner == sa.bindparam("p_owner"),
        lease.c.epoch == sa.bindparam("p_epoch"),
        lease.c.until > sa.bindparam("p_now", type_=Instant),
    )
    .values(until=sa.bindparam("p_until", type_=Instant))
    .returning(
        _edition(edition.c.state).label("state"),
        _edition(edition.c.held).label("held"),
        _edition(edition.c.paused).label("paused"),
    )
)
"""Renews the lease if it is still held; what the edition is at that moment."""

_ROWS = sa.select(*_COLUMNS).where(delivery.c.edition == sa.bindparam("p_edition"))
_QUEUE = _ROWS.where(delivery.c.state == State.queued, delivery.c.next_attempt.is_(None))


def _next(query: sa.Select[Any], *order: sa.Column[Any]) -> sa.Select[Any]:
    limit = sa.bindparam("p_limit", type_=sa.Integer)
    return query.order_by(*order).limit(limit).with_for_update(skip_locked=True)


DUE = _next(
    _ROWS.where(
        delivery.c.state == State.deferred, delivery.c.next_attempt <= sa.bindparam("p_now", type_=Instant)
    ),
    delivery.c.next_attempt,
    delivery.c.id,
)
"""Retries that are due, the longest waiting first."""
FIRST_DUE = sa.select(sa.func.min(delivery.c.next_attempt)).where(
    delivery.c.edition == sa.bindparam("p_edition"), delivery.c.state == State.deferred
)
QUEUE_AFTER = _next(_QUEUE.where(delivery.c.id > sa.bindparam("p_id")), delivery.c.id)
QUEUE_UP_TO = _next(_QUEUE.where(delivery.c.id <= sa.bindparam("p_id")), delivery.c.id)

# An attempt that ended in doubt was counted then.
_tried = sa.bindparam("p_tried", type_=sa.Integer)
WRITE_RESULT = (
    sa.update(delivery)
    .where(delivery.c.id == sa.bindparam("p_delivery"), _MINE, _OPEN)
    .values(
        state=sa.bindparam("p_state"),
        attempts=delivery.c.attempts
        + sa.case((delivery.c.state == State.uncertain, _tried - 1), else_=_tried),
        next_attempt=sa.bindparam("p_next", type_=Instant),
        settled=sa.bindparam("p_settled", type_=Instant),
        code=sa.bindparam("p_code"),
        enhanced=sa.bindparam("p_enhanced"),
        reply=sa.bindparam("p_reply"),
    )
)
"""One result, by whoever offered it; a late one may settle what was called uncertain. Executed for many."""


@dataclass(frozen=True, slots=True)
class Statements:
    """Those that take a list of ids, ``p_ids``, for one kind of database."""

    claim: sa.Update
    skip: sa.Update
    offer: ReturningUpdate[Any]


def among(dialect: str, column: sa.ColumnElement[Any], name: str = "p_ids") -> sa.ColumnElement[bool]:
    """Whether the column is one of the values of this parameter."""
    if dialect == "postgresql":
        return column == sa.any_(sa.bindparam(name, type_=postgresql.ARRAY(column.type)))
    return column.in_(sa.bindparam(name, expanding=True))


@functools.cache
def statements(dialect: str) -> Statements:
    """By the name of the dialect."""
    these = among(dialect, delivery.c.id)
    return Statements(
        claim=sa.update(delivery)
        .where(these)
        .values(
            state=State.claimed.value,
            owner=sa.bindparam("p_owner"),
            epoch=sa.bindparam("p_epoch"),
            next_attempt=None,
        ),
        skip=sa.update(delivery)
        .where(these)
        .values(
            state=State.skipped.value,
            skip_reason=sa.bindparam("p_reason"),
            settled=sa.bindparam("p_now", type_=Instant),
            next_attempt=None,
        ),
        offer=sa.update(delivery)
        .where(these, delivery.c.state == State.claimed, _MINE)
        .values(state=State.offered.value, offered=sa.bindparam("p_now", type_=Instant))
        .returning(delivery.c.id),
    )


_KINDS: dict[str, Any] = {
    "p_delivery": ID,
    "p_state": sa.Text,
    "p_tried": sa.Integer,
    "p_next": sa.BigInteger,
    "p_settled": sa.BigInteger,
    "p_code": sa.Integer,
    "p_enhanced": sa.Text,
    "p_reply": sa.Text,
}


@functools.cache
def _write_results_at_once() -> sa.Update:
    """`WRITE_RESULT` for a whole group, its columns as arrays (PostgreSQL)."""
    arrays = [sa.bindparam(name, type_=postgresql.ARRAY(kind)) for name, kind in _KINDS.items()]
    columns = [sa.column(name, kind) for name, kind in _KINDS.items()]
    group = sa.func.unnest(*arrays).table_valued(*columns, name="results").render_derived()
    tried = sa.cast(group.c.p_tried, sa.Integer)
    return (
        sa.update(delivery)
        .where(delivery.c.id == group.c.p_delivery, _MINE, _OPEN)
        .values(
            state=group.c.p_state,
            attempts=delivery.c.attempts
            + sa.case((delivery.c.state == State.uncertain, tried - 1), else_=tried),
            next_attempt=group.c.p_next,
            settled=group.c.p_settled,
            code=group.c.p_code,
            enhanced=group.c.p_enhanced,
            reply=group.c.p_reply,
        )
    )


def write_results(
    connection: sa.Connection, results: Sequence[Result], owner: str, epoch: int, now: dt.datetime
) -> None:
    """Writes what became of copies that this owner offered in this epoch; others are left as they are."""
    rows = [_parameters(result, now) for result in results]
    mine = {"p_owner": owner, "p_epoch": epoch}
    if connection.dialect.name != "postgresql":
        connection.execute(WRITE_RESULT, [row | mine for row in rows])
        return
    arrays: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in _KINDS}
    for name in ("p_next", "p_settled"):  # arrays know nothing of `Instant`
        arrays[name] = [None if each is None else int(each.timestamp()) for each in arrays[name]]
    connection.execute(_write_results_at_once(), arrays | mine)


def _parameters(result: Result, now: dt.datetime) -> dict[str, Any]:
    outcome, state = result.outcome, result.state
    return {
        "p_delivery": outcome.delivery,
        "p_state": state.value,
        "p_tried": 0 if state is State.queued else 1,
        "p_next": result.next_attempt,
        "p_settled": now if state in _SETTLED else None,
        "p_code": outcome.code,
        "p_enhanced": outcome.enhanced,
        "p_reply": outcome.reply,
    }
