"""Fixes an edition's audience: one row of the ledger for each subscription, in chunks that can be resumed.

A chunk is one transaction, as large as can be without keeping others waiting; `edition.fanned_to` notes the
last subscription of it. Every subscription of a chunk becomes a row, also one that gets no copy: candidates
are always queued plus skipped, and the reason of each skip is there to be read.
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
from digest.store.tables import Instant, delivery, edition, people

SAME_MAILBOX = "same mailbox"

_AIM = 0.09
"""So many seconds a chunk may keep others from writing; an unsubscribe waits for one or two."""
_AIM_POSTGRESQL = 0.2
"""There a chunk keeps nobody from leaving, only from changing this edition."""
_PAUSE = 0.005
"""Between two chunks, for those who wait: they look again every two milliseconds."""
_FOR_A_CHUNK = """
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off;
SET LOCAL synchronous_commit = off"""
"""PostgreSQL would read all subscribers for a chunk of a few thousand, and compile each query anew. And a
chunk need not be on the disk before the next begins: it is there before the commit that makes the edition
leave, and one that a crash takes back is made again."""
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
    chunks = _Chunks(number, audience, do_not_send, variant)
    pace = Pace(chunk, aim=_AIM if database.file is not None else _AIM_POSTGRESQL)
    more = True
    while more:
        size = pace.size
        start = time.monotonic()
        try:
            with database.write_snapshot() as connection:
                if database.file is None:
                    connection.exec_driver_sql(_FOR_A_CHUNK)
                more = chunks.make(connection, size, fence(connection))
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
    """How many subscriptions the next chunk takes: as many as take about `aim` seconds."""

    def __init__(self, fixed: int | None = None, *, aim: float = _AIM) -> None:
        self._fixed, self._aim = fixed, aim
        self.size = fixed or _FIRST

    def took(self, seconds: float) -> None:
        """Hears what the last chunk took. It may double at most: one quick chunk may have been luck."""
        if self._fixed is None:
            factor = min(2.0, self._aim / max(seconds, 0.001))
            self.size = min(_MOST, max(_LEAST, int(self.size * factor)))


def fan_out_summary(database: Database, number: int) -> FanOut:
    """What the chunks made so far."""
    reasons = (
        sa.select(delivery.c.skip_reason, sa.func.count())
        .where(delivery.c.edition == number, delivery.c.pile == DeliveryState.skipped.value)
        .group_by(delivery.c.skip_reason)
    )
    with database.read() as connection:
        candidates = sum(counted(connection, number).values())
        skipped = {row[0]: row[1] for row in connection.execute(reasons)}
    return FanOut(candidates, candidates - sum(skipped.values()), skipped)


_NOW = sa.bindparam("p_now", type_=Instant)
_COLUMNS = (
    "edition", "subscription", "address", "address_key", "mailbox", "domain", "name", "variant", "state",
    "pile", "skip_reason", "settled",
)  # fmt: skip


class _Chunks:
    """The statements that make a chunk of rows, put together once.

    Columns of `audience`: subscription, address, address_key, mailbox, domain, name.
    """

    def __init__(
        self, number: int, audience: sa.Select[Any], do_not_send: sa.Select[Any], variant: str
    ) -> None:
        self._number, self._variant = number, variant
        self._people = people = audience.subquery("people")
        self._ahead = self._look_ahead()
        refused = do_not_send.subquery("refused")
        suppressed = refused.c[0].is_not(None)
        # One row for each mailbox that is not in the ledger yet; suppressed ones as skipped.
        self._new = (
            self._columns(
                people.c.address_key,
                people.c.mailbox,
                sa.case((suppressed, DeliveryState.skipped.value), else_=DeliveryState.queued.value),
                sa.case((suppressed, SUPPRESSED), else_=""),
                sa.case((suppressed, _NOW), else_=None),
            )
            .select_from(people.outerjoin(refused, refused.c[0] == people.c.address_key))
            .order_by(people.c.subscription)
        )
        # The rest: subscriptions whose mailbox gets this edition by another one.
        there = sa.select(delivery.c.id).where(
            delivery.c.edition == number, delivery.c.subscription == people.c.subscription
        )
        skipped = sa.literal(DeliveryState.skipped.value)
        twins = self._columns(sa.null(), sa.null(), skipped, sa.literal(SAME_MAILBOX), _NOW)
        self._twins = delivery.insert().from_select(list(_COLUMNS), twins.where(~there.exists()))
        self._skipped = sa.select(sa.func.count()).where(
            delivery.c.edition == number,
            delivery.c.pile == DeliveryState.skipped.value,
            delivery.c.id > sa.bindparam("p_last"),
        )

    def make(self, connection: sa.Connection, size: int, now: dt.datetime) -> bool:
        """Brings the next `size` subscriptions into the edition; False when there were fewer left.

        Raises `StoreError`, with nothing written, when a subscription would be missing from the ledger.
        """
        number = self._number
        start = connection.execute(sa.select(edition.c.fanned_to).where(edition.c.id == number)).scalar_one()
        ahead = {"p_start": start, "p_size": size}
        expected, end = connection.execute(self._ahead, ahead).one()
        if expected:
            last = connection.execute(sa.select(sa.func.max(delivery.c.id))).scalar() or 0
            new = insert(connection, delivery).from_select(list(_COLUMNS), self._new)
            new = new.on_conflict_do_nothing(index_elements=[delivery.c.edition, delivery.c.mailbox])
            chunk = {"p_start": start, "p_end": end, "p_now": now}
            made = _rows(connection, new, chunk)
            if made != expected:
                made += _rows(connection, self._twins, chunk)
            if made != expected:
                raise StoreError(
                    f"fan-out of edition {number}: {expected} subscriptions but {made} rows; nothing was "
                    "written",
                    hint="Run it again; if this stays, run: digest db check",
                )
            skipped = connection.execute(self._skipped, {"p_last": last}).scalar_one()
            begin(connection, number)
            gained = {DeliveryState.queued: expected - skipped, DeliveryState.skipped: skipped}
            count(connection, number, gained)
            connection.execute(sa.update(edition).where(edition.c.id == number).values(fanned_to=end))
        return bool(expected == size)

    def _look_ahead(self) -> sa.Select[int, Any]:
        there = self._people.c.subscription
        ahead = sa.select(there).where(there > sa.bindparam("p_start")).order_by(there)
        chunk = ahead.limit(sa.bindparam("p_size", type_=sa.Integer)).subquery("chunk")
        return sa.select(sa.func.count(), sa.func.max(chunk.c.subscription)).select_from(chunk)

    def _columns(
        self,
        key: sa.ColumnElement[Any],
        mailbox: sa.ColumnElement[Any],
        state: sa.ColumnElement[Any],
        reason: sa.ColumnElement[Any],
        settled: sa.ColumnElement[Any],
    ) -> sa.Select[Any]:
        people = self._people
        return sa.select(
            sa.literal(self._number),
            people.c.subscription,
            people.c.address,
            key,
            mailbox,
            people.c.domain,
            people.c.name,
            sa.literal(self._variant),
            state,
            state,  # both states that there are now have a pile
            reason,
            settled,
        ).where(
            people.c.subscription > sa.bindparam("p_start"), people.c.subscription <= sa.bindparam("p_end")
        )


def _rows(connection: sa.Connection, statement: sa.Insert, parameters: Mapping[str, Any]) -> int:
    return connection.execute(statement, parameters, execution_options={"preserve_rowcount": True}).rowcount
