"""What does it cost to keep the ledger true, and to fix an audience?

Claim, offer and result of each copy, as the delivery engine asks for them but without one: in groups of 1 to
500, copies claimed 500 at a time, on SQLite (synchronous FULL, every commit on the disk) and, where a server
answers at DIGEST_BENCH_POSTGRES, on PostgreSQL. In an edition of 10,000 and in one of LEDGER_ROWS (1,000,000)
subscribers; CPU is that of our process alone.

Then the fan-out of these subscribers while somebody else leaves again and again over a connection of their
own: how long did the longest of them wait?
"""

from __future__ import annotations

import datetime as dt
import gc
import hashlib
import os
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from digest.delivery import Claimed, Result
from digest.model import DeliveryState, Edition, EditionState, Outcome, OutcomeKind, Period, Window
from digest.store import Database
from digest.store.leased import LeasedEdition
from digest.store.ledger import SqlLedger
from digest.store.tables import edition, newsletter, people
from subscribers import Subscribers

SERVER = os.environ.get("DIGEST_BENCH_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
SMALL = 10_000
LARGE = int(os.environ.get("LEDGER_ROWS", "1000000"))
GROUPS = (1, 10, 20, 40, 100, 500)
CLAIM = 500
SHARE = 1_500
"""So many copies are measured at each size of group, and fewer where each is a commit of its own."""


class Clock:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


class Office:
    """A database with `count` subscribers, and an edition that is about to leave to them."""

    def __init__(self, database: Database, count: int) -> None:
        self.database, self.count, self.clock = database, count, Clock()
        self.ledger = SqlLedger(database)
        self.subscribers = Subscribers(database, people, address_secret=b"s" * 32, now=self.clock.now)
        now = self.clock.now()
        window = Window(now - dt.timedelta(days=7), now)
        self.edition = Edition(
            1, "weekly", 1, Period(window.start.date(), window, now, now, now), EditionState.fanning
        )
        with database.write() as connection:
            connection.execute(newsletter.insert(), {"slug": "weekly", "since": now})
            connection.execute(
                edition.insert().values(
                    id=1, newsletter="weekly", number=1, start_date=window.start.date().isoformat(),
                    window_start=window.start, window_end=window.end, build_at=now, lock_at=now, send_at=now,
                    state="fanning", created=now, started=now,
                )
            )  # fmt: skip
        for start in range(1, count + 1, 50_000):
            with database.write() as connection:
                rows = list(self._people(start, min(start + 50_000, count + 1), now))
                connection.execute(people.subscriber.insert(), rows)
                connection.execute(
                    people.subscription.insert(),
                    [
                        {
                            "id": row["id"],
                            "subscriber": row["id"],
                            "newsletter": "weekly",
                            "state": "confirmed",
                            "changed": now,
                        }
                        for row in rows
                    ],
                )
        if database.file is None:
            with database.write() as connection:
                connection.exec_driver_sql("ANALYZE")

    @staticmethod
    def _people(start: int, end: int, now: dt.datetime) -> Iterator[dict[str, object]]:
        for number in range(start, end):
            domain = f"domain{number % 997}.test"
            key = hashlib.blake2b(b"%d" % number, digest_size=16).hexdigest()
            yield {
                "id": number, "address": f"reader{number}@{domain}", "domain": domain, "address_key": key,
                "key_version": 1, "name": "Ann Reader", "created": now,
            }  # fmt: skip

    def take(self) -> LeasedEdition:
        return self.ledger.take(
            self.edition,
            "host-4fe2a1:12345:987654321-1",
            clock=self.clock,
            gone=lambda owner: False,
            audience=self.subscribers.audience("weekly"),
            do_not_send=self.subscribers.do_not_send(),
        )

    def begin(self) -> None:
        with self.database.write() as connection:
            connection.execute(sa.update(edition).values(state="sending"))


@contextmanager
def sqlite(folder: Path, count: int) -> Iterator[Office]:
    with tempfile.TemporaryDirectory(prefix="digest-bench-", dir=folder) as scratch:
        database = Database(f"sqlite:///{scratch}/digest.db")
        database.create_or_upgrade()
        yield Office(database, count)
        database.close()


@contextmanager
def postgresql(folder: Path, count: int) -> Iterator[Office]:
    import psycopg  # noqa: PLC0415 - only where there is a server

    name = f"digest_bench_{os.getpid()}"
    with psycopg.connect(SERVER, autocommit=True, connect_timeout=3) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            database = Database(SERVER.rpartition("/")[0] + "/" + name)
            database.create_or_upgrade()
            yield Office(database, count)
            database.close()
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def fan_out(office: Office) -> str:
    """The fan-out, with somebody who leaves every 20 ms; what it took and what they waited."""
    waits: list[float] = []
    over = threading.Event()

    def leave() -> None:
        other = Database(office.database.url)
        subscribers = Subscribers(other, people, address_secret=b"s" * 32, now=office.clock.now)
        for number in range(office.count, 0, -1):
            if over.wait(0.02):
                break
            start = time.perf_counter()
            subscribers.leave(number, source="benchmark")
            waits.append(time.perf_counter() - start)
        other.close()

    thread = threading.Thread(target=leave)
    thread.start()
    start, cpu = time.perf_counter(), time.process_time()
    made = office.take().fan_out()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    over.set()
    thread.join()
    assert made.candidates == made.queued + sum(made.skipped.values())
    longest, middle = max(waits, default=0.0), statistics.median(waits or [0.0])
    return (
        f"fan-out of {office.count:,}: {seconds:.1f} s ({cpu:.1f} s of CPU); {len(waits)} readers left "
        f"meanwhile and waited {middle * 1000:.0f} ms, at most {longest * 1000:.0f} ms"
    )


def send(leased: LeasedEdition, group: int, count: int) -> tuple[float, float]:
    """Claims, offers and records `count` copies; microseconds of wall time and of CPU for each."""
    kind, state = OutcomeKind.accepted, DeliveryState.accepted
    done = 0
    flying: list[int] = []
    ready: list[Claimed] = []
    wall = cpu = 0.0
    while done < count:
        results = [
            Result(Outcome(number, kind, 250, "2.0.0", f"2.0.0 Ok: queued as 4XyZ{number:x}"), state)
            for number in flying
        ]
        start, used = time.perf_counter(), time.process_time()
        if len(ready) < group:
            ready += leased.claim(CLAIM).claimed
        offers = [claimed.recipient.delivery for claimed in ready[:group]]
        assert offers, "more copies are measured than there are"
        offered = leased.commit(results, offers)
        wall, cpu = wall + time.perf_counter() - start, cpu + time.process_time() - used
        assert len(offered.deliveries) == len(offers)
        done += len(results)
        flying, ready = offers, ready[group:]
    leased.commit([Result(Outcome(number, kind, 250), state) for number in flying], [])
    leased.give_back()
    return wall / count * 1e6, cpu / count * 1e6


def measure(office: Office) -> None:
    print("  " + fan_out(office), flush=True)
    office.begin()
    leased = office.take()
    start = time.perf_counter()
    leased.recover()
    recovered = time.perf_counter() - start
    gc.collect()
    gc.freeze()  # the subscribers were made in this process: that is not what is measured
    send(leased, 100, 500)  # statements are prepared, pages are in memory
    figures = []
    for group in GROUPS:
        wall, cpu = send(leased, group, min(SHARE, group * 200))
        figures.append(f"{group:>4}: {cpu:5.1f} ({wall:7.1f})")
    print("  us of CPU (of wall time) a copy, by size of group   " + "  ".join(figures), flush=True)
    start = time.perf_counter()
    office.ledger.counts(1)
    counted = time.perf_counter() - start
    leased.release()
    start = time.perf_counter()
    office.ledger.domains(1)
    told = time.perf_counter() - start
    print(
        f"  taking over {recovered * 1000:.0f} ms, counts {counted * 1000:.1f} ms, "
        f"by domain {told * 1000:.0f} ms",
        flush=True,
    )


def run() -> None:
    folder = Path.cwd()
    print("the ledger alone: claim, offer and result of each copy; every commit is on the disk")
    for name, made in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        for count in (SMALL, LARGE):
            try:
                with made(folder, count) as office:
                    print(f"{name}, {count:,} subscribers")
                    measure(office)
            except ImportError as error:
                print(f"{name}: {error}")
                break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process: {peak:.0f} MB, subscribers made in it")


if __name__ == "__main__":
    run()
