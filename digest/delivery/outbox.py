"""What is claimed and not yet offered: rows, and ahead of need their composed copies."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from digest.delivery.interleave import Interleave
from digest.delivery.ledger import Claimed
from digest.delivery.throttle import Domains
from digest.errors import AddressError
from digest.model import Message, Recipient

_BATCH = 32
"""Copies that a slow composer makes at a time."""


class Composer(Protocol):
    """Makes the copies. `slow`: it signs, which takes so long that it must not happen on the event loop."""

    @property
    def slow(self) -> bool: ...

    def messages(self, recipients: Sequence[Recipient]) -> Sequence[Message | AddressError]:
        """A copy for each recipient, or why it cannot be written. From any thread, one call at a time."""
        ...


class Outbox:
    """Claimed rows in the order in which they leave. `ahead`: how many copies may be composed in advance.

    A slow composer works in a thread of its own, so that the loop, the ledger and the signing go on at the
    same time; `len` counts everything that is not yet taken. Moments are seconds of the loop's clock.
    """

    def __init__(self, composer: Composer, *, ahead: int, domains: Domains | None = None) -> None:
        self._composer, self._ahead = composer, ahead
        self._rows = Interleave(domains)
        self._composed: deque[tuple[Claimed, Message]] = deque()
        self._refused: list[tuple[Claimed, AddressError]] = []
        self._busy: list[Claimed] = []
        self._work: Future[Sequence[Message | AddressError]] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compose") if composer.slow else None

    def __len__(self) -> int:
        return len(self._rows) + len(self._busy) + len(self._composed)

    def add(self, rows: Sequence[Claimed]) -> None:
        self._rows.add(rows)

    @property
    def full(self) -> frozenset[str]:
        """Domains of which no more should be claimed for now."""
        return self._rows.full

    def wants_more(self, at_once: int) -> bool:
        """Whether the next page should be claimed, so that `at_once` rows are at hand for whom may go."""
        return self._rows.wants_more(at_once)

    def wait(self, now: float) -> float | None:
        """Seconds until `take` may have something; None while the composer has to come first, or when there
        is nothing at all."""
        if self._composed:
            return 0.0
        return None if self._busy else self._rows.wait(now)

    def take(self, number: int, now: float, ready: Callable[[], object]) -> list[tuple[Claimed, Message]]:
        """Up to `number` copies. Fewer while a slow composer works: `ready` is then called, by its thread,
        when there are more; and fewer while domains have to wait."""
        if self._thread is None:
            rows = self._pop(number, now)
            try:
                return self._sorted(rows, self._composer.messages([row.recipient for row in rows]))
            except BaseException:
                self._busy += rows  # still ours, to be given back
                raise
        self._collect()
        chosen = [self._composed.popleft() for _ in range(min(number, len(self._composed)))]
        if number > 0 or not self._composed:
            # Else other limits are closed, and what a domain's rate let pass meanwhile would leave in one go.
            self._begin(now, ready)
        return chosen

    def refused(self) -> list[tuple[Claimed, AddressError]]:
        """Rows that cannot be written, each told once."""
        refused, self._refused = self._refused, []
        return refused

    def rest(self) -> list[Claimed]:
        """Takes out all that is left."""
        rest = [*(claimed for claimed, _ in self._composed), *self._busy, *self._rows.drain()]
        self._composed.clear()
        self._busy = []
        return rest

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _pop(self, number: int, now: float) -> list[Claimed]:
        rows: list[Claimed] = []
        while len(rows) < number and (row := self._rows.pop(now)) is not None:
            rows.append(row)
        return rows

    def _sorted(
        self, rows: Sequence[Claimed], copies: Sequence[Message | AddressError]
    ) -> list[tuple[Claimed, Message]]:
        made = []
        for row, copy in zip(rows, copies, strict=True):
            if isinstance(copy, AddressError):
                self._refused.append((row, copy))
            else:
                made.append((row, copy))
        return made

    def _begin(self, now: float, ready: Callable[[], object]) -> None:
        if self._work is not None or len(self._composed) >= self._ahead:
            return
        assert self._thread is not None
        self._busy = self._pop(_BATCH, now)
        if self._busy:
            self._work = self._thread.submit(self._composer.messages, [row.recipient for row in self._busy])
            self._work.add_done_callback(lambda _: ready())

    def _collect(self) -> None:
        if self._work is None or not self._work.done():
            return
        work, rows, self._work = self._work, self._busy, None
        copies = work.result()  # raises what the composer raised, with the rows still ours
        self._busy = []
        self._composed.extend(self._sorted(rows, copies))
