"""One edition's rows under a lease: fan out, claim, commit; what the delivery engine works with.

Who holds the lease is the only one that moves this edition's rows. Each transaction here renews it, which
fails for a process that was suspended for too long or replaced: it can claim and offer nothing more. Rows
carry the epoch of the lease that they were claimed under, so that whoever takes over knows what its
predecessor left behind: claimed rows go back to the queue, offered ones may have arrived: uncertain.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from digest.delivery import Claimed, Offered, Page, Result, SendingStopped
from digest.errors import EditionError
from digest.model import DeliveryState, EditionState, Recipient
from digest.ports import Clock
from digest.store import Database
from digest.store.delivery_sql import (
    DUE,
    FENCE,
    FIRST_DUE,
    QUEUE_AFTER,
    QUEUE_UP_TO,
    among,
    statements,
    write_results,
)
from digest.store.fanout import SUPPRESSED, UNSUBSCRIBED, FanOut, fan_out_chunk, fan_out_summary
from digest.store.reservations import mark_used
from digest.store.tables import delivery, edition, lease, people

State = DeliveryState

LEASE = dt.timedelta(seconds=60)
"""How long a process may be silent before another may take its place."""
IN_DOUBT = "the process that sent it ended before the server's answer was recorded"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a predecessor left behind: rows back in the queue, and rows that may have arrived."""

    requeued: int
    uncertain: int


@dataclass(frozen=True, slots=True)
class Held:
    """A lease, by the name in the table; `owner` names one process for its lifetime."""

    name: str
    owner: str
    epoch: int


class LeasedEdition:
    """The rows of edition `number`, for whoever holds `held`. Implements `digest.delivery.Ledger`.

    `audience` and `do_not_send` are asked again whenever rows are claimed. Used by one thread at a time.
    """

    def __init__(
        self,
        database: Database,
        number: int,
        held: Held,
        *,
        clock: Clock,
        audience: sa.Select[Any],
        do_not_send: sa.Select[Any],
        length: dt.timedelta = LEASE,
    ) -> None:
        self._database, self.number, self.held = database, number, held
        self._clock, self._length = clock, length
        self._audience, self._do_not_send = audience, do_not_send
        self._people, self._refused = audience.subquery("people"), do_not_send.subquery("refused")
        self._stories_used = False
        self._after = 0
        self._first_due: dt.datetime | None = None
        self._looked_for_due = False

    # Before sending

    def recover(self) -> Recovered:
        """Takes over what earlier holders of the lease left behind; nobody else can move these rows now."""
        left_behind = sa.and_(
            delivery.c.edition == self.number,
            sa.or_(delivery.c.epoch.is_(None), delivery.c.epoch != self.held.epoch),
        )
        with self._database.write() as connection:
            now = self._fence(connection)
            requeued = connection.execute(
                sa.update(delivery)
                .where(left_behind, delivery.c.state == State.claimed)
                .values(state=State.queued, next_attempt=None)
            ).rowcount
            uncertain = connection.execute(
                sa.update(delivery)
                .where(left_behind, delivery.c.state == State.offered)
                .values(
                    state=State.uncertain,
                    settled=now,
                    attempts=delivery.c.attempts + 1,
                    code=0,
                    enhanced="",
                    reply=IN_DOUBT,
                )
            ).rowcount
        return Recovered(requeued, uncertain)

    def resend_uncertain(self, before: dt.datetime) -> int:
        """The policy "resend": rows that were offered before `before` go to the queue again, once each."""
        with self._database.write() as connection:
            self._fence(connection)
            return connection.execute(
                sa.update(delivery)
                .where(
                    delivery.c.edition == self.number,
                    delivery.c.state == State.uncertain,
                    delivery.c.offered < before,
                    delivery.c.resends == 0,
                )
                .values(state=State.queued, resends=1, next_attempt=None, settled=None)
            ).rowcount

    def expire(self) -> int:
        """Gives up rows that wait for another attempt: the edition is stale."""
        with self._database.write() as connection:
            now = self._fence(connection)
            return connection.execute(
                sa.update(delivery)
                .where(delivery.c.edition == self.number, delivery.c.state == State.deferred)
                .values(state=State.expired, settled=now, next_attempt=None)
            ).rowcount

    def fan_out(
        self,
        *,
        variant: str = "default",
        chunk: int = 20_000,
        told: Callable[[int], object] | None = None,
    ) -> FanOut:
        """Fixes the audience, going on from where an earlier fan-out ended; `told` gets each chunk's size.

        The edition has to be in state fanning; raises `SendingStopped` when that, or the lease, changed.
        """
        more = True
        while more:
            with self._database.write() as connection:
                now = self._fence(connection, EditionState.fanning)
                more = fan_out_chunk(
                    connection,
                    self.number,
                    audience=self._audience,
                    do_not_send=self._do_not_send,
                    variant=variant,
                    size=chunk,
                    now=now,
                )
            if told is not None:
                told(chunk)
        with self._database.write() as connection:
            if connection.dialect.name == "postgresql":
                # Without figures of what is in them, each claim reads whole tables.
                for table in (delivery, people.subscription, people.subscriber, people.suppression):
                    connection.exec_driver_sql(f"ANALYZE {table.name}")
            return fan_out_summary(connection, self.number)

    # While sending

    def claim(self, limit: int) -> Page:
        """See `digest.delivery.Ledger`: due retries first, then the queue in the order of its ids."""
        with self._database.write() as connection:
            now = self._fence(connection, EditionState.sending)
            prepared = statements(connection.dialect.name)
            rows, last = self._next(connection, limit, now)
            skipped = self._unwanted(connection, rows) if rows else {}
            for reason in set(skipped.values()):
                ids = [number for number, why in skipped.items() if why == reason]
                connection.execute(prepared.skip, {"p_ids": ids, "p_reason": reason, "p_now": now})
            ours = [row for row in rows if row.id not in skipped]
            if ours:
                connection.execute(prepared.claim, {"p_ids": [row.id for row in ours], **self._mine()})
        claimed = tuple(
            Claimed(Recipient(row.id, row.subscription, row.address, row.name, row.variant), row.attempts)
            for row in ours
        )
        return Page(claimed, len(skipped), last)

    def commit(self, results: Sequence[Result], offers: Sequence[int]) -> Offered:
        """See `digest.delivery.Ledger`."""
        with self._database.write() as connection:
            now = self._clock.now()
            if results:
                write_results(connection, results, self.held.owner, self.held.epoch, now)
                self._note_due(results)
            if any(result.state in (State.queued, State.deferred) for result in results):
                self._keep_open(connection, now)
            if not offers:
                return Offered(frozenset(), now)
            try:
                now = self._fence(connection, EditionState.sending)
            except SendingStopped:
                return Offered(frozenset(), now)
            parameters = {"p_ids": list(offers), "p_now": now, **self._mine()}
            offer = statements(connection.dialect.name).offer
            offered = frozenset(connection.execute(offer, parameters).scalars())
            if offered and not self._stories_used:
                mark_used(connection, self.number, at=now)
        if offered:
            self._stories_used = True  # only now: a transaction that failed has to do it again
        return Offered(offered, now + self._length)

    def renew(self) -> None:
        """See `digest.delivery.Ledger`."""
        with self._database.write() as connection:
            self._fence(connection, EditionState.sending)

    def release(self) -> None:
        """Gives the lease back, so that the next process need not wait for its end."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(lease)
                .where(
                    lease.c.name == self.held.name,
                    lease.c.owner == self.held.owner,
                    lease.c.epoch == self.held.epoch,
                )
                .values(owner="", until=self._clock.now())
            )

    # Inside

    def _fence(self, connection: sa.Connection, state: EditionState | None = None) -> dt.datetime:
        """Renews the lease; the time that it was.

        Raises `SendingStopped` when the lease is lost, or the edition is no longer in `state` or was stopped.
        Called with the write lock held (SQLite) or taking it on the lease's row (PostgreSQL): nobody can
        take over between this and the end of the transaction.
        """
        now = self._clock.now()
        parameters = {"p_name": self.held.name, "p_now": now, "p_until": now + self._length}
        row = connection.execute(FENCE, parameters | self._mine() | {"p_edition": self.number}).first()
        if row is None:
            raise SendingStopped(
                "another process sends this edition now, or this one was silent for too long",
                hint="What this one had handed over is recorded; look with: digest deliveries",
            )
        if state is not None and row.state != state:
            raise SendingStopped(f"the edition is {row.state} now")
        if state is not None and (row.held or row.paused):
            flag = "held" if row.held else "paused"
            raise SendingStopped(f"the edition is {flag}: {row.held or row.paused}")
        return now

    def _mine(self) -> dict[str, object]:
        return {"p_owner": self.held.owner, "p_epoch": self.held.epoch}

    def _next(
        self, connection: sa.Connection, limit: int, now: dt.datetime
    ) -> tuple[list[sa.Row[Any]], bool]:
        """The next rows, and whether there are no others.

        The queue is read from where the last claim ended: on PostgreSQL the entries before that are dead and
        still in the index.
        """
        rows: list[sa.Row[Any]] = []
        this: dict[str, object] = {"p_edition": self.number}
        if not self._looked_for_due:
            self._first_due = connection.execute(FIRST_DUE, this).scalar()
            self._looked_for_due = True
        if self._first_due is not None and self._first_due <= now:
            rows += connection.execute(DUE, this | {"p_now": now, "p_limit": limit}).all()
            self._looked_for_due = False
        left = limit - len(rows)
        if left:
            found = connection.execute(QUEUE_AFTER, this | {"p_id": self._after, "p_limit": left}).all()
            rows += found
            if len(found) < left and self._after:  # once around: copies that came back to the queue
                more = {"p_id": self._after, "p_limit": left - len(found)}
                rows += connection.execute(QUEUE_UP_TO, this | more).all()
                self._after = 0
            elif found:
                self._after = found[-1].id
        return rows, len(rows) < limit

    def _note_due(self, results: Sequence[Result]) -> None:
        """Only the holder of the lease defers copies, so that nobody else knows an earlier time."""
        times = [result.next_attempt for result in results if result.next_attempt is not None]
        if times:
            self._first_due = min(times if self._first_due is None else [*times, self._first_due])

    def _keep_open(self, connection: sa.Connection, now: dt.datetime) -> None:
        """A copy that is to be tried again needs an edition that is leaving.

        Whoever took over from a process that was suspended called its copies uncertain, and may have finished
        the edition since; or a person cancelled it.
        """
        state = connection.execute(
            sa.select(edition.c.state).where(edition.c.id == self.number).with_for_update()
        ).scalar()
        waiting = sa.and_(
            delivery.c.edition == self.number, delivery.c.state.in_([State.queued, State.deferred])
        )
        if state == EditionState.cancelled:
            connection.execute(
                sa.update(delivery)
                .where(waiting)
                .values(state=State.cancelled, settled=now, next_attempt=None)
            )
        elif state == EditionState.finished:
            connection.execute(
                sa.update(edition)
                .where(edition.c.id == self.number, sa.exists().where(waiting))
                .values(state=EditionState.sending, finished=None)
            )

    def _unwanted(self, connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> dict[int, str]:
        """Rows that must not be sent after all, and why: they left or were suppressed meanwhile."""
        dialect = connection.dialect.name
        wanted, refused = self._people.c.subscription, self._refused.c[0]
        ids = {"p_ids": [row.subscription for row in rows]}
        keys = {"p_ids": [row.address_key for row in rows if row.address_key is not None]}
        here = set(connection.execute(sa.select(wanted).where(among(dialect, wanted)), ids).scalars())
        gone = set(connection.execute(sa.select(refused).where(among(dialect, refused)), keys).scalars())
        skipped = {row.id: UNSUBSCRIBED for row in rows if row.subscription not in here}
        return skipped | {row.id: SUPPRESSED for row in rows if row.address_key in gone}


def lease_name(number: int) -> str:
    """The lease under which an edition is sent."""
    return f"send edition {number}"


def busy(name: str, owner: str, until: dt.datetime) -> EditionError:
    """Somebody else is sending this edition."""
    return EditionError(
        name,
        f"it is being sent by another process ({owner})",
        hint=f"Wait for it, or stop it. If it is gone, this is possible again from {until:%H:%M:%S} UTC on.",
    )
