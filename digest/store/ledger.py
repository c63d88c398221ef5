"""The ledger: one row for each copy of an edition, and what became of it.

`SqlLedger` is for looking and for decisions of people; `take` gives the holder of an edition's lease the part
that sends (`LeasedEdition`).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from digest.model import Delivery, DeliveryState, Edition, EditionState
from digest.ports import Clock
from digest.store import Database
from digest.store.events import record
from digest.store.installation import Installation
from digest.store.leased import LEASE, LeasedEdition, busy, in_doubt, lease_name
from digest.store.moves import Held
from digest.store.piles import (
    CHUNK,
    TO_DO,
    counted,
    first_in_doubt,
    move_pile,
    move_these,
    passing,
)
from digest.store.tables import PASSING, delivery, edition, sending, sending_minute

State = DeliveryState
_PAGE = 1000
_ONCE_MORE: dict[str, Any] = {"resends": delivery.c.resends + 1, "next_attempt": None, "settled": None}
_ANEW: dict[str, Any] = {"resends": 0, "server": "", "next_attempt": None, "settled": None}
_NOT_AGAIN: dict[str, Any] = {"skip_reason": "may have arrived; not sent again"}
_RESERVED = ("test", "example", "invalid", "localhost")


@dataclass(frozen=True, slots=True)
class Sending:
    """How far an edition is. `rate` is in results a second."""

    edition: int
    counts: Mapping[State, int]
    started: dt.datetime | None
    """When the latest run began."""
    updated: dt.datetime | None
    rate: float
    seconds_left: float | None

    @property
    def left(self) -> int:
        """Copies that are still to be tried, now or later."""
        return sum(self.counts[state] for state in TO_DO)


@dataclass(frozen=True, slots=True)
class DomainCounts:
    """What became of the copies to one domain; "" stands for all that are not told by name."""

    domain: str
    counts: Mapping[State, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


class SqlLedger:
    """The deliveries of all editions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(
        self,
        taken: Edition,
        owner: str,
        *,
        clock: Clock,
        gone: Callable[[str], bool],
        audience: sa.Select[Any],
        do_not_send: sa.Select[Any],
        length: dt.timedelta = LEASE,
    ) -> LeasedEdition:
        """Takes the lease of this edition. Raises `EditionError` while another process has it.

        `owner` names this process for its lifetime; `gone(owner)` is whether that process has certainly
        ended, so that one that was killed need not be waited for.
        """
        installation, name, now = Installation(self._database), lease_name(taken.id), clock.now()
        present = installation.lease(name)
        if present is not None and present.until > now and present.owner != owner and gone(present.owner):
            installation.release(name, present.owner, present.epoch, now=now)
        epoch = installation.acquire(name, owner, now=now, length=length)
        if epoch is None:
            present = installation.lease(name)
            raise busy(taken.name, present.owner if present else "?", present.until if present else now)
        return LeasedEdition(
            self._database,
            taken.id,
            Held(name, owner, epoch),
            clock=clock,
            audience=audience,
            do_not_send=do_not_send,
            length=length,
        )

    # Looking

    def counts(self, number: int) -> dict[State, int]:
        """Rows of edition `number` by state; every state is there. Quick, however many there are."""
        with self._database.read() as connection:
            return counted(connection, number)

    def left(self, number: int) -> int:
        """How many copies are still to be tried, now or later."""
        counts = self.counts(number)
        return sum(counts[state] for state in TO_DO)

    def next_attempt(self, number: int) -> dt.datetime | None:
        """When the first deferred copy is due; None when none waits."""
        with self._database.read() as connection:
            moment: dt.datetime | None = connection.execute(
                sa.select(sa.func.min(delivery.c.next_attempt)).where(
                    delivery.c.edition == number, delivery.c.next_attempt.is_not(None)
                )
            ).scalar()
        return moment

    def first_in_doubt(self, number: int, servers: Collection[str]) -> dt.datetime | None:
        """When the first uncertain copy that was never sent again was offered, of those that one of these
        servers may have; None when there is none."""
        with self._database.read() as connection:
            return first_in_doubt(connection, number, servers)

    def may_have(self, number: int, deliveries: Collection[int] | None = None) -> dict[str, int]:
        """How many uncertain copies which server may have ("": nobody knows which)."""
        query = sa.select(delivery.c.server, sa.func.count()).where(
            delivery.c.edition == number, delivery.c.pile == State.uncertain.value
        )
        if deliveries is not None:
            query = query.where(delivery.c.id.in_(list(deliveries)))
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(delivery.c.server).order_by(delivery.c.server))
            return {server: int(count) for server, count in rows}

    def started(self, number: int) -> dt.datetime | None:
        """When the first copy was offered; None before that."""
        with self._database.read() as connection:
            moment: dt.datetime | None = connection.execute(
                sa.select(edition.c.started).where(edition.c.id == number)
            ).scalar()
        return moment

    def progress(self, number: int) -> Sending | None:
        """How far a run has come, for whoever looks from another process; None before the audience is fixed.

        Counts are those of this moment; rate and time left are what the run noted last (`updated`).
        """
        with self._database.read() as connection:
            row = connection.execute(sa.select(sending).where(sending.c.edition == number)).first()
        if row is None:
            return None
        counts = {state: int(row._mapping[state.value]) for state in State}  # noqa: SLF001 - its public name
        return Sending(number, counts, row.started, row.updated, row.rate, row.seconds_left)

    def offered_since(self, moment: dt.datetime) -> int:
        """Copies of all editions that were offered to the relay since then, counted by whole minutes.

        One that went back to the queue is counted, too: a relay may have seen it.
        """
        return sum(self.offered_by_minute(moment).values())

    def offered_by_minute(self, since: dt.datetime, number: int | None = None) -> dict[dt.datetime, int]:
        """Copies of all editions, or of one, that were offered, by the beginning of the minute, in order of
        time."""
        first = int(since.timestamp()) // 60
        kept = sa.select(sending_minute.c.minute, sending_minute.c.offered).where(
            sending_minute.c.minute >= first
        )
        noted = sa.exists().where(
            sending_minute.c.minute == sending.c.minute, sending_minute.c.edition == sending.c.edition
        )
        present = sa.select(sending.c.minute, sending.c.minute_offered).where(
            sending.c.minute >= first, sending.c.minute_offered > 0, ~noted
        )
        if number is not None:
            kept = kept.where(sending_minute.c.edition == number)
            present = present.where(sending.c.edition == number)
        both = sa.union_all(kept, present).subquery()
        total = sa.select(both.c.minute, sa.func.sum(both.c.offered)).group_by(both.c.minute)
        with self._database.read() as connection:
            rows = connection.execute(total.order_by(both.c.minute)).all()
        return {dt.datetime.fromtimestamp(minute * 60, dt.UTC): int(offered) for minute, offered in rows}

    def domains(self, number: int, *, limit: int = 10) -> list[DomainCounts]:
        """Rows by domain, the largest first, and what is left as one entry without a name.

        Reads every row of the edition: for the summary at the end.
        """
        by_domain = (
            sa.select(delivery.c.domain, delivery.c.state, sa.func.count())
            .where(delivery.c.edition == number)
            .group_by(delivery.c.domain, delivery.c.state)
        )
        found: dict[str, Counter[State]] = {}
        with self._database.read() as connection:
            for domain, state, rows in connection.execute(by_domain):
                found.setdefault(domain, Counter())[State(state)] += rows
        largest = sorted(found, key=lambda domain: (-found[domain].total(), domain))
        rest: Counter[State] = Counter()
        for domain in largest[limit:]:
            rest += found[domain]
        told = [DomainCounts(domain, found[domain]) for domain in largest[:limit]]
        return [*told, DomainCounts("", rest)] if rest else told

    def outside_domain(self, number: int) -> str | None:
        """A domain of this edition's readers that is not reserved for trying things (RFC 2606); or None."""
        reserved = [delivery.c.domain.like(f"%.{name}") for name in _RESERVED]
        query = sa.select(delivery.c.domain).where(
            delivery.c.edition == number,
            delivery.c.domain.not_in([*_RESERVED, *(f"example.{name}" for name in ("com", "net", "org"))]),
            ~sa.or_(*reserved),
        )
        with self._database.read() as connection:
            found: str | None = connection.execute(query.limit(1)).scalar()
        return found

    def deliveries(
        self,
        number: int,
        message_id: Callable[[int], str],
        *,
        state: State | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> Iterator[Delivery]:
        """Rows in the order of their ids, read page by page; `message_id` makes one from a row's id."""
        query = sa.select(delivery).where(delivery.c.edition == number).order_by(delivery.c.id)
        if state is not None:
            query = query.where(delivery.c.state == state.value)
            if state.value not in PASSING:
                query = query.where(delivery.c.pile == state.value)
        while limit is None or limit > 0:
            page = _PAGE if limit is None else min(_PAGE, limit)
            with self._database.read() as connection:
                rows = connection.execute(query.where(delivery.c.id > after).limit(page)).all()
            for row in rows:
                yield _delivery(row, message_id)
            if len(rows) < page:
                return
            after = rows[-1].id
            limit = None if limit is None else limit - len(rows)

    def refusals(self, number: int) -> list[tuple[int, str, str]]:
        """Code, enhanced status and text of each rejected copy."""
        query = sa.select(delivery.c.code, delivery.c.enhanced, delivery.c.reply).where(
            delivery.c.edition == number, delivery.c.pile == State.rejected
        )
        with self._database.read() as connection:
            return [(row.code, row.enhanced, row.reply) for row in connection.execute(query)]

    def speed(self, number: int) -> float:
        """Copies a second that this edition left with: in its busiest minute, or, of one that took less, over
        the seconds from the first offer to the last answer. 0.0 when it never left."""
        past = sa.select(sa.func.max(sending_minute.c.offered)).where(sending_minute.c.edition == number)
        present = sa.select(sending.c.minute_offered).where(sending.c.edition == number)
        span = sa.select(sa.func.min(delivery.c.offered), sa.func.max(delivery.c.settled)).where(
            delivery.c.edition == number, delivery.c.offered.is_not(None)
        )
        with self._database.read() as connection:
            most = max(connection.execute(past).scalar() or 0, connection.execute(present).scalar() or 0)
            accepted = counted(connection, number)[State.accepted]
            if not most or accepted > 2 * most:
                return most / 60
            first, last = connection.execute(span).one()
        seconds = (last - first).total_seconds() if first is not None and last is not None else 60.0
        return float(accepted / min(max(seconds, 1.0), 60.0))

    # Decisions of people

    def resolve(
        self,
        number: int,
        *,
        resend: bool,
        now: dt.datetime,
        actor: str,
        deliveries: Collection[int] | None = None,
        servers: Collection[str] | None = None,
        anew: bool = False,
    ) -> int:
        """Settles uncertain rows: sent once more with the same Message-ID, or left as they are.

        `deliveries` None means all of them; `servers`: only those that one of these may have. What is sent
        again goes to that server alone; with `anew` to any, as if nobody had it. Returns how many; an edition
        that was finished is open again when something is to be sent. Written into the audit trail.
        """
        conditions: list[sa.ColumnElement[bool]] = []
        if deliveries is not None:
            conditions.append(delivery.c.id.in_(list(deliveries)))
        if servers is not None:
            conditions.append(delivery.c.server.in_(servers))
        after, values = (
            (State.queued, _ANEW if anew else _ONCE_MORE) if resend else (State.skipped, _NOT_AGAIN)
        )
        with self._database.write() as connection:
            # Before the rows, as everybody who moves them does.
            connection.execute(sa.select(edition.c.id).where(edition.c.id == number).with_for_update())
            changed = move_pile(
                connection, number, State.uncertain, after, sa.and_(sa.true(), *conditions), **values
            )
            if changed and resend:
                connection.execute(
                    sa.update(edition)
                    .where(edition.c.id == number, edition.c.state == EditionState.finished)
                    .values(state=EditionState.sending, finished=None)
                )
            if changed:
                action = "resend uncertain" if resend else "leave uncertain"
                detail = {"any_server": True} if anew else {}
                record(
                    connection,
                    at=now,
                    actor=actor,
                    action=action,
                    subject=f"edition {number}",
                    copies=changed,
                    **detail,
                )
        return changed

    def note_test(self, number: int, addresses: Collection[str], *, now: dt.datetime, actor: str) -> None:
        """Writes a test send into the audit trail; nothing else of it is kept."""
        with self._database.write() as connection:
            record(
                connection,
                at=now,
                actor=actor,
                action="test",
                subject=f"edition {number}",
                addresses=list(addresses),
            )

    def cancel(self, number: int, *, now: dt.datetime) -> int:
        """Nothing more of this edition leaves: rows not yet offered are cancelled. Returns how many.

        What a process that ended had offered is in doubt: nobody else will take it over.
        """
        values: dict[str, Any] = {"settled": now, "next_attempt": None}
        cancelled = 0
        for state in (State.queued, State.deferred):
            moved = CHUNK
            while moved == CHUNK:
                with self._database.write() as connection:
                    moved = move_pile(connection, number, state, State.cancelled, limit=CHUNK, **values)
                cancelled += moved
        claimed = passing(self._database, number, State.claimed)
        for start in range(0, len(claimed), CHUNK):
            these = claimed[start : start + CHUNK]
            with self._database.write() as connection:
                cancelled += move_these(connection, number, these, State.claimed, State.cancelled, **values)
        present = Installation(self._database).lease(lease_name(number))
        if present is None or present.until <= now:
            offered = passing(self._database, number, State.offered)
            with self._database.write() as connection:
                move_these(
                    connection, number, offered, State.offered, State.uncertain, **in_doubt(now)
                )  # at most as many as were in flight
        return cancelled


def _delivery(row: sa.Row[Any], message_id: Callable[[int], str]) -> Delivery:
    state = State(row.state)
    reply = f"{row.code} {row.reply}" if row.code else row.reply
    return Delivery(
        row.id,
        row.edition,
        row.address,
        state,
        row.attempts,
        "" if state is State.skipped else message_id(row.id),
        reply,
        row.skip_reason,
        row.next_attempt,
        row.server,
    )
