"""How fast are access logs read, through the command line, and how much memory does it take?

Input: a made-up log of a newsroom's busy week, a million lines in each format: 2,000 stories of which few are
read by many (Zipf), 150,000 people, pictures and styles beside each page, crawlers and feed readers, queries
with tracking. A million lines are promised in less than 60 seconds on one core; what is there a second time
is told by its beginning and costs nothing.
"""

from __future__ import annotations

import datetime as dt
import gzip
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks._measured import Measured, bar, from_outside
from digest.importers.logs.entry import Entry
from tests.access_logs import CHROME, FIREFOX, W3C_HEAD, WRITERS

LINES = 1_000_000
STORIES = 2_000
PEOPLE = 150_000
START = int(dt.datetime(2026, 11, 9, tzinfo=dt.UTC).timestamp())
_MACHINES = (
    "Mozilla/5.0 (compatible; Somebot/2.1; +http://www.example.org/bot.html)",
    "FeedFetcher/1.0 (1,204 subscribers; https://reader.example)",
    "curl/8.5.0",
)
_QUERIES = ("", "", "", "?utm_source=social&utm_medium=post", "?fbclid=IwAR0abc", "?page=2")


def requests(count: int) -> Iterator[Entry]:
    """The same ones each time."""
    chance = random.Random(1)
    weights = [1 / rank for rank in range(1, STORIES + 1)]
    stories = chance.choices(range(STORIES), weights, k=count)
    browsers = [f"{base} Build/{number}" for number in range(200) for base in (FIREFOX, CHROME)]
    for number, story in enumerate(stories):
        person = chance.randrange(PEOPLE)
        kind = chance.random()
        target, agent = f"/news/2026/story-{story}{chance.choice(_QUERIES)}", browsers[person % len(browsers)]
        if kind < 0.6:
            target = f"/static/{story % 50}/picture-{story}.jpg"
        elif kind < 0.8:
            agent = _MACHINES[person % len(_MACHINES)]
        at = START + number * 7 * 86_400 // count + chance.randrange(-60, 60)
        address = f"{1 + person % 223}.{person >> 8 & 255}.{person & 255}.7"
        yield Entry(at, address, "GET", target, 304 if kind > 0.97 else 200, agent, "https://a.example/")


def write(folder: Path, kind: str, lines: int) -> Path:
    path = folder / f"{kind}.log"
    with path.open("w", encoding="utf-8") as file:
        if kind == "w3c":
            file.write(W3C_HEAD)
        for request in requests(lines):
            file.write(WRITERS[kind](request, dt.UTC) + "\n")
    return path


def digest(news: Path, *arguments: str, lines: int = 1) -> Measured:
    command = [sys.executable, "-m", "digest", "--config", str(news / "config.toml"), *arguments]
    quiet = 'exec "$@" >/dev/null 2>&1'
    return from_outside(["sh", "-c", quiet, "sh", *command], lines)


def newsroom(folder: Path, name: str) -> Path:
    """A new installation that knows the stories."""
    news = folder / name
    subprocess.run([sys.executable, "-m", "digest", "init", str(news)], check=True, capture_output=True)
    table = news / "stories.csv"
    rows = (f"{n},https://a.example/news/2026/story-{n},Story {n},2026-11-09\n" for n in range(STORIES))
    table.write_text("id,url,title,published\n" + "".join(rows))
    digest(news, "stories", "import", str(table))
    return news


def run(lines: int = LINES) -> None:
    print(f"{lines:,} lines           seconds  CPU seconds   lines/s     MB")
    slowest, highest = 0.0, 0.0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for kind in WRITERS:
            log = write(folder, kind, lines)
            news = newsroom(folder, f"news-{kind}")
            found = digest(news, "signals", "import", str(log), lines=lines)
            slowest, highest = max(slowest, found.seconds), max(highest, found.peak / 2**20)
            _line(kind, found)
            if kind == "combined":
                _line("again, unchanged", digest(news, "signals", "import", str(log), lines=lines))
                packed = folder / "combined.log.1.gz"
                with log.open("rb") as plain, gzip.open(packed, "wb", compresslevel=1) as file:
                    shutil.copyfileobj(plain, file)
                _line("again, packed", digest(news, "signals", "import", str(packed), lines=lines))
            log.unlink()
    bar(f"seconds for {lines:,} lines, the slowest format", slowest, 60 * lines / LINES, " s", most=True)
    bar("memory, the highest", highest, 400, " MB", most=True, digits=0)


def _line(what: str, found: Measured) -> None:
    figures = f"{found.seconds:9.1f} {found.cpu:12.1f} {found.rate:9,.0f} {found.peak / 2**20:6.0f}"
    print(f"{what:22} {figures}", flush=True)
