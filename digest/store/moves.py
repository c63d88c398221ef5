"""How copies move from state to state while an edition leaves: what both databases promise.

A move is one transaction on the driver's own connection; the SQL is in `moves_sqlite` and `moves_postgres`,
each the quickest way there. What is moved is also counted in the same transaction: table `sending` says at
any moment how many rows of an edition are in which state.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from digest.delivery import Result, SendingStopped
from digest.model import DeliveryState, EditionState

State = DeliveryState

SUPPRESSED = "suppressed"
UNSUBSCRIBED = "unsubscribed"
SETTLED = frozenset({State.accepted, State.rejected, State.expired, State.uncertain, State.cancelled})


@dataclass(frozen=True, slots=True)
class Held:
    """A lease, by the name in the table; `owner` names one process for its lifetime."""

    name: str
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class When:
    """The moment of a transaction and the end of the lease that it renews, in Unix seconds."""

    now: int
    until: int

    @property
    def minute(self) -> int:
        return self.now // 60


@dataclass(frozen=True, slots=True)
class Place:
    """What the edition and its lease were in a transaction."""

    leased: bool
    state: str
    held: str
    paused: str

    def stopped(self, wanted: EditionState | None) -> SendingStopped | None:
        """Why nothing may be moved; None when all is as it should be."""
        if not self.leased:
            return SendingStopped(
                "another process sends this edition now, or this one was silent for too long",
                hint="What this one had handed over is recorded; look with: digest deliveries",
            )
        if wanted is None:
            return None
        if self.state != wanted:
            return SendingStopped(f"the edition is {self.state} now")
        if self.held or self.paused:
            flag = "held" if self.held else "paused"
            return SendingStopped(f"the edition is {flag}: {self.held or self.paused}")
        return None


Row = tuple[int, int, str, str, str, int, str]
"""id, subscription, address, name, variant, attempts, domain."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What to claim for `server`, `limit` rows at most: queued ones with ids behind `after` and up to `to`;
    or deferred ones that are due; or queued ones of a few mailboxes, by their keys."""

    limit: int
    server: str
    after: int = 0
    to: int | None = None
    due: bool = False
    only: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """Rows that were claimed, in order. `seen` counts also those that were skipped, `end` is the last id of
    both; `left` are queued rows that stay."""

    place: Place
    rows: Sequence[Row] = ()
    seen: int = 0
    end: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of the offers: `skipped` are not wanted any more, others were not claimed by this lease."""

    place: Place
    offered: frozenset[int] = frozenset()
    skipped: frozenset[int] = frozenset()


MAY_GO = "(d.resends = 0 OR d.server = {server} OR d.server = '')"
"""Whether a row may go to a server: one that was in doubt may not, where another server may have it."""


class Moves(Protocol):
    """The moves of one edition under one lease, within the caller's transaction.

    `driver` is the database driver's own connection. Made with the set of rows that are outstanding: claimed,
    and neither offered nor given back; the caller keeps it true.
    """

    def claim(self, driver: Any, what: Claim, when: When) -> Taken:
        """Queued or due rows that may go to `what.server` become claimed; those that are not wanted any more,
        skipped."""
        ...

    def commit(
        self,
        driver: Any,
        results: Sequence[Result],
        offers: Sequence[int],
        server: str,
        when: When,
        *,
        again: bool = False,
    ) -> Committed:
        """Writes results, whatever became of the lease, and offers claimed rows to `server`, if it is still
        held. Rows that may not go there stay claimed.

        `again`: nobody knows how the first try ended; rows that it offered count as offered by this one.
        """
        ...

    def give_back(self, driver: Any, deliveries: Collection[int]) -> int:
        """Of these rows, those that are claimed go back to the queue. Returns how many."""
        ...

    def give_back_unknown(self, driver: Any) -> int:
        """Claimed rows that are not outstanding go back: a claim whose end was not heard of took them."""
        ...


def why_not(audience: sa.Select[Any], do_not_send: sa.Select[Any], dialect: sa.Dialect) -> str:
    """The expression that says of a delivery ``d`` why it is not wanted any more, or NULL.

    Looked up row by row: with EXISTS, PostgreSQL may read the whole audience first.
    """
    wanted, refused = audience.subquery("wanted"), do_not_send.subquery("refused")
    key = refused.c[0]
    subscription: sa.ColumnElement[int] = sa.literal_column("d.subscription")
    address_key: sa.ColumnElement[str] = sa.literal_column("d.address_key")
    there = sa.select(wanted.c.subscription).where(wanted.c.subscription == subscription).limit(1)
    gone = sa.select(key).where(key == address_key).limit(1)
    why = sa.case(
        (gone.scalar_subquery().is_not(None), sa.literal(SUPPRESSED)),
        (there.scalar_subquery().is_(None), sa.literal(UNSUBSCRIBED)),
    )
    return str(why.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
