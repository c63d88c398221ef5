"""An approved edition with its people, `digest send` as processes to be killed, and the ledger they leave.

with on_sqlite(folder, people=5000, port=sink.port) as edition:
    process = edition.send()
    ...
    edition.check(sink.received())
"""

from __future__ import annotations

import atexit
import functools
import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psycopg
import pytest

from digest.app import App
from digest.config import load
from digest.delivery import SendingStopped
from digest.errors import DigestError, StoreError, TransportError
from digest.model import DeliveryState
from digest.store import Database
from digest.work import build
from digest.work.send import Sent, send
from subscribers import Entry
from tests.newsroom import WEEK_END, newsroom

State = DeliveryState
POSTGRES = os.environ.get("DIGEST_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
REFUSED_EVERY = 250
"""One address in so many is unknown to the relay: its refusal must not disturb its neighbours."""
_number = itertools.count(1)


@dataclass(slots=True)
class Edition:
    """An approved edition of `weekly`, in an installation of its own."""

    folder: Path
    people: tuple[str, ...]
    environ: dict[str, str]
    log: IO[bytes]
    app: App = field(init=False)

    def __post_init__(self) -> None:
        self.renew()

    def renew(self, **smtp: object) -> None:
        """Reads the configuration again, with other settings of the relay."""
        for key, value in smtp.items():
            self.environ[f"DIGEST_SMTP__{key.upper()}"] = str(value)
        self.app = App(load(Path(self.environ["DIGEST_CONFIG"]), self.environ))

    @property
    def capacity(self) -> int:
        """Connections x depth: as many copies may be in doubt after a crash."""
        return self.app.transport().capacity

    @property
    def database(self) -> str:
        """Its address for a driver."""
        return self.app.settings.database_url().replace("postgresql+psycopg", "postgresql")

    def locked(self) -> bool:
        """Whether somebody is in the middle of a transaction that writes."""
        if self.database.startswith("sqlite"):
            connection = sqlite3.connect(
                self.database.removeprefix("sqlite:///"), timeout=0, isolation_level=None
            )
            with closing(connection):
                try:
                    connection.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:
                    return True
                connection.execute("ROLLBACK")
            return False
        with psycopg.connect(self.database) as postgres:
            query = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            )
            row = postgres.execute(query).fetchone()
            assert row is not None
            return bool(row[0])

    def send(self) -> subprocess.Popen[bytes]:
        """A process that sends or goes on sending; what it says goes into the log."""
        return subprocess.Popen(
            [sys.executable, "-m", "digest", "send", "weekly", "--resume", "--json"],
            env={**os.environ, **self.environ},
            stdout=self.log,
            stderr=self.log,
        )

    def finish(self, *, tries: int = 20, within: float = 240.0) -> int:
        """Goes on until nothing is left to do, as `digest run` would; how often it took."""
        until = time.monotonic() + within
        for number in range(1, tries + 1):
            code = self.send().wait(max(until - time.monotonic(), 1.0))
            if code == 0:
                return number
            assert code in (1, 3), f"exit code {code}\n{self.said()}"
            time.sleep(0.1)
        raise AssertionError(f"not finished after {tries} tries: {self.counts()}\n{self.said()}")

    def send_here(self) -> Sent:
        """Sends or goes on sending, in this process."""
        return send(self.app, self.app.editions.get("weekly"), resume=True)

    def go_on(self, *, tries: int = 50) -> list[DigestError]:
        """As `finish`, in this process and without waits; what stood in its way."""
        app: App = self.app
        problems: list[DigestError] = []
        for _ in range(tries):
            try:
                if self.send_here().finished:
                    return problems
            except (TransportError, StoreError, SendingStopped) as error:
                problems.append(error)
            time.sleep(0.1)
            now = app.editions.get("weekly")
            if now.paused:
                app.editions.resume(now.id, at=app.clock.now(), by="test")
        raise AssertionError(f"not finished: {self.counts()}, {problems[-3:]}")

    def states(self) -> dict[str, DeliveryState]:
        """The ledger, by address; each address once."""
        number = self.app.editions.get("weekly").id
        rows = list(self.app.ledger.deliveries(number, str))
        states = {row.address: row.state for row in rows}
        assert len(states) == len(rows)
        return states

    def counts(self) -> Counter[DeliveryState]:
        return Counter(self.states().values())

    def left(self) -> int:
        """How many copies were not offered yet to a relay that will take them."""
        waiting = (State.queued, State.claimed)
        states = self.states() or dict.fromkeys(self.people, State.queued)
        return sum(s in waiting and not who.startswith("unknown") for who, s in states.items())

    def in_doubt(self, received: Mapping[str, int]) -> int:
        """The copies that a crash leaves in doubt; whatever the server took is accepted or among them."""
        states = self.states()
        known = {a for a, s in states.items() if s in (State.accepted, State.offered, State.uncertain)}
        assert set(received) <= known, f"taken and not known: {sorted(set(received) - known)[:5]}"
        return sum(state is State.offered for state in states.values())

    def check(self, received: Mapping[str, int]) -> int:
        """What must be true when all is over; how many are uncertain.

        Everybody has one copy or is listed as uncertain, nobody has two, and whoever the relay refused is
        listed as rejected.
        """
        states = self.states()
        by: dict[DeliveryState, set[str]] = {state: set() for state in State}
        for address, state in states.items():
            by[state].add(address)
        assert set(states) == set(self.people)
        doubled = [address for address, times in received.items() if times > 1]
        assert not doubled, f"{len(doubled)} have two copies: {doubled[:5]}\n{self.said()}"
        refused = {address for address in self.people if address.startswith("unknown")}
        assert by[State.rejected] | (by[State.uncertain] & refused) == refused
        assert by[State.accepted] <= set(received) <= by[State.accepted] | by[State.uncertain]
        left = len(states) - sum(len(by[each]) for each in (State.accepted, State.uncertain, State.rejected))
        assert left == 0, self.counts()
        return len(by[State.uncertain])

    def listed(self) -> dict[str, object]:
        """What `digest deliveries` says."""
        done = subprocess.run(
            [sys.executable, "-m", "digest", "deliveries", "weekly", "--json"],
            env={**os.environ, **self.environ},
            capture_output=True,
            check=True,
        )
        listed: dict[str, object] = json.loads(done.stdout)
        return listed

    def said(self) -> str:
        """The end of what the processes said."""
        self.log.flush()
        return (self.folder / "log").read_text(errors="replace")[-3000:]


@contextmanager
def on_sqlite(folder: Path, *, people: int, port: int, **smtp: object) -> Iterator[Edition]:
    """Commits are FULL, as in use."""
    with _ready(folder, people, {}, port, smtp) as edition:
        yield edition


@contextmanager
def on_postgresql(folder: Path, *, people: int, port: int, **smtp: object) -> Iterator[Edition]:
    """On a database of its own; the test is skipped, visibly, where no server is."""
    try:
        connection = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL server: {str(error).splitlines()[0]}")
    name = f"digest_sending_{os.getpid()}_{next(_number)}"
    url = f"{POSTGRES.rpartition('/')[0]}/{name}"
    with connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template1')
        try:
            database = Database(url)
            database.upgrade()
            database.close()
            with _ready(folder, people, {"DIGEST_DATABASE__URL": url}, port, smtp) as edition:
                yield edition
        finally:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def _ready(
    folder: Path, people: int, environ: dict[str, str], port: int, smtp: Mapping[str, object]
) -> Iterator[Edition]:
    if environ:
        _approve(folder, people, environ)
    else:
        shutil.copytree(_template(people) / "news", folder / "news")
    environ = environ | {"DIGEST_CONFIG": str(folder / "news" / "config.toml")}
    environ |= {f"DIGEST_SMTP__{key.upper()}": str(value) for key, value in {"port": port, **smtp}.items()}
    with (folder / "log").open("ab") as log:
        edition = Edition(folder, _addresses(people), environ, log)
        try:
            yield edition
        finally:
            edition.app.database.close()


@functools.cache
def _template(people: int) -> Path:
    """Made once in a process; a copy of it is quickly there."""
    folder = Path(tempfile.mkdtemp(prefix="digest-sending-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _approve(folder, people, {})
    return folder


def _approve(folder: Path, people: int, environ: dict[str, str]) -> None:
    app, _ = newsroom(folder, now=WEEK_END, environ=environ)
    app.editions.ensure_newsletter("weekly", since=WEEK_END)
    entries = [Entry(address) for address in _addresses(people)]
    app.subscribers.import_confirmed(entries, "weekly", source="test", basis="made up")
    made = build.build(app, "weekly", build.period_at(app, "weekly", WEEK_END), by="test")
    build.approve(app, made, by="test")
    app.database.close()


def _addresses(people: int) -> tuple[str, ...]:
    return tuple(_address(number) for number in range(people))


def _address(number: int) -> str:
    who = "unknown" if number % REFUSED_EVERY == REFUSED_EVERY - 1 else "reader"
    return f"{who}{number}@{'abcdefgh'[number % 8]}.example.test"


def killed(process: subprocess.Popen[bytes]) -> bool:
    """Whether it was killed, and did not end by itself; waits for it."""
    return process.wait(120) == -signal.SIGKILL
