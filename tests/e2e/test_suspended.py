"""A process that was suspended for longer than its lease, another that takes over, and clocks that jump.

The promise: a process that has been replaced offers nothing more, and nobody has two copies.
"""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from digest.app import App
from digest.errors import DigestError
from digest.work.send import send
from tests import sending
from tests.fast_sink import MODES, Ways
from tests.sink import Sink

PEOPLE = 800
CONNECTIONS = 4
LONG = dt.timedelta(minutes=5)
"""Longer than any lease."""

on_both = pytest.mark.parametrize("where", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])


class Ahead:
    """A clock that can be set ahead of the machine's, or behind it."""

    def __init__(self, by: dt.timedelta = dt.timedelta(0)) -> None:
        self.by = by

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.by


@contextmanager
def at_work(folder: Path, where: str, mode: str = "chunking") -> Iterator[tuple[sending.Edition, Sink]]:
    make = sending.on_sqlite if where == "sqlite" else sending.on_postgresql
    with (
        Sink(folder / "record", Ways(MODES[mode], pace=0.004)) as sink,
        make(folder, people=PEOPLE, port=sink.port, connections=CONNECTIONS) as edition,
    ):
        yield edition, sink


def asleep(edition: sending.Edition, sink: Sink, count: int) -> subprocess.Popen[bytes]:
    """A process that sends, suspended once the server has taken so many.

    Not within a transaction: one that sleeps there holds its locks, and nobody can do anything but kill it
    (PostgreSQL does that itself after a minute).
    """
    process = edition.send()
    while sink.count() < count:
        assert process.poll() is None, edition.said()
        time.sleep(0.001)
    while True:
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.02)
        if not edition.locked():
            return process
        process.send_signal(signal.SIGCONT)
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("where", "mode"),
    [
        *[("sqlite", mode) for mode in MODES],
        pytest.param("postgresql", "chunking", marks=pytest.mark.postgres),
    ],
)
def test_whoever_wakes_up_after_its_lease_offers_nothing_more(tmp_path: Path, where: str, mode: str) -> None:
    """It wakes while its successor sends; what it had under way may still arrive, and be answered."""
    with at_work(tmp_path, where, mode) as (edition, sink):
        sleeper = asleep(edition, sink, PEOPLE // 4)
        successor = App(edition.app.settings, Ahead(LONG))

        def wake() -> None:
            while sink.count() < PEOPLE // 2:
                time.sleep(0.001)
            sleeper.send_signal(signal.SIGCONT)

        waking = threading.Thread(target=wake)
        waking.start()
        assert send(successor, successor.editions.get("weekly"), resume=True).finished
        waking.join()
        successor.database.close()
        assert sleeper.wait(60) != 0
        assert edition.check(sink.received()) <= edition.capacity


def test_whoever_wakes_up_when_all_is_over_offers_nothing_more(tmp_path: Path) -> None:
    with at_work(tmp_path, "sqlite") as (edition, sink):
        sleeper = asleep(edition, sink, PEOPLE // 4)
        successor = App(edition.app.settings, Ahead(LONG))
        assert send(successor, successor.editions.get("weekly"), resume=True).finished
        successor.database.close()
        sleeper.send_signal(signal.SIGCONT)
        assert sleeper.wait(60) != 0
        assert edition.check(sink.received()) <= edition.capacity


def test_while_the_lease_lasts_nobody_takes_over(tmp_path: Path) -> None:
    """A process that is suspended is not gone: whoever comes too early is sent away."""
    with at_work(tmp_path, "sqlite") as (edition, sink):
        sleeper = asleep(edition, sink, PEOPLE // 4)
        with pytest.raises(DigestError, match="being sent by another process"):
            edition.send_here()
        sleeper.send_signal(signal.SIGCONT)
        assert sleeper.wait(60) == 0
        assert edition.check(sink.received()) == 0


@pytest.mark.parametrize("step", [dt.timedelta(hours=2), dt.timedelta(hours=-2)], ids=["ahead", "back"])
def test_a_clock_that_jumps_while_copies_leave_doubles_nobody(tmp_path: Path, step: dt.timedelta) -> None:
    with at_work(tmp_path, "sqlite") as (edition, sink):
        clock = Ahead()
        edition.app.clock = clock

        def jump() -> None:
            while sink.count() < PEOPLE // 3:
                time.sleep(0.001)
            clock.by = step

        jumping = threading.Thread(target=jump)
        jumping.start()
        edition.go_on()
        jumping.join()
        assert edition.check(sink.received()) == 0
