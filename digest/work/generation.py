"""Notices a restored backup, so that it never sends by itself.

Each sending step raises the store's generation; its highest value is also noted in a small file beside the
keys, which a backup of the database does not bring back. A store that is behind the note went back in time:
some of what it believes unsent has left.

A run counts a step when it begins, every `EVERY` seconds, and when it ends, however it ends. So a backup that
was made at any moment of it is behind the note soon after; only one made within the last `EVERY` seconds
before the machine died is not.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

from digest.errors import DigestError, NothingToDo, StoreError

EVERY = 2.0
"""Seconds between two steps of a run: each is a transaction, and holds back for a moment those that send."""


class Counter(Protocol):
    """What is asked of the installation."""

    @property
    def id(self) -> str: ...

    @property
    def generation(self) -> int: ...

    def bump_generation(self) -> int: ...


class Generation:
    """The store's count and its note at `file`, held against each other."""

    def __init__(self, installation: Counter, file: Path) -> None:
        self._installation = installation
        self._file = file
        self._alone = threading.Lock()  # editions of two newsletters may leave at a time

    def check(self) -> None:
        """Raises `NothingToDo` (exit code 3) when the store is older than the note, `StoreError` when there
        could be no note: better before than while copies leave."""
        if not os.access(self._file.parent, os.W_OK | os.X_OK):
            raise self._unusable("written", PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
        noted = self._noted()
        generation = self._installation.generation
        if noted > generation:
            raise NothingToDo(
                f"the store went back in time: it has seen {generation} sending steps, "
                f"but {noted} were made here. It looks like a restored backup; nothing is sent.",
                hint="Look at `digest edition list` and at the relay's log for what has left since. Then "
                "cancel or finish those editions, and run: digest db accept-restore",
            )

    def step(self) -> None:
        """Counts a sending step, and notes it. Raises `StoreError`."""
        with self._alone:
            self._note(self._installation.bump_generation())

    @asynccontextmanager
    async def counted(self, *, every: float = EVERY) -> AsyncIterator[None]:
        """Counts a step before the block, every so many seconds in it, and one behind it; never on the loop.

        Raises `StoreError` where the first or the last cannot be counted; one in between is left out.
        """
        await asyncio.to_thread(self.step)
        going_on = asyncio.create_task(self._go_on(every))
        try:
            yield
        except BaseException:
            with suppress(DigestError):  # what ended the block is the thing to tell
                await self._last(going_on)
            raise
        await self._last(going_on)

    async def _go_on(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            with suppress(DigestError):  # whoever sends finds out by itself that the store is out
                await asyncio.to_thread(self.step)

    async def _last(self, going_on: asyncio.Task[None]) -> None:
        going_on.cancel()
        await asyncio.to_thread(self.step)

    def accept(self) -> int:
        """Takes the store as it is from now on: both counts go on above the higher one. Returns it."""
        noted = self._noted()
        generation = self._installation.generation
        while generation <= noted:
            generation = self._installation.bump_generation()
        self._note(generation)
        return generation

    def _noted(self) -> int:
        """The noted count of this installation; 0 where there is none."""
        try:
            content = json.loads(self._file.read_bytes())
            if not isinstance(content, dict) or content.get("installation") != self._installation.id:
                return 0
            return int(content.get("generation", 0))
        except (FileNotFoundError, ValueError, TypeError, RecursionError):
            return 0
        except OSError as error:
            raise self._unusable("read", error) from error

    def _note(self, generation: int) -> None:
        # Renamed into place: a crash leaves the old note or the new one. Not synced to disk: after a power
        # cut the note may be behind the store, which is the harmless direction.
        temporary = self._file.with_name(f"{self._file.name}.{os.getpid()}.new")
        text = json.dumps({"installation": self._installation.id, "generation": generation})
        try:
            temporary.write_text(text)
            temporary.replace(self._file)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise self._unusable("written", error) from error

    def _unusable(self, done: str, error: OSError) -> StoreError:
        return StoreError(
            f"{self._file} cannot be {done}: {error.strerror or error}",
            hint="Without it a restored backup could send again. Give the user that runs digest the right to "
            "write to the folder of keys.file, and some space there.",
        )
