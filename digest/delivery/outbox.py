"""What is claimed and not yet offered: rows, and ahead of need their composed copies."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from digest.delivery.ledger import Claimed
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
    same time; `len` counts everything that is not yet taken.
    """

    def __init__(self, composer: Composer, *, ahead: int) -> None:
        self._composer, self._ahead = composer, ahead
        self._rows: deque[Claimed] = deque()
        self._composed: deque[tuple[Claimed, Message]] = deque()
        self._refused: list[tuple[Claimed, AddressError]] = []
        self._busy: list[Claimed] = []
        self._work: Future[Sequence[Message | AddressError]] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compose") if composer.slow else None

    def __len__(self) -> int:
        return len(self._rows) + len(self._busy) + len(self._composed)

    def add(self, rows: Sequence[Claimed]) -> None:
        self._rows.extend(rows)

    def take(self, number: int, ready: Callable[[], object]) -> list[tuple[Claimed, Message]]:
        """Up to `number` copies. Fewer while a slow composer works: `ready` is then called when there are
        more, from another thread's callback on the loop."""
        if self._thread is None:
            return self._compose(number)
        self._collect()
        chosen = [self._composed.popleft() for _ in range(min(number, len(self._composed)))]
        self._begin(ready)
        return chosen

    def refused(self) -> list[tuple[Claimed, AddressError]]:
        """Rows that cannot be written, each told once."""
        refused, self._refused = self._refused, []
        return refused

    def rest(self) -> Iterator[Claimed]:
        """Takes out all that is left."""
        yield from (claimed for claimed, _ in self._composed)
        yield from self._busy
        yield from self._rows
        self._composed.clear()
        self._busy = []
        self._rows.clear()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _compose(self, number: int) -> list[tuple[Claimed, Message]]:
        rows = [self._rows.popleft() for _ in range(min(number, len(self._rows)))]
        try:
            return self._sorted(rows, self._composer.messages([row.recipient for row in rows]))
        except BaseException:
            self._rows.extendleft(reversed(rows))
            raise

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

    def _begin(self, ready: Callable[[], object]) -> None:
        if self._work is not None or not self._rows or len(self._composed) >= self._ahead:
            return
        assert self._thread is not None
        self._busy = [self._rows.popleft() for _ in range(min(_BATCH, len(self._rows)))]
        self._work = self._thread.submit(self._composer.messages, [row.recipient for row in self._busy])
        self._work.add_done_callback(lambda _: ready())

    def _collect(self) -> None:
        if self._work is None or not self._work.done():
            return
        work, rows, self._work = self._work, self._busy, None
        copies = work.result()  # raises what the composer raised, with the rows still ours
        self._busy = []
        self._composed.extend(self._sorted(rows, copies))
