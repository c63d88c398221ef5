"""SIGTERM to a `digest send`: what is under way is finished and recorded, in the 30 s that supervisors give.

Nothing is in doubt when the server answers in that time; a server that does not is not waited for longer.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests import sending
from tests.fast_sink import MODES, Ways
from tests.sink import Sink

PEOPLE = 400
CONNECTIONS = 4
INTERRUPTED = 4


def stopped(edition: sending.Edition, sink: Sink, count: int, *, times: int = 1) -> tuple[int, float]:
    """Asks a send to end once the server has taken so many; its exit code, and how long it took."""
    process = edition.send()
    while sink.count() < count:
        assert process.poll() is None, edition.said()
        time.sleep(0.002)
    started = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
    return process.wait(60), time.monotonic() - started


@pytest.mark.parametrize("mode", MODES)
def test_a_server_that_answers_leaves_nothing_in_doubt(tmp_path: Path, mode: str) -> None:
    """Although each answer takes its time, and several are outstanding."""
    with (
        Sink(tmp_path / "record", Ways(MODES[mode], pace=0.05)) as sink,
        sending.on_sqlite(tmp_path, people=PEOPLE, port=sink.port, connections=CONNECTIONS) as edition,
    ):
        code, seconds = stopped(edition, sink, PEOPLE // 8)
        assert code == INTERRUPTED
        assert seconds < 30
        assert edition.in_doubt(sink.received()) == 0
        assert sum(sink.received().values()) < PEOPLE // 2
        sink.stop()
        sink.start(Ways(MODES[mode]))
        edition.finish(tries=1)
        assert edition.check(sink.received()) == 0


@pytest.mark.parametrize("times", [1, 2])
def test_a_server_that_stalls_is_given_up_at_the_limit_or_when_asked_twice(
    tmp_path: Path, times: int
) -> None:
    """What it kept silent about is uncertain: each of these, and no other."""
    taken = PEOPLE // 8
    with (
        Sink(tmp_path / "record", Ways(MODES["chunking"], silent_after=taken)) as sink,
        sending.on_sqlite(tmp_path, people=PEOPLE, port=sink.port, connections=CONNECTIONS) as edition,
    ):
        code, seconds = stopped(edition, sink, taken, times=times)
        assert code == INTERRUPTED
        assert seconds < (45 if times == 1 else 15)  # 28 and what a busy machine needs
        assert edition.in_doubt(sink.received()) == 0  # known to be in doubt, and listed so
        sink.stop()
        sink.start(Ways(MODES["chunking"]))
        edition.finish(tries=1)
        assert 0 < edition.check(sink.received()) <= edition.capacity
