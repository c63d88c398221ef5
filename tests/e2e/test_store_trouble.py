"""The database fails under a send: full, locked, cut off. Sending stops before the next copy is offered.

What had left by then is recorded as soon as that is possible, or is listed as uncertain: never more than can
be under way at a time, and going on doubles nobody.
"""

from __future__ import annotations

import random
import resource
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from digest.errors import StoreError
from digest.store import Database
from tests import sending
from tests.fast_sink import MODES, Ways
from tests.sink import Sink

PEOPLE = 1200
CONNECTIONS = 4
PATIENCE = 0.3

on_both = pytest.mark.parametrize("where", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])


@contextmanager
def at_work(folder: Path, where: str) -> Iterator[tuple[sending.Edition, Sink]]:
    """An edition on that database, which waits for a lock less long than usual; and where it is sent to."""
    make = sending.on_sqlite if where == "sqlite" else sending.on_postgresql
    with (
        Sink(folder / "record", Ways(MODES["chunking"], pace=0.005)) as sink,
        make(folder, people=PEOPLE, port=sink.port, connections=CONNECTIONS) as edition,
    ):
        edition.app.database = Database(edition.app.settings.database_url(), patience=PATIENCE)
        yield edition, sink


def meanwhile(sink: Sink, count: int, act: Callable[[], object]) -> threading.Thread:
    """Acts once the server has taken so many."""

    def watch() -> None:
        while sink.count() < count:
            time.sleep(0.001)
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@contextmanager
def locked(edition: sending.Edition) -> Iterator[None]:
    """Another program is writing, and does not come to an end."""
    url = edition.database
    if url.startswith("sqlite"):
        other = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0, isolation_level=None)
        while not other.in_transaction:  # at once when there is a gap: SQLite's own waits would miss it
            with suppress(sqlite3.OperationalError):
                other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()
        other.close()
    else:
        with psycopg.connect(url) as connection:
            connection.execute("LOCK TABLE delivery IN EXCLUSIVE MODE")
            yield
            connection.rollback()


@on_both
def test_a_lock_for_longer_than_our_patience_stops_before_the_next_copy(tmp_path: Path, where: str) -> None:
    """And what had left is recorded when the lock is gone in time for that."""
    with at_work(tmp_path, where) as (edition, sink):
        held: list[int] = []

        def hold() -> None:
            with locked(edition):
                held.append(sink.count())
                time.sleep(3 * PATIENCE)
                held.append(sink.count())

        thread = meanwhile(sink, PEOPLE // 4, hold)
        problems = edition.go_on()
        thread.join()
        assert held[1] <= held[0] + edition.capacity
        assert [type(problem) for problem in problems] == [StoreError]
        assert "locked" in str(problems[0])
        assert edition.check(sink.received()) == 0


@on_both
def test_a_lock_that_outlasts_everything_leaves_no_more_in_doubt_than_was_under_way(
    tmp_path: Path, where: str
) -> None:
    with at_work(tmp_path, where) as (edition, sink):
        over = threading.Event()

        def hold() -> None:
            with locked(edition):
                over.wait(60)

        thread = meanwhile(sink, PEOPLE // 4, hold)
        with pytest.raises(StoreError, match="locked") as caught:
            edition.send_here()
        assert "--resume" in caught.value.hint
        over.set()
        thread.join()
        assert 0 < edition.in_doubt(sink.received()) <= edition.capacity
        edition.go_on()
        assert edition.check(sink.received()) <= edition.capacity


def test_a_disk_that_is_full_stops_before_the_next_copy(tmp_path: Path) -> None:
    """From one moment to the next the process can write nothing behind the first pages of a file."""
    with at_work(tmp_path, "sqlite") as (edition, sink):
        process = edition.send()
        while sink.count() < PEOPLE // 4:
            assert process.poll() is None, edition.said()
            time.sleep(0.001)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (8192, 8192))
        assert process.wait(60) == 1
        assert "disk" in edition.said()
        assert sink.count() < PEOPLE // 2
        assert edition.in_doubt(sink.received()) <= edition.capacity
        edition.finish()
        assert edition.check(sink.received()) <= edition.capacity


@pytest.mark.postgres
def test_connections_to_postgresql_that_are_ended_again_and_again(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance, over = random.Random(seed), threading.Event()
    with at_work(tmp_path, "postgresql") as (edition, sink):

        def end_connections() -> None:
            with psycopg.connect(edition.database, autocommit=True) as connection:
                for number in range(1, 25):
                    while sink.count() < number * PEOPLE // 30 and not over.is_set():
                        time.sleep(0.001)
                    time.sleep(chance.uniform(0.0, 0.01))
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )

        thread = threading.Thread(target=end_connections)
        thread.start()
        problems = edition.go_on()
        over.set()
        thread.join()
        # An offer whose commit was not confirmed is not used, and stays in doubt.
        assert edition.check(sink.received()) <= len(problems) * edition.capacity
