"""Notices a restored backup, so that it never sends by itself.

Each sending step raises the store's generation; its highest value is also noted in a small file beside the
keys, which a backup of the database does not bring back. A store that is behind the note went back in time:
some of what it believes unsent has left.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Protocol

from digest.errors import NothingToDo


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

    def check(self) -> None:
        """Raises `NothingToDo` (exit code 3) when the store is older than the note."""
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
        """Counts a sending step, and notes it."""
        self._note(self._installation.bump_generation())

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
            content = json.loads(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return 0
        if not isinstance(content, dict) or content.get("installation") != self._installation.id:
            return 0
        return int(content.get("generation", 0))

    def _note(self, generation: int) -> None:
        # Renamed into place: a crash leaves the old note or the new one. Not synced to disk: after a power
        # cut the note may be behind the store, which is the harmless direction.
        temporary = self._file.with_name(f"{self._file.name}.{os.getpid()}.new")
        temporary.write_text(json.dumps({"installation": self._installation.id, "generation": generation}))
        temporary.replace(self._file)
