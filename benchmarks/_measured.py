"""Runs of clients in processes of their own, and the figures of them.

A client's process prints one line of JSON (`benchmarks._child`): it measures itself from the moment before
its first connection to the moment after its last reply, so that starting an interpreter costs nobody
anything. One that does not (smtp-source) is measured from outside, with what the kernel says about it when
it has ended.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks._tools import FOLDER, ROOT


@dataclass(frozen=True)
class Measured:
    """One run. CPU is of the client's process with its threads and children; memory is in octets."""

    messages: int
    seconds: float
    cpu: float
    peak: int
    idle: int = 0
    """Memory before the first connection; 0 where that is not known."""
    before: float = 0.0
    """Seconds of CPU that a whole call took before its first result (fan-out, compiling)."""

    @property
    def rate(self) -> float:
        return self.messages / self.seconds

    @property
    def each(self) -> float:
        """Microseconds of CPU a message."""
        return self.cpu / self.messages * 1e6


class Failed(Exception):  # noqa: N818 - a client that did not do its work
    """What the client said last."""


def child(command: Sequence[str], environ: Mapping[str, str] | None = None) -> Measured:
    """Runs a client that measures itself. Raises `Failed` with the end of what it said."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})},
        capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Failed(said[-1] if said else f"exit code {done.returncode}")
    return Measured(**json.loads(lines[-1]))


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.{module}", *arguments]


def from_outside(command: Sequence[str], messages: int) -> Measured:
    """Runs a client from its start to its end. Raises `Failed`."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    peak = 0
    while True:
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        peak = max(peak, memory(process.pid)[1])
        time.sleep(0.005)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(f"{command[0]}: exit code {process.returncode}")
    return Measured(messages, seconds, used.ru_utime + used.ru_stime, peak)


def memory(process: int | str = "self") -> tuple[int, int]:
    """Resident memory of a process now and at its highest, in octets; (0, 0) where Linux does not tell.

    Not `ru_maxrss`: a child inherits its parent's.
    """
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0, 0
    found = dict(line.split(":", 1) for line in text.splitlines() if line.startswith(("VmRSS", "VmHWM")))
    if len(found) < 2:
        return 0, 0
    return int(found["VmRSS"].split()[0]) * 1024, int(found["VmHWM"].split()[0]) * 1024


def fsync_milliseconds(rounds: int = 100) -> tuple[float, float]:
    """How long this disk takes to keep 4 kB: the median, and what 95 of 100 stay under."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    taken = []
    with tempfile.TemporaryFile(dir=FOLDER) as file:
        for _ in range(rounds):
            file.write(os.urandom(4096))
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - start) * 1e3)
    return statistics.median(taken), sorted(taken)[int(rounds * 0.95)]


@dataclass(frozen=True)
class Median:
    """The medians of several runs of one client."""

    runs: Sequence[Measured]

    @property
    def rate(self) -> float:
        return statistics.median(run.rate for run in self.runs)

    @property
    def each(self) -> float:
        return statistics.median(run.each for run in self.runs)

    @property
    def peak(self) -> float:
        return max(run.peak for run in self.runs)

    @property
    def above(self) -> float:
        return max(run.peak - run.idle for run in self.runs) if self.runs[0].idle else 0

    @property
    def before(self) -> float:
        return statistics.median(run.before for run in self.runs)

    @property
    def messages(self) -> int:
        return self.runs[0].messages


def bar(
    text: str, value: float, limit: float, unit: str = "", *, most: bool = False, digits: int = 1
) -> None:
    """One line: what was promised, and what it is. It never fails: a busy machine is no fault."""
    kept = value <= limit if most else value >= limit
    word = "at most" if most else "at least"
    figures = f"{value:,.{digits}f}{unit}"
    print(f"  {'ok ' if kept else 'NOT'} {text}: {figures} ({word} {limit:,g}{unit})")
