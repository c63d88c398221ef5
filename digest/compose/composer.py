"""Many copies at once, on several threads where they are signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from digest.compose.compiled import Compiled, Compose, CopyTokens
from digest.errors import AddressError
from digest.model import Message, Recipient

_SHARE = 8
"""At least so many copies go to a thread at once: handing over costs as much as a tenth of a signature."""


class Composer:
    """Makes the copies of one edition: the same bytes for the same recipient, whenever it is asked.

    All methods may be called from several threads at once. `close` ends its threads.
    """

    def __init__(self, variants: Mapping[str, Compiled], tokens: CopyTokens, *, threads: int = 1) -> None:
        self._compose: dict[str, Compose] = {
            key: compiled.composer(tokens) for key, compiled in variants.items()
        }
        self.slow = any(compiled.signs for compiled in variants.values())
        """Whether `messages` should be called outside an event loop: signing takes 0.3 ms a copy."""
        self._threads = threads if self.slow else 1
        self._pool = ThreadPoolExecutor(self._threads, "compose") if self._threads > 1 else None

    def message(self, recipient: Recipient) -> Message:
        """Raises AddressError for a recipient that cannot be written."""
        return self._compose[recipient.variant](recipient)

    def messages(self, recipients: Sequence[Recipient]) -> list[Message | AddressError]:
        """A copy, or why there is none, for each recipient in their order. Returns when all are made.

        Signing lets go of the interpreter, so that threads use all cores; a few copies are made in the thread
        that asks.
        """
        if self._pool is None or len(recipients) < 2 * _SHARE:
            return self._some(recipients)
        share = max(_SHARE, -(-len(recipients) // (4 * self._threads)))
        parts = [recipients[at : at + share] for at in range(0, len(recipients), share)]
        return [made for part in self._pool.map(self._some, parts) for made in part]

    def _some(self, recipients: Sequence[Recipient]) -> list[Message | AddressError]:
        made = list[Message | AddressError]()
        for recipient in recipients:
            try:
                made.append(self._compose[recipient.variant](recipient))
            except AddressError as error:
                made.append(error)
        return made

    def close(self) -> None:
        """Ends its threads; may be called more than once."""
        if self._pool is not None:
            self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
