"""Twenty times SIGKILL in the middle of a real `digest send`, and then the inbox against the ledger.

The promise: every address has its copy exactly once, or is listed as uncertain; none has it twice; and a kill
leaves no more in doubt than could be in flight.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.work import build
from subscribers import Entry
from tests.newsroom import WEEK_END, newsroom

PEOPLE = 2000
KILLS = 20
CONNECTIONS = 4
DEPTH = 2
SEED = int(os.environ.get("DIGEST_TEST_SEED", random.SystemRandom().randrange(10**6)))


class Inbox:
    """The real `digest inbox`, in a process of its own that is not killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = ["inbox", "--port", "0", "--no-web", "--maildir", str(folder)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "digest", *command], stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        self.port = int(self.process.stderr.readline().split("127.0.0.1:")[1].split()[0])

    def count(self) -> int:
        return sum(1 for _ in (self.folder / "new").iterdir())

    def addresses(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for file in (self.folder / "new").iterdir():
            fields = file.read_bytes().split(b"\r\n", 2)
            found[fields[1].decode().removeprefix("Delivered-To: ")] += 1
        return found

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    inbox = Inbox(tmp_path / "mail")
    yield inbox
    inbox.stop()


def prepared(folder: Path) -> Path:
    """An approved edition with its subscribers; the path of config.toml."""
    app, _ = newsroom(folder, now=WEEK_END)
    app.editions.ensure_newsletter("weekly", since=WEEK_END)
    entries = [Entry(f"reader{number}@example.test") for number in range(PEOPLE)]
    app.subscribers.import_confirmed(entries, "weekly", source="test", basis="made up")
    made = build.build(app, "weekly", build.period_at(app, "weekly", WEEK_END), by="test")
    build.approve(app, made, by="test")
    app.database.close()
    return folder / "news" / "config.toml"


def offered(database: Path) -> int:
    with sqlite3.connect(database) as connection:
        return int(connection.execute("SELECT count(*) FROM delivery WHERE state = 'offered'").fetchone()[0])


def test_twenty_kills_lose_nobody_and_double_nobody(tmp_path: Path, inbox: Inbox) -> None:
    print(f"DIGEST_TEST_SEED={SEED}")
    chance = random.Random(SEED)
    config = prepared(tmp_path)
    environ = {
        **os.environ,
        "DIGEST_CONFIG": str(config),
        "DIGEST_SMTP__PORT": str(inbox.port),
        "DIGEST_SMTP__CONNECTIONS": str(CONNECTIONS),
        "DIGEST_SMTP__DEPTH": str(DEPTH),
    }
    digest = [sys.executable, "-m", "digest"]
    in_the_middle = 0
    log = (tmp_path / "log").open("wb")
    for number in range(KILLS):
        before = inbox.count()
        sending = subprocess.Popen([*digest, "send", "weekly", "--resume"], env=environ, stderr=log)
        if number % 5 == 2:  # while it starts, takes over or fixes the audience
            time.sleep(chance.uniform(0.2, 0.7))
        else:
            share = max((PEOPLE - before) // (KILLS - number), 2)
            wanted = before + chance.randrange(1, share)
            while inbox.count() < wanted and sending.poll() is None:
                time.sleep(0.002)
        sending.kill()
        said = (tmp_path / "log").read_text()
        assert sending.wait() == -signal.SIGKILL, f"it ended before it was killed: {said}"
        in_doubt = offered(config.parent / "digest.db")
        assert in_doubt <= CONNECTIONS * DEPTH
        in_the_middle += in_doubt > 0
    log.close()
    last = subprocess.run(
        [*digest, "send", "weekly", "--resume", "--json"], env=environ, capture_output=True, check=False
    )
    assert last.returncode == 0, last.stderr.decode()
    listed = json.loads(
        subprocess.run(
            [*digest, "deliveries", "weekly", "--json"], env=environ, capture_output=True, check=True
        ).stdout
    )
    assert in_the_middle >= KILLS // 4  # else the kills were not where it hurts

    states = {row["address"]: row["state"] for row in listed["deliveries"]}
    received = inbox.addresses()
    assert len(states) == PEOPLE
    assert set(states.values()) <= {"accepted", "uncertain"}
    assert max(received.values()) == 1
    assert {address for address, state in states.items() if state == "accepted"} <= set(received)
    assert set(states) == set(received) | {a for a, state in states.items() if state == "uncertain"}
    assert listed["counts"]["uncertain"] <= KILLS * CONNECTIONS * DEPTH
    print(f"{in_the_middle} kills with copies in doubt, {listed['counts']['uncertain']} uncertain")
