"""Fixes an edition's audience: one row of the ledger for each subscription, in chunks that can be resumed.

A chunk is one transaction, so that nobody waits long for the write lock; `edition.fanned_to` notes the last
subscription of it. Every subscription of a chunk becomes a row, also one that gets no copy: candidates are
always queued plus skipped, and the reason of each skip is there to be read.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from digest.errors import StoreError
from digest.model import DeliveryState
from digest.store import Database
from digest.store.dialects import insert
from digest.store.moves import SUPPRESSED
from digest.store.piles import begin, count
from digest.store.tables import delivery, edition, people

SAME_MAILBOX = "same mailbox"


@dataclass(frozen=True, slots=True)
class FanOut:
    """What a fan-out made. `candidates` were in the audience: those queued and those skipped, by reason."""

    candidates: int
    queued: int
    skipped: Mapping[str, int]


def fan_out(
    database: Database,
    number: int,
    *,
    audience: sa.Select[Any],
    do_not_send: sa.Select[Any],
    variant: str,
    chunk: int | None,
    fence: Callable[[sa.Connection], dt.datetime],
    told: Callable[[int], object] | None,
) -> FanOut:
    """See `digest.store.leased.LeasedEdition.fan_out`. `fence` is called in each transaction."""
    more = True
    while more:
        with database.write() as connection:
            now = fence(connection)
            more = fan_out_chunk(
                connection,
                number,
                audience=audience,
                do_not_send=do_not_send,
                variant=variant,
                size=chunk or 20_000,
                now=now,
            )
        if told is not None:
            told(chunk or 20_000)
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            # Without figures of what is in them, each claim reads whole tables.
            for table in (delivery, people.subscription, people.subscriber, people.suppression):
                connection.exec_driver_sql(f"ANALYZE {table.name}")
        return fan_out_summary(connection, number)


def fan_out_chunk(
    connection: sa.Connection,
    number: int,
    *,
    audience: sa.Select[Any],
    do_not_send: sa.Select[Any],
    variant: str,
    size: int,
    now: dt.datetime,
) -> bool:
    """Brings the next `size` subscriptions into edition `number`; False when there were fewer left.

    Columns of `audience`: subscription, address, address_key, domain, name. Raises `StoreError`, with nothing
    written, when a subscription would be missing from the ledger.
    """
    start = connection.execute(sa.select(edition.c.fanned_to).where(edition.c.id == number)).scalar_one()
    people = audience.subquery("people")
    chunk = (
        sa.select(people)
        .where(people.c.subscription > start)
        .order_by(people.c.subscription)
        .limit(size)
        .cte("chunk")
    )
    expected, end = connection.execute(
        sa.select(sa.func.count(), sa.func.max(chunk.c.subscription)).select_from(chunk)
    ).one()
    if expected:
        rows = _Rows(connection, number, chunk, variant, now)
        rows.insert(do_not_send, start, end)
        rows.insert_twins()
        made = {
            DeliveryState(state): rows
            for state, rows in connection.execute(
                sa.select(delivery.c.state, sa.func.count())
                .where(delivery.c.edition == number, delivery.c.subscription.between(start + 1, end))
                .group_by(delivery.c.state)
            )
        }
        if sum(made.values()) != expected:
            raise StoreError(
                f"fan-out of edition {number}: {expected} subscriptions but {sum(made.values())} rows; nothing was written",
                hint="Run it again; if this stays, run: digest db check",
            )
        begin(connection, number)
        count(connection, number, made)
        connection.execute(sa.update(edition).where(edition.c.id == number).values(fanned_to=end))
    return bool(expected == size)


def fan_out_summary(connection: sa.Connection, number: int) -> FanOut:
    """What the chunks made so far, from the rows themselves."""
    skipped: Counter[str] = Counter()
    queued = 0
    rows = connection.execute(
        sa.select(delivery.c.state, delivery.c.skip_reason, sa.func.count())
        .where(delivery.c.edition == number)
        .group_by(delivery.c.state, delivery.c.skip_reason)
    )
    for state, reason, count in rows:
        if state == DeliveryState.skipped:
            skipped[reason] += count
        else:
            queued += count
    return FanOut(queued + skipped.total(), queued, dict(skipped))


_COLUMNS = (
    "edition", "subscription", "address", "address_key", "domain", "name", "variant", "state", "pile",
    "skip_reason", "settled",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rows:
    """How subscriptions of one chunk become rows."""

    connection: sa.Connection
    number: int
    chunk: sa.CTE
    variant: str
    now: dt.datetime

    def insert(self, do_not_send: sa.Select[Any], start: int, end: int) -> None:
        """One row for each mailbox that is not in the ledger yet; suppressed ones as skipped."""
        refused = do_not_send.subquery("refused")
        suppressed = refused.c[0].is_not(None)
        chunk = self.chunk
        rows = (
            self._columns(
                chunk.c.address_key,
                sa.case((suppressed, DeliveryState.skipped.value), else_=DeliveryState.queued.value),
                sa.case((suppressed, SUPPRESSED), else_=""),
                sa.case((suppressed, sa.literal(self.now, delivery.c.settled.type)), else_=None),
            )
            .select_from(chunk.outerjoin(refused, refused.c[0] == chunk.c.address_key))
            # Always true; without a WHERE, SQLite takes ON CONFLICT for the condition of a join.
            .where(chunk.c.subscription.between(start + 1, end))
            .order_by(chunk.c.subscription)
        )
        statement = insert(self.connection, delivery).from_select(list(_COLUMNS), rows)
        self.connection.execute(
            statement.on_conflict_do_nothing(index_elements=[delivery.c.edition, delivery.c.address_key])
        )

    def insert_twins(self) -> None:
        """The rest of the chunk: subscriptions whose mailbox gets this edition by another one."""
        there = sa.select(delivery.c.id).where(
            delivery.c.edition == self.number, delivery.c.subscription == self.chunk.c.subscription
        )
        rows = self._columns(
            sa.null(),
            sa.literal(DeliveryState.skipped.value),
            sa.literal(SAME_MAILBOX),
            sa.literal(self.now, delivery.c.settled.type),
        ).where(~there.exists())
        self.connection.execute(delivery.insert().from_select(list(_COLUMNS), rows))

    def _columns(
        self,
        key: sa.ColumnElement[Any],
        state: sa.ColumnElement[Any],
        reason: sa.ColumnElement[Any],
        settled: sa.ColumnElement[Any],
    ) -> sa.Select[Any]:
        chunk = self.chunk
        return sa.select(
            sa.literal(self.number),
            chunk.c.subscription,
            chunk.c.address,
            key,
            chunk.c.domain,
            chunk.c.name,
            sa.literal(self.variant),
            state,
            state,  # both states that there are now have a pile
            reason,
            settled,
        )
