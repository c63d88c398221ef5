"""Being asked to end, from any thread: twice means now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import Event

from digest.delivery import Stop

POLL = 0.1
"""Seconds between two looks at the events."""


@dataclass(frozen=True, slots=True)
class Signal:
    """`stop`: finish what is in flight. `abort`: not even that."""

    stop: Event
    abort: Event

    @property
    def asked(self) -> bool:
        return self.stop.is_set() or self.abort.is_set()

    async def sleep(self, seconds: float) -> bool:
        """Waits for so long, or until it is asked; whether it was not."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not self.asked and (left := end - loop.time()) > 0:  # noqa: ASYNC110 - set by other threads
            await asyncio.sleep(min(POLL, left))
        return not self.asked

    async def unless_asked(self, step: Coroutine[None, None, None]) -> bool:
        """Does the step, or gives it up when it is asked; whether it was done. Raises what it raises."""
        doing = asyncio.create_task(step)
        while not doing.done():
            await asyncio.wait({doing}, timeout=POLL)
            if self.asked and doing.cancel():
                await asyncio.gather(doing, return_exceptions=True)
                return False
        await doing
        return True

    @asynccontextmanager
    async def passed_on(self) -> AsyncIterator[Stop]:
        """A `Stop` for the run in the block, which hears of it within `POLL`."""
        stop = Stop()
        passing = asyncio.create_task(self._pass_on(stop))
        try:
            yield stop
        finally:
            passing.cancel()

    async def _pass_on(self, to: Stop) -> None:
        while not to.urgent:
            wanted = self.abort.is_set() if to.asked else self.asked
            if wanted:
                to.ask()
            await asyncio.sleep(POLL)
