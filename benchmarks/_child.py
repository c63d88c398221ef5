"""How a client's process measures itself: one line of JSON for `benchmarks._measured.child`."""

from __future__ import annotations

import json
import resource
import time

from benchmarks._measured import memory


def cpu_seconds() -> float:
    """Of this process: all its threads, and its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


class Stretch:
    """From its making to `tell`."""

    def __init__(self) -> None:
        self.idle = memory()[0]
        self.begin()

    def begin(self, already: int = 0, before: float = 0.0) -> None:
        """Counts from now on only; `already` messages are over."""
        self._already, self._before = already, before
        self._start, self._cpu = time.perf_counter(), cpu_seconds()

    def tell(self, messages: int) -> None:
        seconds, cpu = time.perf_counter() - self._start, cpu_seconds() - self._cpu
        figures = {
            "messages": messages - self._already,
            "seconds": seconds,
            "cpu": cpu,
            "peak": memory()[1],
            "idle": self.idle,
            "before": self._before,
        }
        print(json.dumps(figures), flush=True)
