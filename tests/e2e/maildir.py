"""Waits for what a server delivers into its Maildir."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def arrived(maildir: Path, count: int, within: float, log: Callable[[], str]) -> list[bytes]:
    """What was delivered, once there are so many messages; fails with the log when there never are."""
    new = maildir / "new"
    until = time.monotonic() + within
    while True:
        paths = sorted(new.iterdir()) if new.is_dir() else []
        if len(paths) >= count:
            return [path.read_bytes() for path in paths]
        if time.monotonic() > until:
            raise AssertionError(f"{len(paths)} of {count} messages arrived\n{log()}")
        time.sleep(0.05)
