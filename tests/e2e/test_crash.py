"""SIGKILL at random moments of real `digest send` processes, then the server's own record against the ledger.

The promise: whatever the moment, every address has its copy exactly once or is listed as uncertain; a kill
leaves no more in doubt than connections x depth; and who was refused is known to be. DIGEST_TEST_KILLS says
how many kills (`make soak` wants 200), DIGEST_TEST_SEED which.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from digest.model import DeliveryState
from tests import sending
from tests.fast_sink import MODES, Ways
from tests.sink import Sink

PEOPLE = 5000
CONNECTIONS = 4
KILLS = int(os.environ.get("DIGEST_TEST_KILLS", "20"))
SEED = int(os.environ.get("DIGEST_TEST_SEED", random.SystemRandom().randrange(10**6)))

MOMENTS = ("start", "begun", "before", "before", "behind", "behind", "behind")
"""While it starts and fixes the audience or takes over; soon after the first copy of this run; when the
server has noted a copy and not answered yet; when it has just answered."""

postgres = pytest.mark.postgres


class Killer:
    def __init__(self, edition: sending.Edition, sink: Sink, kills: int) -> None:
        self.edition, self.sink, self.kills = edition, sink, kills
        self.chance = random.Random(f"{SEED} {kills} {sink.ways.offers}")
        self.seconds = 0.8
        """From the start of a process to its first copy, as measured."""
        self.hurt = 0
        """Kills that left something in doubt."""

    def all(self) -> None:
        for number in range(self.kills):
            self._one(MOMENTS[number % len(MOMENTS)], self.kills - number)
            in_doubt = self.edition.in_doubt(self.sink.received())
            assert in_doubt <= self.edition.capacity
            self.hurt += in_doubt > 0

    def _one(self, moment: str, kills: int) -> None:
        before = self.sink.count()
        share = self.edition.left() // (kills + 1)
        process = self.edition.send()
        if moment == "start":
            time.sleep(self.chance.uniform(0.2, 1.1 * self.seconds))
            process.kill()
        elif moment == "begun":
            started = time.monotonic()
            self._wait(process, before + 1)
            self.seconds = time.monotonic() - started
            time.sleep(self.chance.uniform(0.0, 0.02))
            process.kill()
        else:
            self.sink.kill(process.pid, after=self.chance.randrange(1, max(share, 2)), when=moment)
        assert sending.killed(process), f"it ended before it was killed\n{self.edition.said()}"

    def _wait(self, process: subprocess.Popen[bytes], count: int) -> None:
        while self.sink.count() < count and process.poll() is None:
            time.sleep(0.001)


@pytest.mark.parametrize(
    ("where", "mode", "share"),
    [
        ("sqlite", "chunking", 0.3),
        ("sqlite", "sequential", 0.2),
        pytest.param("postgresql", "chunking", 0.25, marks=postgres),
        pytest.param("postgresql", "pipelining", 0.25, marks=postgres),
    ],
)
def test_kills_lose_nobody_and_double_nobody(tmp_path: Path, where: str, mode: str, share: float) -> None:
    print(f"DIGEST_TEST_SEED={SEED}")
    make = sending.on_sqlite if where == "sqlite" else sending.on_postgresql
    with (
        Sink(tmp_path / "record", Ways(MODES[mode])) as sink,
        make(tmp_path, people=PEOPLE, port=sink.port, connections=CONNECTIONS) as edition,
    ):
        killer = Killer(edition, sink, max(round(KILLS * share), 2))
        killer.all()
        assert edition.finish() == 1, edition.said()
        uncertain = edition.check(sink.received())
        assert killer.hurt >= killer.kills // 3  # else the kills were not where it hurts
        assert uncertain <= killer.kills * edition.capacity
        counts = edition.counts()
        assert edition.listed()["counts"] == {state: counts[state] for state in DeliveryState}
        print(f"{killer.hurt} of {killer.kills} kills left copies in doubt, {uncertain} are uncertain")


def test_kills_on_both_sides(tmp_path: Path) -> None:
    """The server dies, and while it is away or just back the one that sends does, too."""
    print(f"DIGEST_TEST_SEED={SEED}")
    chance, rounds = random.Random(SEED), max(KILLS // 5, 2)
    with (
        Sink(tmp_path / "record", Ways(MODES["chunking"])) as sink,
        sending.on_sqlite(tmp_path, people=PEOPLE, port=sink.port, connections=CONNECTIONS) as edition,
    ):
        for number in range(rounds):
            share = edition.left() // (rounds - number + 1)
            if not share:
                break
            sink.kill(0, after=share, when=chance.choice(("before", "behind")))
            process = edition.send()
            while sink.alive and process.poll() is None:
                time.sleep(0.001)
            assert not sink.alive, edition.said()
            if away := chance.random() < 0.5:
                time.sleep(chance.uniform(0.0, 0.3))
                process.kill()
            sink.stop()
            sink.start()
            if not away:
                time.sleep(chance.uniform(0.0, 0.3))
                process.kill()
            process.wait()
            edition.in_doubt(sink.received())
        edition.finish()
        assert edition.check(sink.received()) <= 2 * rounds * edition.capacity
