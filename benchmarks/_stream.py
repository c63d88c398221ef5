"""An edition sent to a relay that takes everything at once and is none, in a process of its own.

    python -m benchmarks._stream FOLDER EDITION

Everything but SMTP is the product's: the store, the fan-out, claims, composing, offers, results. Prints one
line of JSON: what the fan-out took, what a message cost afterwards, and the memory on the way.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks._child import cpu_seconds
from benchmarks._measured import memory
from digest.app import App
from digest.config import load
from digest.delivery import Progress
from digest.model import Message, Outcome, OutcomeKind
from digest.ports import Results, Transport
from digest.work.send import send

CAPACITY = 80
"""Ten connections with eight messages each."""


class Nowhere:
    """A transport whose server says yes on the next turn of the event loop."""

    server = "nowhere:25"
    capacity = CAPACITY

    async def open(self) -> None:
        pass

    def send(self, messages: Sequence[Message], results: Results, server: str = "") -> None:
        asyncio.get_running_loop().call_soon(self._answer, messages, results)

    def _answer(self, messages: Sequence[Message], results: Results) -> None:
        for message in messages:
            results.outcome(Outcome(message.delivery, OutcomeKind.accepted, 250, "2.0.0", "2.0.0 taken"))

    def recall(self) -> None:
        pass

    def break_off(self) -> None:
        """Nothing is under way for longer than a turn."""

    async def close(self) -> None:
        pass


class NowhereApp(App):
    def transport(self, server: str = "") -> Transport:
        return Nowhere()


class Watch:
    """What there was when the first copies had gone, and memory whenever the engine tells."""

    def __init__(self) -> None:
        self.at, self.cpu = time.perf_counter(), cpu_seconds()
        self.fan_out = self.fan_out_cpu = 0.0
        self.already = 0
        self.seen: list[tuple[int, int]] = []
        """Copies settled, and resident memory then."""

    def __call__(self, progress: Progress) -> None:
        if not progress.settled:
            return
        if not self.seen:
            at, cpu = time.perf_counter(), cpu_seconds()
            self.fan_out, self.fan_out_cpu = at - self.at, cpu - self.cpu
            self.at, self.cpu, self.already = at, cpu, progress.settled
        self.seen.append((progress.settled, memory()[0]))


def main(folder: Path, number: int) -> None:
    app = NowhereApp(load(folder / "config.toml", {}))
    edition = app.editions.get(number)
    idle = memory()[0]
    watch = Watch()
    sent = send(app, edition, watch=watch)
    seconds, cpu = time.perf_counter() - watch.at, cpu_seconds() - watch.cpu
    if not sent.finished:
        sys.exit(f"not finished: {sent.words}")
    settled = watch.seen[-1][0]
    early = [used for done, used in watch.seen if done <= settled / 4] or [watch.seen[0][1]]
    late = [used for done, used in watch.seen if done > settled * 3 / 4]
    figures = {
        "messages": settled - watch.already,
        "seconds": seconds,
        "cpu": cpu,
        "idle": idle,
        "peak": memory()[1],
        "early": max(early),
        "late": max(late),
        "fan_out": watch.fan_out,
        "fan_out_cpu": watch.fan_out_cpu,
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
