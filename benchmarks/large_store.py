"""What does `digest rank` take when the store is large, and what does that depend on?

A store of STORE_STORIES (1,000,000) made-up stories with ten readings each, one of a running total every
hour, as it is after years; the last RANK_WINDOW (20,000) of them are in the window. Then the command ranks
that window, as a process of its own, and a window of a tenth of it; the same on a store that holds hardly
more than the window. What the window costs should be all that it costs. On SQLite and, where a server
answers at DIGEST_BENCH_POSTGRES, on PostgreSQL.

Words are spread as those of a language are (Zipf), headings have nine of them and standfirsts twenty-four;
one story in twenty is another one with its heading edited, so that there is something to fold.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from benchmarks.ledger import SERVER
from digest.store import Database
from digest.store.tables import metric, observation, source, story

STORIES = int(os.environ.get("STORE_STORIES", "1000000"))
WINDOW = int(os.environ.get("RANK_WINDOW", "20000"))
READINGS = 10
END = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
WEEK = 7 * 86_400
_BATCH = 20_000
ROUNDS = 3


@dataclass(frozen=True)
class Texts:
    """Made-up language, the same on every run."""

    chance: random.Random
    words: list[str]
    weights: list[float]

    @classmethod
    def made(cls) -> Texts:
        chance = random.Random(20261116)
        letters = "aeiounrstlkmdpgbvfhz"
        words = sorted({"".join(chance.choices(letters, k=chance.randint(3, 9))) for _ in range(30_000)})
        chance.shuffle(words)
        return cls(chance, words, list(itertools.accumulate(1 / (place + 5) for place in range(len(words)))))

    def text(self, count: int) -> str:
        return " ".join(self.chance.choices(self.words, cum_weights=self.weights, k=count))

    def rows(self, count: int) -> Iterator[dict[str, object]]:
        """So many stories, evenly over the weeks up to the end, the newest last."""
        end, step = int(END.timestamp()), WEEK / WINDOW
        # A made-up text costs more than everything else: older stories, which nobody looks at, share theirs.
        pool = [(self.text(9), self.text(24), self.text(120)) for _ in range(min(count, WINDOW))]
        for number in range(1, count + 1):
            title, standfirst, body = pool[number % len(pool)]
            if number % 20 == 0:
                title = f"{pool[(number - 7) % len(pool)][0]} {number % 7}"
                standfirst = pool[(number - 7) % len(pool)][1]
            date = int(end - (count - number + 1) * step)
            yield {
                "id": number, "source": 1, "external_id": f"s{number}",
                "url": f"https://example.org/{number}", "title": title, "standfirst": standfirst,
                "body": f"<p>{body}</p>", "author": f"author {number % 200}", "section": f"s{number % 12}",
                "language": "en", "picture": None, "related": [], "kind": "article", "full_text": True,
                "published": dt.datetime.fromtimestamp(date, dt.UTC),
                "first_seen": dt.datetime.fromtimestamp(date, dt.UTC),
                "date": dt.datetime.fromtimestamp(date, dt.UTC),
            }  # fmt: skip


def fill(database: Database, count: int) -> None:
    """`count` stories with their readings, in the order of a store that grew week by week."""
    database.create_or_upgrade()
    rows = Texts.made().rows(count)
    with database.write() as connection:
        connection.execute(sa.insert(source).values(id=1, name="bench"))
        connection.execute(
            sa.insert(metric).values(id=1, name="points", kind="total", distinct=False, bucket=None)
        )
    while batch := list(itertools.islice(rows, _BATCH)):
        with database.write() as connection:
            connection.execute(sa.insert(story), batch)
            turns = sa.union_all(
                *(sa.select(sa.literal(turn).label("turn")) for turn in range(READINGS))
            ).subquery()
            at = sa.type_coerce(story.c.date, sa.BigInteger) + 3600 * turns.c.turn
            grown = story.c.id * 7919 % 997 * (1 + turns.c.turn)
            chosen = (
                sa.select(story.c.id, 1, 1, at, sa.cast(grown, sa.Float))
                .select_from(story.join(turns, sa.true()))
                .where(story.c.id.between(batch[0]["id"], batch[-1]["id"]))
                .order_by(story.c.id, turns.c.turn)
            )
            connection.execute(
                sa.insert(observation).from_select(["story", "metric", "source", "at", "value"], chosen)
            )
    with database.write() as connection:
        connection.execute(sa.text("ANALYZE"))


@dataclass(frozen=True)
class Taken:
    seconds: float
    cpu: float
    megabytes: float
    picks: int


def ranked(home: Path, days: float) -> Taken:
    """`digest rank` over the last days, in a process of its own: the best of some rounds."""
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        with subprocess.Popen(
            [
                *(sys.executable, "-m", "digest", "rank", "weekly", "--json"),
                *("--at", END.isoformat(), "--window", f"{round(days * 24)}h"),
            ],
            cwd=home,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            printed = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"digest rank ended with {process.returncode}")
        picks = len(json.loads(printed)["picks"])
        cpu = used.ru_utime + used.ru_stime
        found.append(Taken(time.perf_counter() - start, cpu, used.ru_maxrss / 1024, picks))
    return min(found, key=lambda each: each.cpu)


@contextlib.contextmanager
def installation(url: str, count: int) -> Iterator[Path]:
    """A folder with a configuration and a store of so many stories, at `url` or ("") in the folder."""
    with tempfile.TemporaryDirectory(prefix="digest-bench-") as scratch:
        home = Path(scratch)
        subprocess.run(
            [sys.executable, "-m", "digest", "init", "."],
            cwd=home,
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        )
        if url:
            file = home / "config.toml"
            lines = file.read_text(encoding="utf-8")
            file.write_text(lines.replace("sqlite:///digest.db", url), encoding="utf-8")
        database = Database(url or f"sqlite:///{home / 'digest.db'}", synchronous="off")
        fill(database, count)
        database.close()
        yield home


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database on the server; "" where there is no server."""
    server = sa.create_engine(
        SERVER.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    name = f"digest_bench_{os.getpid()}"
    try:
        with server.connect() as connection:
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    except sa.exc.OperationalError:
        yield ""
        return
    try:
        yield f"{SERVER.rpartition('/')[0]}/{name}"
    finally:
        with server.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))


def _report(kind: str, count: int, home: Path) -> None:
    for days in (7.0, 0.7):
        took = ranked(home, days)
        print(
            f"{kind:12} {count:>10,} {count * READINGS:>11,} {round(WINDOW * days / 7):>9,} "
            f"{took.seconds:8.2f} {took.cpu:8.2f} {took.megabytes:6.0f}"
        )


def run() -> None:
    print("`digest rank`, a process of its own, best of three")
    print("store           stories    readings    window        s    CPU s     MB")
    for count in (WINDOW + WINDOW // 10, STORIES):
        with installation("", count) as home:
            _report("SQLite", count, home)
    for count in (WINDOW + WINDOW // 10, STORIES):
        with postgres() as url:
            if not url:
                print(f"no PostgreSQL at {SERVER}")
                return
            with installation(url, count) as home:
                _report("PostgreSQL", count, home)
