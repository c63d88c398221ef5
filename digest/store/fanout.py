"""Fixes an edition's audience: one row of the ledger for each subscription, in chunks that can be resumed.

A chunk is one transaction, as large as can be without keeping others waiting; `edition.fanned_to` notes the last
subscription of it. Every subscription of a chunk becomes a row, also one that gets no copy: candidates are
always queued plus skipped, and the reason of each skip is there to be read.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from digest.errors import StoreBusy, StoreError
from digest.model import DeliveryState
from digest.store import Database
from digest.store.dialects import insert
from digest.store.moves import SUPPRESSED
from digest.store.piles import begin, count, counted
from digest.store.tables import delivery, edition, people

SAME_MAILBOX = "same mailbox"

_AIM = 0.09
"""So many seconds a chunk may keep others from writing; an unsubscribe waits for one or two."""
_PAUSE = 0.005
"""Between two chunks, for those who wait: they look again every two milliseconds."""
_FIRST, _LEAST, _MOST = 1_000, 100, 50_000


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
    pace = Pace(chunk)
    more = True
    while more:
        size = pace.size
        start = time.monotonic()
        try:
            with database.write(snapshot=True) as connection:
                more = fan_out_chunk(
                    connection,
                    number,
                    audience=audience,
                    do_not_send=do_not_send,
                    variant=variant,
                    size=size,
                    now=fence(connection),
                )
        except StoreBusy:  # a person held or paused the edition this very moment: look again
            continue
        pace.took(time.monotonic() - start)
        if told is not None:
            told(size)
        if more:
            time.sleep(_PAUSE)
    if database.file is None:
        with database.write() as connection:
            # Without figures of what is in them, each claim reads whole tables.
            for table in (delivery, people.subscription, people.subscriber, people.suppression):
                connection.exec_driver_sql(f"ANALYZE {table.name}")
    return fan_out_summary(database, number)


class Pace:
    """How many subscriptions the next chunk takes: as many as keep others waiting for about `_AIM` seconds."""

    def __init__(self, fixed: int | None = None) -> None:
        self._fixed = fixed
        self.size = fixed or _FIRST

    def took(self, seconds: float) -> None:
        """Hears what the last chunk took. It may double at most: one quick chunk may have been luck."""
        if self._fixed is None:
            factor = min(2.0, _AIM / max(seconds, 0.001))
            self.size = min(_MOST, max(_LEAST, int(self.size * factor)))


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

    Columns of `audience`: subscription, address, address_key, mailbox, domain, name. Raises `StoreError`, with
    nothing written, when a subscription would be missing from the ledger.
    """
    start = connection.execute(sa.select(edition.c.fanned_to).where(edition.c.id == number)).scalar_one()
    there = audience.subquery("people")
    ahead = sa.select(there.c.subscription).where(there.c.subscription > start)
    chunk = ahead.order_by(there.c.subscription).limit(size).subquery("chunk")
    expected, end = connection.execute(
        sa.select(sa.func.count(), sa.func.max(chunk.c.subscription)).select_from(chunk)
    ).one()
    if expected:
        last = connection.execute(sa.select(sa.func.max(delivery.c.id))).scalar() or 0
        rows = _Rows(connection, number, audience, start, end, variant, now)
        made = rows.insert(do_not_send)
        if made != expected:
            made += rows.insert_twins()
        if made != expected:
            raise StoreError(
                f"fan-out of edition {number}: {expected} subscriptions but {made} rows; nothing was written",
                hint="Run it again; if this stays, run: digest db check",
            )
        skipped = connection.execute(
            sa.select(sa.func.count()).where(
                delivery.c.edition == number,
                delivery.c.pile == DeliveryState.skipped.value,
                delivery.c.id > last,
            )
        ).scalar_one()
        begin(connection, number)
        gained = {DeliveryState.queued: expected - skipped, DeliveryState.skipped: skipped}
        count(connection, number, gained)
        connection.execute(sa.update(edition).where(edition.c.id == number).values(fanned_to=end))
    return bool(expected == size)


def fan_out_summary(database: Database, number: int) -> FanOut:
    """What the chunks made so far."""
    reasons = (
        sa.select(delivery.c.skip_reason, sa.func.count())
        .where(delivery.c.edition == number, delivery.c.pile == DeliveryState.skipped.value)
        .group_by(delivery.c.skip_reason)
    )
    with database.read() as connection:
        candidates = sum(counted(connection, number).values())
        skipped = {reason: rows for reason, rows in connection.execute(reasons)}
    return FanOut(candidates, candidates - sum(skipped.values()), skipped)


_COLUMNS = (
    "edition", "subscription", "address", "address_key", "mailbox", "domain", "name", "variant", "state",
    "pile", "skip_reason", "settled",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rows:
    """How the subscriptions behind `start` and up to `end` become rows."""

    connection: sa.Connection
    number: int
    audience: sa.Select[Any]
    start: int
    end: int
    variant: str
    now: dt.datetime

    def insert(self, do_not_send: sa.Select[Any]) -> int:
        """One row for each mailbox that is not in the ledger yet; suppressed ones as skipped. How many."""
        refused = do_not_send.subquery("refused")
        suppressed = refused.c[0].is_not(None)
        people = self.audience.subquery("people")
        rows = (
            self._columns(
                people,
                people.c.address_key,
                people.c.mailbox,
                sa.case((suppressed, DeliveryState.skipped.value), else_=DeliveryState.queued.value),
                sa.case((suppressed, SUPPRESSED), else_=""),
                sa.case((suppressed, sa.literal(self.now, delivery.c.settled.type)), else_=None),
            )
            .select_from(people.outerjoin(refused, refused.c[0] == people.c.address_key))
            .order_by(people.c.subscription)
        )
        statement = insert(self.connection, delivery).from_select(list(_COLUMNS), rows)
        statement = statement.on_conflict_do_nothing(index_elements=[delivery.c.edition, delivery.c.mailbox])
        return self._made(statement)

    def insert_twins(self) -> int:
        """The rest: subscriptions whose mailbox gets this edition by another one. How many."""
        people = self.audience.subquery("people")
        there = sa.select(delivery.c.id).where(
            delivery.c.edition == self.number, delivery.c.subscription == people.c.subscription
        )
        rows = self._columns(
            people,
            sa.null(),
            sa.null(),
            sa.literal(DeliveryState.skipped.value),
            sa.literal(SAME_MAILBOX),
            sa.literal(self.now, delivery.c.settled.type),
        ).where(~there.exists())
        return self._made(delivery.insert().from_select(list(_COLUMNS), rows))

    def _made(self, statement: sa.Insert) -> int:
        return self.connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount

    def _columns(
        self,
        people: sa.Subquery,
        key: sa.ColumnElement[Any],
        mailbox: sa.ColumnElement[Any],
        state: sa.ColumnElement[Any],
        reason: sa.ColumnElement[Any],
        settled: sa.ColumnElement[Any],
    ) -> sa.Select[Any]:
        return sa.select(
            sa.literal(self.number),
            people.c.subscription,
            people.c.address,
            key,
            mailbox,
            people.c.domain,
            people.c.name,
            sa.literal(self.variant),
            state,
            state,  # both states that there are now have a pile
            reason,
            settled,
        ).where(people.c.subscription.between(self.start + 1, self.end))
