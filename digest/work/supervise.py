"""Keeps the processes of `digest run` alive: starts them, starts one again that died, ends them together."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event

GRACE = 35.0
"""Seconds that a process has to end by itself: sending drains in 30."""
_STEADY = 60.0
_LONGEST_PAUSE = 60.0


@dataclass(slots=True)
class Child:
    """One process. `pause` doubles each time that it dies within a minute of its start, up to a minute."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 0.5
    start_again_at: float = field(default=0.0)

    def start(self, now: float) -> None:
        # Its own session: Ctrl-C reaches only the supervisor, which then ends everyone in order.
        self.process = subprocess.Popen(list(self.command), start_new_session=True)  # noqa: S603 - our own
        self.started = now

    def look(self, now: float, say: Callable[[str], None]) -> None:
        """Starts it when it is due, notices when it died."""
        if self.process is None:
            if now >= self.start_again_at:
                self.start(now)
            return
        code = self.process.poll()
        if code is None:
            if now - self.started > _STEADY:
                self.pause = 0.5
            return
        self.process = None
        self.start_again_at = now + self.pause
        say(f"{self.name} ended with {_code(code)}; starting it again in {self.pause:g} s")
        self.pause = min(self.pause * 2, _LONGEST_PAUSE)


def supervise(children: Sequence[Child], stop: Event, say: Callable[[str], None]) -> None:
    """Runs until `stop` is set, then sends SIGTERM to every child and waits; SIGKILL after `GRACE`.

    A child that exits with 2 (wrong use or configuration) or 3 (it refuses to go on) cannot be helped by
    starting it again: everything is ended and that code is raised as SystemExit.
    """
    fatal = 0
    try:
        while not stop.is_set() and not fatal:
            now = time.monotonic()
            for child in children:
                code = child.process.poll() if child.process else None
                if code in (2, 3):
                    fatal = code
                    say(f"{child.name} cannot go on (exit code {code}); see above")
                    break
                child.look(now, say)
            stop.wait(0.2)
    finally:
        _end(children, say)
    if fatal:
        raise SystemExit(fatal)


def _end(children: Sequence[Child], say: Callable[[str], None]) -> None:
    alive = [c for c in children if c.process is not None and c.process.poll() is None]
    for child in alive:
        assert child.process is not None
        child.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    for child in alive:
        assert child.process is not None
        try:
            child.process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            say(f"{child.name} did not end within {GRACE:g} s and was killed; what it offered is uncertain")
            child.process.kill()
            child.process.wait()


def _code(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
