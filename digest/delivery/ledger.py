"""What the engine asks of the ledger: claim, then one commit for the last results and the next offers.

Every method is one transaction, blocks, and is called from one thread only. The implementation is
`digest.store.leased.LeasedEdition`: one edition, held under a lease by one owner with one epoch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from digest.errors import DigestError
from digest.model import DeliveryState, Outcome, Recipient


class Claimed(NamedTuple):
    """A recipient that is ours to send to. `attempts` counts those that ended with a reply or in doubt;
    `domain` is that of the address in A-labels, for rates and for interleaving."""

    recipient: Recipient
    attempts: int = 0
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What one claim gave. `skipped` left or were suppressed since the fan-out; `last`: no more is due."""

    claimed: tuple[Claimed, ...] = ()
    skipped: int = 0
    last: bool = True


class Result(NamedTuple):
    """What a row becomes: `queued` for a copy that was certainly not handed over."""

    outcome: Outcome
    state: DeliveryState
    next_attempt: dt.datetime | None = None


class SendingStopped(DigestError):  # noqa: N818 - a state, not a failure
    """Somebody else decided: the lease is another's now, or the edition was held, paused or cancelled.

    Nothing further may be offered. What was offered may end in peace while the lease lasts: `until`, where
    `Ledger.renew` could still renew it.
    """

    exit_code = 3
    until: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Offered:
    """The rows that may be handed to a server, and the moment from which they no longer may.

    `skipped` are rows of the offer that left or were suppressed since they were claimed: they are settled.
    """

    deliveries: frozenset[int]
    until: dt.datetime
    skipped: frozenset[int] = frozenset()


class Ledger(Protocol):
    """One edition's rows, as long as the lease lasts. All raise `StoreError` when the database is out."""

    def claim(self, limit: int, server: str) -> Page:
        """Takes up to `limit` rows that are queued or due again, and that `server` may be given; those who
        left meanwhile are skipped. Raises `SendingStopped`.
        """
        ...

    def commit(self, results: Sequence[Result], offers: Sequence[int], server: str) -> Offered:
        """Writes what became of earlier offers, and offers the next to `server`, in one transaction.

        Only rows that it returns may be handed over, to that server and no other, and only after it returned.
        A copy that was in doubt is offered to no other server than the one that may have it. Results are
        taken also when the lease is gone (then nothing is offered): they are true, and may settle what was
        called uncertain.
        """
        ...

    def renew(self) -> dt.datetime:
        """Keeps the lease while nothing else is written, until the moment that it returns. Raises
        `SendingStopped`, with `until` when it is kept all the same."""
        ...

    def give_back(self) -> int:
        """Claimed rows that were neither offered nor settled go back to the queue, also when the lease is
        gone. Returns how many."""
        ...

    def note(self, rate: float, seconds_left: float | None) -> None:
        """For whoever looks at the run from another process: how fast it goes, how long it will take."""
        ...
