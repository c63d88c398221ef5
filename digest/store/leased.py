"""One edition's rows under a lease: fan out, claim, commit; what the delivery engine works with.

Who holds the lease is the only one that moves this edition's rows. Each transaction here renews it, which
fails for a process that was suspended for too long or replaced: it can claim and offer nothing more. Rows
carry the epoch of the lease that they were claimed under, so that whoever takes over knows what its
predecessor left behind: claimed rows go back to the queue, offered ones may have arrived: uncertain.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from digest.delivery import Claimed, Offered, Page, Result, SendingStopped
from digest.errors import EditionError, StoreError
from digest.model import DeliveryState, EditionState, Recipient
from digest.ports import Clock
from digest.store import Database
from digest.store.edition_steps import note
from digest.store.fanout import FanOut, fan_out
from digest.store.moves import Claim, Committed, Held, Moves, Place, Row, Taken, When, why_not
from digest.store.moves_postgres import PostgresMoves
from digest.store.moves_sqlite import SqliteMoves
from digest.store.piles import CHUNK, TO_DO, counted, first_in_doubt, move_pile, move_these, passing, true_up
from digest.store.reservations import mark_used
from digest.store.tables import delivery, edition, lease, sending, sending_minute

State = DeliveryState

LEASE = dt.timedelta(seconds=60)
"""How long a process may be silent before another may take its place."""
_KEEP = dt.timedelta(days=8)
"""Minutes older than that count for no relay's limit."""
IN_DOUBT = "the process that sent it ended before the server's answer was recorded"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a predecessor left behind: rows back in the queue, and rows that may have arrived."""

    requeued: int
    uncertain: int


class LeasedEdition:
    """The rows of edition `number`, for whoever holds `held`. Implements `digest.delivery.Ledger`.

    `audience` and `do_not_send` are asked again whenever rows are claimed, and once more when they are
    offered. Used by one thread at a time; `release` closes its connection.
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
        self._writer = database.writer()
        self._stories_used = False
        self._mine: set[int] = set()
        """Claimed, and neither offered nor given back."""
        self._after = 0
        self._first_due: dt.datetime | None = None
        self._looked_for_due = False

    # Before sending

    def recover(self) -> Recovered:
        """Takes over what earlier holders of the lease left behind; nobody else can move these rows now."""
        with self._database.write() as connection:
            now = self._fence(connection)
            started = sa.update(sending).where(sending.c.edition == self.number)
            connection.execute(started.values(started=now, updated=now))
            old = int((now - _KEEP).timestamp()) // 60
            connection.execute(sa.delete(sending_minute).where(sending_minute.c.minute < old))
        # Nobody else can move these rows from now on: they are looked for without keeping others waiting.
        true_up(self._database, self.number)
        left_behind = sa.or_(delivery.c.epoch.is_(None), delivery.c.epoch != self.held.epoch)
        claimed = passing(self._database, self.number, State.claimed, left_behind)
        offered = passing(self._database, self.number, State.offered, left_behind)
        return Recovered(
            self._take_over(claimed, State.claimed, State.queued, next_attempt=None),
            self._take_over(
                offered,
                State.offered,
                State.uncertain,
                **in_doubt(now),
            ),
        )

    def resend_uncertain(self, before: dt.datetime, servers: Collection[str]) -> int:
        """The policy "resend": rows that were offered to one of `servers` before `before` go to the queue
        again, once each, and bound to that server."""
        with self._database.write() as connection:
            self._fence(connection)
            condition = sa.and_(
                delivery.c.offered < before, delivery.c.resends == 0, delivery.c.server.in_(servers)
            )
            values = {"resends": 1, "next_attempt": None, "settled": None}
            return move_pile(connection, self.number, State.uncertain, State.queued, condition, **values)

    def expire(self) -> int:
        """Gives up rows that wait for another attempt: the edition is stale. Those that were in doubt before
        are so again: they may have arrived."""
        return self._expire(delivery.c.resends == 0, State.expired) + self._expire(
            delivery.c.resends > 0, State.uncertain
        )

    def fan_out(
        self,
        *,
        variant: str = "default",
        chunk: int | None = None,
        told: Callable[[int], object] | None = None,
    ) -> FanOut:
        """Fixes the audience, going on from where an earlier fan-out ended; `told` gets each chunk's size.

        `chunk` fixes that size; without, it follows the time that chunks take. The edition has to be in state
        fanning; raises `SendingStopped` when that, or the lease, changed.
        """
        return fan_out(
            self._database,
            self.number,
            audience=self._audience,
            do_not_send=self._do_not_send,
            variant=variant,
            chunk=chunk,
            fence=lambda connection: self._fence(connection, EditionState.fanning),
            told=told,
        )

    # While sending

    def claim(self, limit: int, server: str = "", *, only: Collection[str] | None = None) -> Page:
        """See `digest.delivery.Ledger`: due retries first, then the queue in the order of its ids.

        `only`: queued rows of these mailboxes (by address key), for a canary; others are claimed later, as if
        this had not been.
        """
        rows: list[Row] = []
        skipped = 0
        try:
            for taken in self._claims(limit, server, only):
                rows += taken.rows
                skipped += taken.seen - len(taken.rows)
                self._mine.update([row[0] for row in taken.rows])
        except (SendingStopped, StoreError):
            if not rows:
                raise
            # What was claimed is ours; what stands in the way is told when more is asked for.
            return Page(_claimed(rows), skipped, last=False)
        return Page(_claimed(rows), skipped, len(rows) + skipped < limit)

    def commit(self, results: Sequence[Result], offers: Sequence[int], server: str = "") -> Offered:
        """See `digest.delivery.Ledger`."""
        when = self._when()
        if offers and not self._stories_used:
            done = self._commit_first(results, offers, server, when)
        else:

            def action(driver: Any, again: bool) -> Committed:
                return self._moves.commit(driver, results, offers, server, when, again=again)

            done = self._writer.run(action, single=True)
        self._mine.difference_update(done.offered, done.skipped)
        if results:
            self._note_results(results)
        return Offered(done.offered, _moment(when.until), done.skipped)

    def give_back(self, deliveries: Collection[int] | None = None) -> int:
        """Claimed rows that will not be offered go back to the queue: these, or all that were claimed.

        Also when the lease is gone. Returns how many.
        """
        these = sorted(self._mine if deliveries is None else deliveries)
        if not these:
            return 0
        given = self._writer.run(lambda driver, _: self._moves.give_back(driver, these), single=True)
        self._mine.difference_update(these)
        self._after = min(self._after, these[0] - 1)
        return given

    def renew(self) -> dt.datetime:
        """See `digest.delivery.Ledger`."""
        with self._database.write() as connection:
            now, place = self._renewed(connection)
        until = _moment(int((now + self._length).timestamp()))
        if stopped := place.stopped(EditionState.sending):
            stopped.until = until if place.leased else None
            raise stopped
        return until

    def note(self, rate: float, seconds_left: float | None) -> None:
        """For pages of other processes: how fast it goes and how long it will take; at most once a second."""
        values = {"updated": self._clock.now(), "rate": rate, "seconds_left": seconds_left}
        with self._database.write() as connection:
            connection.execute(sa.update(sending).where(sending.c.edition == self.number).values(**values))

    # What only one server may be given

    def bound(self, server: str) -> dict[str, int]:
        """How many copies wait for another server than this one, by that server: they were in doubt, and it
        alone may be given them."""
        query = sa.select(delivery.c.server, sa.func.count()).where(self._bound_elsewhere(server))
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(delivery.c.server).order_by(delivery.c.server))
            return {other: int(count) for other, count in rows}

    def call_up(self, server: str) -> dict[str, list[str]]:
        """Of what `bound` counts, the copies that are due, by their mailboxes (address keys): they are queued
        now, for `claim` with that server."""
        with self._database.write() as connection:
            now = self._fence(connection)
            elsewhere = self._bound_elsewhere(server)
            due = sa.and_(elsewhere, delivery.c.next_attempt <= now)
            move_pile(connection, self.number, State.deferred, State.queued, due, next_attempt=None)
            found = sa.select(delivery.c.server, delivery.c.address_key).where(
                elsewhere, delivery.c.pile == State.queued.value
            )
            keys: dict[str, list[str]] = {}
            for other, key in connection.execute(found.order_by(delivery.c.server, delivery.c.id)):
                keys.setdefault(other, []).append(key)
        return keys

    def put_off(self, server: str, until: dt.datetime, why: str) -> int:
        """Copies that are queued for this server alone wait for it. Returns how many."""
        condition = sa.and_(delivery.c.resends > 0, delivery.c.server == server)
        values: dict[str, Any] = {"next_attempt": until, "code": 0, "enhanced": "", "reply": why}
        with self._database.write() as connection:
            self._fence(connection)
            self._looked_for_due = False
            return move_pile(connection, self.number, State.queued, State.deferred, condition, **values)

    # The end

    def finish(self, *, by: str, resends: Collection[str] = ()) -> bool:
        """Finishes the edition if no copy of it is left to try; else changes nothing and returns False.

        An uncertain copy that one of the servers `resends` may have, and that was not sent again yet, is one
        to try. Raises `SendingStopped`.
        """
        with self._database.write() as connection:
            now = self._fence(connection, EditionState.sending)
            # Whoever brings a late result waits here, or we for it; then what is counted is the last word.
            connection.execute(sa.select(edition.c.id).where(edition.c.id == self.number).with_for_update())
            counts = counted(connection, self.number)
            if any(counts[state] for state in TO_DO):
                return False
            if resends and counts[State.uncertain] and first_in_doubt(connection, self.number, resends):
                return False
            finished = (
                sa.update(edition)
                .where(edition.c.id == self.number, edition.c.state == EditionState.sending)
                .values(state=EditionState.finished, finished=now)
            )
            if connection.execute(finished).rowcount == 0:
                return False
            note(connection, self.number, EditionState.finished.value, at=now, by=by)
        return True

    def release(self) -> None:
        """Gives the lease back, so that the next process need not wait for its end."""
        self._writer.close()
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

    @functools.cached_property
    def _moves(self) -> Moves:
        why = why_not(self._audience, self._do_not_send, self._database.dialect)
        kind = SqliteMoves if self._database.file is not None else PostgresMoves
        return kind(self.number, self.held, why, self._mine)

    def _claims(self, limit: int, server: str, only: Collection[str] | None) -> Iterator[Taken]:
        """Each a transaction of its own: nearly always it is one."""
        when = self._when()
        if only is not None:
            yield self._claim(Claim(limit, server, only=list(only)), when)
            return
        if self._is_due(when):
            self._looked_for_due = False
            taken = self._claim(Claim(limit, server, due=True), when)
            yield taken
            limit -= taken.seen
        if not limit:
            return
        taken = self._claim(Claim(limit, server, after=self._after), when)
        yield taken
        limit -= taken.seen
        if limit and taken.left and self._after:  # once around: copies that came back to the queue
            taken = self._claim(Claim(limit, server, to=self._after), when)
            self._after = taken.end
            yield taken
        elif taken.seen:
            self._after = taken.end

    def _claim(self, what: Claim, when: When) -> Taken:
        def action(driver: Any, again: bool) -> Taken:
            if again:
                self._moves.give_back_unknown(driver)
            return self._moves.claim(driver, what, when)

        taken = self._writer.run(action, single=True)
        if stopped := taken.place.stopped(EditionState.sending):
            raise stopped
        return taken

    def _is_due(self, when: When) -> bool:
        if not self._looked_for_due:
            first = sa.select(sa.func.min(delivery.c.next_attempt)).where(
                delivery.c.edition == self.number, delivery.c.next_attempt.is_not(None)
            )
            with self._database.read() as connection:
                self._first_due = connection.execute(first).scalar()
            self._looked_for_due = True
        return self._first_due is not None and self._first_due.timestamp() <= when.now

    def _commit_first(
        self, results: Sequence[Result], offers: Sequence[int], server: str, when: When
    ) -> Committed:
        """Its stories are used from the moment at which a first copy is offered."""
        with self._database.write() as connection:
            driver = connection.connection.driver_connection
            done = self._moves.commit(driver, results, offers, server, when)
            if done.offered:
                mark_used(connection, self.number, at=_moment(when.now))
        self._stories_used = bool(done.offered)  # only now: a transaction that failed has to do it again
        return done

    def _note_results(self, results: Sequence[Result]) -> None:
        """Only the holder of the lease defers copies, so that nobody else knows an earlier time."""
        for result in results:
            if result.state is State.accepted:
                continue
            number, again = result.outcome.delivery, result.next_attempt
            self._mine.discard(number)
            if result.state is State.queued:
                self._after = min(self._after, number - 1)
            elif again is not None and (self._first_due is None or again < self._first_due):
                self._first_due = again

    def _fence(self, connection: sa.Connection, state: EditionState | None = None) -> dt.datetime:
        """Renews the lease if it is still held; the time that it was.

        Raises `SendingStopped` when the lease is lost, or the edition is no longer in `state` or was stopped.
        Called with the write lock held (SQLite) or taking it on the lease's row (PostgreSQL): nobody can
        take over between this and the end of the transaction.
        """
        now, place = self._renewed(connection)
        if stopped := place.stopped(state):
            raise stopped
        return now

    def _renewed(self, connection: sa.Connection) -> tuple[dt.datetime, Place]:
        """Renews the lease if it is still held; the time that it was, and what the edition is."""
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
        row = connection.execute(
            sa.select(edition.c.state, edition.c.held, edition.c.paused).where(edition.c.id == self.number)
        ).one()
        return now, Place(renewed == 1, row.state, row.held, row.paused)

    def _expire(self, which: sa.ColumnElement[bool], becomes: DeliveryState) -> int:
        expired, more = 0, True
        while more:
            with self._database.write() as connection:
                now = self._fence(connection)
                values: dict[str, Any] = {"settled": now, "next_attempt": None}
                moved = move_pile(
                    connection, self.number, State.deferred, becomes, which, limit=CHUNK, **values
                )
            expired, more = expired + moved, moved == CHUNK
        return expired

    def _bound_elsewhere(self, server: str) -> sa.ColumnElement[bool]:
        return sa.and_(
            delivery.c.edition == self.number,
            delivery.c.pile.in_([State.queued.value, State.deferred.value]),
            delivery.c.resends > 0,
            delivery.c.server.not_in(["", server]),
        )

    def _take_over(self, ids: list[int], before: State, after: State, **values: Any) -> int:
        moved = 0
        for start in range(0, len(ids), CHUNK):
            with self._database.write() as connection:
                self._fence(connection)
                these = ids[start : start + CHUNK]
                moved += move_these(connection, self.number, these, before, after, **values)
        return moved

    def _when(self) -> When:
        now = self._clock.now()
        return When(int(now.timestamp()), int((now + self._length).timestamp()))


def _claimed(rows: Sequence[Row]) -> tuple[Claimed, ...]:
    return tuple(
        [
            Claimed(Recipient(number, subscription, address, name, variant), attempts, domain)
            for number, subscription, address, name, variant, attempts, domain, *_ in rows
        ]
    )


def _moment(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def in_doubt(now: dt.datetime) -> dict[str, Any]:
    """The values of a row that was offered by a process that ended."""
    return {
        "settled": now,
        "attempts": delivery.c.attempts + 1,
        "code": 0,
        "enhanced": "",
        "reply": IN_DOUBT,
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
