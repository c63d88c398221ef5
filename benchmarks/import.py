"""How long does it take to bring a history in, through the command line, and to bring it in again?

Input: the Hacker News front page of 47 weeks (the folder ``hn_snapshots``, as for `benchmarks.ranking`):
29,443 stories, five of them without a heading, and 410,128 readings of their points. Each import is a process
of its own into a SQLite database with the settings of `digest init`; the second time nothing is new. Beside
it stands what Python takes to unpack the same file and to read its rows, which no import can go below.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ranking import folder

STORIES = ("stories", "import", "stories.csv.gz", "--map", "title=title_first|title_last")
READINGS = (
    *("signals", "import", "obs.csv.gz", "--metric", "points", "--kind", "total"),
    *("--map", "story=id", "--map", "at=ts", "--map", "value=points"),
)
OPTIONS = ("--base-url", "https://news.ycombinator.com/", "--json")


@dataclass(frozen=True)
class Taken:
    """What a command took, and the document that it printed."""

    seconds: float
    megabytes: float
    printed: dict[str, Any]


def taken(news: Path, *arguments: str) -> Taken:
    """Runs `digest` in the folder. Raises `RuntimeError` with what it said where it fails."""
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "digest", *arguments],
            cwd=news,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
            stdout=printed,
            stderr=said,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        printed.seek(0)
        said.seek(0)
        if process.returncode:
            raise RuntimeError(f"digest {' '.join(arguments)}: {said.read()}")
        text = printed.read()
    return Taken(seconds, used.ru_maxrss / 1024, json.loads(text) if text else {})


def only_read(path: Path) -> tuple[int, float]:
    """The rows of a file, and the seconds that unpacking and reading them takes."""
    start = time.perf_counter()
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        count = sum(1 for _ in csv.DictReader(lines))
    return count, time.perf_counter() - start


def run() -> None:
    source = folder()
    if not source.is_dir():
        print(f"no {source}: set BENCH_DATA to the folder that holds hn_snapshots")
        return
    print("                        seconds    rows/s   x reading     MB")
    whole = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        news = Path(scratch) / "news"
        taken(Path(scratch), "init", "news")
        for what, command in (("stories", STORIES), ("readings", READINGS)):
            file = source / command[2]
            rows, floor = only_read(file)
            for label in (what, f"{what}, again"):
                found = taken(
                    news, *command[:2], str(file), *command[3:], *OPTIONS, "--rejects", f"{what}.rejected"
                )
                counts = found.printed
                if label == what:
                    whole += found.seconds
                elif counts["new"] or counts.get("changed") or counts.get("replaced"):
                    raise RuntimeError(f"the second import of the same file changed something: {counts}")
                speed, times = rows / found.seconds, found.seconds / floor
                told = ", ".join(f"{counts[word]:,} {word}" for word in ("new", "same", "rejected"))
                figures = f"{found.seconds:10.1f} {speed:9,.0f} {times:11.1f} {found.megabytes:6.0f}"
                print(f"{label:20} {figures}   {told}")
    print(f"both for the first time: {whole:.1f} s; promised are 60")
