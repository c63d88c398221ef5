"""Does an edition to a million readers take more than its share: memory, or time a message?

The whole path but SMTP (`benchmarks._stream`): 10,000 readers and 1,000,000 (or DIGEST_BENCH_READERS), in the
real store (SQLite, "full", on the disk under build/), fanned out, claimed, composed (40 kB, 65 slots),
offered, handed to a transport that takes all at once, and recorded. Memory is that of the process: idle with
everything loaded, its highest, and its highest in the first and in the last quarter of the copies. The cost
of a message is CPU from the first result on; the small edition is sent three times, before and after the
large one, and its median counts.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time

from benchmarks._measured import Failed, bar, fsync_milliseconds, python
from benchmarks._newsroom import Newsroom, newsroom
from benchmarks._tools import ROOT

SMALL = 10_000
LARGE = int(os.environ.get("DIGEST_BENCH_READERS", "1000000"))
_MB = 1e6


def streamed(room: Newsroom) -> dict[str, float]:
    """One run. Raises `Failed`."""
    with room.copy(room.people) as made:
        done = subprocess.run(
            python("_stream", str(made.folder), str(made.edition)),
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise Failed((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def each(figures: dict[str, float]) -> float:
    """Microseconds of CPU a message."""
    return figures["cpu"] / figures["messages"] * 1e6


def run() -> None:
    start = time.perf_counter()
    with newsroom(SMALL) as few, newsroom(LARGE) as many:
        made = time.perf_counter() - start
        small = [streamed(few), streamed(few)]
        large = streamed(many)
        small.append(streamed(few))
    usual = statistics.median(map(each, small))
    print(
        f"{LARGE:,} readers, made in {made:.0f} s; fsync takes {fsync_milliseconds()[0]:.2f} ms here\n"
        f"      fan-out to the first result: {large['fan_out']:.1f} s, {large['fan_out_cpu']:.1f} s of CPU\n"
        f"      sent: {large['messages'] / large['seconds']:,.0f} a second, "
        f"{each(large):.1f} us of CPU each; of {SMALL:,}: {usual:.1f} us\n"
        f"      memory: {large['idle'] / _MB:.0f} MB idle, {large['peak'] / _MB:.0f} MB at most "
        f"({max(run['peak'] for run in small) / _MB:.0f} MB with {SMALL:,}); "
        f"{large['early'] / _MB:.0f} MB in the first quarter, {large['late'] / _MB:.0f} MB in the last"
    )
    bar("fan-out", large["fan_out"], 15, " s", most=True)
    bar("memory above idle", (large["peak"] - large["idle"]) / _MB, 32, " MB", most=True)
    bar("memory, last quarter against first", large["late"] / large["early"], 1.02, " x", most=True, digits=3)
    cost = each(large) / usual
    bar(f"cost of a message against {SMALL:,} readers", cost, 1.2, " x", most=True, digits=2)


if __name__ == "__main__":
    run()
