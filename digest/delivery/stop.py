"""Asking a run to end: once to finish what is under way, twice to break it off."""

from __future__ import annotations

from collections.abc import Callable


class Stop:
    """Shared by whoever asks (a signal handler, a supervisor) and what has to end.

    `ask` is called on the event loop of the run, or before it begins.
    """

    def __init__(self) -> None:
        self.asked = False
        self.urgent = False
        self._listeners: list[Callable[[], object]] = []

    def ask(self) -> None:
        """The first time: finish, record, end. The second time: end now."""
        self.urgent = self.asked
        self.asked = True
        for listener in self._listeners:
            listener()

    def listen(self, listener: Callable[[], object]) -> None:
        """Calls `listener` at each further `ask`."""
        self._listeners.append(listener)
