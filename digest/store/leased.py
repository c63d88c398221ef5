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
from digest.store.dialects import among
from digest.store.fanout import SUPPRESSED, UNSUBSCRIBED, FanOut, fan_out_chunk, fan_out_summary
from digest.store.reservations import mark_used
from digest.store.tables import delivery, edition, lease

State = DeliveryState

LEASE = dt.timedelta(seconds=60)
"""How long a process may be silent before another may take its place."""
IN_DOUBT = "the process that sent it ended before the server's answer was recorded"

_STILL_OPEN = sa.or_(*(delivery.c.state == s for s in (State.claimed, State.offered, State.uncertain)))
_SETTLED = frozenset({State.accepted, State.rejected, State.expired, State.uncertain})


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
        self._stories_used = False
        self._after = 0
        self._mine = sa.and_(delivery.c.owner == held.owner, delivery.c.epoch == held.epoch)
        self._candidates = self._select_candidates()
        self._write_result = self._update_by_result()

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
                connection.exec_driver_sql("ANALYZE delivery")  # without figures, claims read the whole table
            return fan_out_summary(connection, self.number)

    # While sending

    def claim(self, limit: int) -> Page:
        """See `digest.delivery.Ledger`: due retries first, then the queue in the order of its ids."""
        with self._database.write() as connection:
            now = self._fence(connection, EditionState.sending)
            rows, last = self._next(connection, limit, now)
            suppressed = [row.id for row in rows if row.suppressed]
            left = [row.id for row in rows if not row.suppressed and not row.wanted]
            for reason, ids in ((SUPPRESSED, suppressed), (UNSUBSCRIBED, left)):
                if ids:
                    connection.execute(
                        sa.update(delivery)
                        .where(among(connection, delivery.c.id, ids))
                        .values(state=State.skipped, skip_reason=reason, settled=now, next_attempt=None)
                    )
            ours = [row for row in rows if row.wanted and not row.suppressed]
            if ours:
                connection.execute(
                    sa.update(delivery)
                    .where(among(connection, delivery.c.id, [row.id for row in ours]))
                    .values(
                        state=State.claimed,
                        owner=self.held.owner,
                        epoch=self.held.epoch,
                        next_attempt=None,
                    )
                )
        claimed = tuple(
            Claimed(Recipient(row.id, row.subscription, row.address, row.name, row.variant), row.attempts)
            for row in ours
        )
        return Page(claimed, len(rows) - len(ours), last)

    def commit(self, results: Sequence[Result], offers: Sequence[int]) -> Offered:
        """See `digest.delivery.Ledger`."""
        with self._database.write() as connection:
            now = self._clock.now()
            if results:
                connection.execute(self._write_result, [_parameters(result, now) for result in results])
            if not offers:
                return Offered(frozenset(), now)
            try:
                now = self._fence(connection, EditionState.sending)
            except SendingStopped:
                return Offered(frozenset(), now)
            statement = (
                sa.update(delivery)
                .where(
                    among(connection, delivery.c.id, offers), delivery.c.state == State.claimed, self._mine
                )
                .values(state=State.offered, offered=now)
                .returning(delivery.c.id)
            )
            offered = frozenset(connection.execute(statement).scalars())
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
        renewed = connection.execute(
            sa.update(lease)
            .where(
                lease.c.name == self.held.name,
                lease.c.owner == self.held.owner,
                lease.c.epoch == self.held.epoch,
                lease.c.until > now,
            )
            .values(until=now + self._length)
        ).rowcount
        if not renewed:
            raise SendingStopped(
                "another process sends this edition now, or this one was silent for too long",
                hint="What this one had handed over is recorded; look with: digest deliveries",
            )
        if state is not None:
            row = connection.execute(
                sa.select(edition.c.state, edition.c.held, edition.c.paused).where(
                    edition.c.id == self.number
                )
            ).one()
            if row.state != state:
                raise SendingStopped(f"the edition is {row.state} now")
            if row.held or row.paused:
                flag = "held" if row.held else "paused"
                raise SendingStopped(f"the edition is {flag}: {row.held or row.paused}")
        return now

    def _select_candidates(self) -> sa.Select[Any]:
        """Rows as claims need them, with a fresh look at who left and who was suppressed."""
        people = self._audience.subquery("people")
        refused = self._do_not_send.subquery("refused")
        wanted = sa.select(sa.literal(1)).where(people.c.subscription == delivery.c.subscription).exists()
        suppressed = sa.select(sa.literal(1)).where(refused.c[0] == delivery.c.address_key).exists()
        return (
            sa.select(
                delivery.c.id,
                delivery.c.subscription,
                delivery.c.address,
                delivery.c.name,
                delivery.c.variant,
                delivery.c.attempts,
                wanted.label("wanted"),
                suppressed.label("suppressed"),
            )
            .where(delivery.c.edition == self.number)
            .with_for_update(skip_locked=True, of=delivery)
        )

    def _next(
        self, connection: sa.Connection, limit: int, now: dt.datetime
    ) -> tuple[list[sa.Row[Any]], bool]:
        """The next rows, and whether there are no others.

        The queue is read from where the last claim ended: on PostgreSQL the entries before that are dead and
        still in the index.
        """
        due = self._candidates.where(delivery.c.state == State.deferred, delivery.c.next_attempt <= now)
        rows = list(
            connection.execute(due.order_by(delivery.c.next_attempt, delivery.c.id).limit(limit)).all()
        )
        queue = self._candidates.where(
            delivery.c.state == State.queued, delivery.c.next_attempt.is_(None)
        ).order_by(delivery.c.id)
        if len(rows) < limit:
            found = connection.execute(
                queue.where(delivery.c.id > self._after).limit(limit - len(rows))
            ).all()
            rows += found
            if len(rows) < limit and self._after:  # once around: copies that came back to the queue
                rows += connection.execute(
                    queue.where(delivery.c.id <= self._after).limit(limit - len(rows))
                ).all()
                self._after = 0
            elif found:
                self._after = found[-1].id
        return rows, len(rows) < limit

    def _update_by_result(self) -> sa.Update:
        """Takes parameters of `_parameters`. A late result may settle what was called uncertain."""
        # An attempt that ended in doubt was counted then.
        tried = sa.bindparam("tried", type_=sa.Integer)
        counted = sa.case((delivery.c.state == State.uncertain, tried - 1), else_=tried)
        return (
            sa.update(delivery)
            .where(delivery.c.id == sa.bindparam("delivery"), self._mine, _STILL_OPEN)
            .values(
                state=sa.bindparam("becomes"),
                attempts=delivery.c.attempts + counted,
                next_attempt=sa.bindparam("again", type_=delivery.c.next_attempt.type),
                settled=sa.bindparam("at", type_=delivery.c.settled.type),
                code=sa.bindparam("said"),
                enhanced=sa.bindparam("status"),
                reply=sa.bindparam("text"),
            )
        )


def _parameters(result: Result, now: dt.datetime) -> dict[str, object]:
    outcome, state = result.outcome, result.state
    return {
        "delivery": outcome.delivery,
        "becomes": state.value,
        "tried": 0 if state is State.queued else 1,
        "again": result.next_attempt,
        "at": now if state in _SETTLED else None,
        "said": outcome.code,
        "status": outcome.enhanced,
        "text": outcome.reply,
    }


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
