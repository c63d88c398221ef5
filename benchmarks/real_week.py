"""How long does a real week take, from files to inboxes, by hand through the command line?

Input: the Hacker News front page, read about every half hour for 47 weeks (the folder ``hn_snapshots``, as
for `benchmarks.ranking`), and 1,000 made-up subscribers. In an empty folder the commands of an operator are
run one after the other, each a process of its own: init, the three imports, then for a week build, preview,
approve and send, into `digest inbox` on loopback. Afterwards the Maildir is counted: every address once.

BENCH_WEEKS says how many weeks are built and sent (default 1; "all" for every one of them).
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.ranking import folder as data_folder

READERS = 1000
MOST_SECONDS = 60.0
"""What the two imports of the history may take together."""


@dataclass
class Step:
    """A command that was run; `what` it dealt with, in figures."""

    label: str
    seconds: float
    cpu: float
    what: str = ""


@dataclass
class Newsroom:
    """An installation in `home`, used through its commands only; remembers what each took."""

    home: Path
    port: int
    steps: list[Step] = field(default_factory=list)

    def digest(self, label: str, *arguments: str | Path) -> str:
        """Runs a command and returns what it printed; raises where it fails."""
        before, start = _cpu(), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "digest", *map(str, arguments)],
            cwd=self.home,
            env={**os.environ, "DIGEST_SMTP__PORT": str(self.port), "PYTHONPATH": str(_ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.steps.append(Step(label, time.perf_counter() - start, _cpu() - before))
        if done.returncode:
            raise RuntimeError(f"digest {' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout

    def json(self, label: str, *arguments: str | Path) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.digest(label, *arguments, "--json"))
        return document


_ROOT = Path(__file__).resolve().parents[1]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def imported(source: Path, home: Path, *, port: int = 2525, readers: int = READERS) -> Newsroom:
    """An installation in the empty folder `home`, with the whole history and so many subscribers."""
    room = Newsroom(home, port)
    room.digest("init", "init", ".")
    stories = room.json(
        "stories import", "stories", "import", source / "stories.csv.gz", "--source", "hn",
        "--map", "title=title_first|title_last", "--map", "published=first_seen",
        "--base-url", "https://news.ycombinator.com/", "--rejects", home / "stories.rejected.csv",
    )  # fmt: skip
    room.steps[-1].what = f"{stories['new']:,} stories"
    signals = room.json(
        "signals import", "signals", "import", source / "obs.csv.gz", "--source", "hn", "--metric", "points",
        "--kind", "total", "--map", "story=id", "--map", "at=ts", "--map", "value=points",
        "--rejects", home / "points.rejected.csv",
    )  # fmt: skip
    room.steps[-1].what = f"{signals['new']:,} readings"
    people = home / "people.csv"
    with people.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("email", "name"))
        rows.writerows((f"reader.{n:05}@example.org", f"Reader {n}") for n in range(readers))
    room.digest(
        "subscribers import", "subscribers", "import", people, "--newsletter", "weekly", "--basis", "made up"
    )
    room.steps[-1].what = f"{readers:,} people"
    return room


def week_ends(source: Path) -> list[dt.date]:
    """The Mondays behind each week of the history."""
    with gzip.open(source / "stories.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        moments = [int(row["first_seen"]) for row in csv.DictReader(lines)]
    per_week = Counter((moment - _MONDAY) // _WEEK for moment in moments)
    return [
        dt.datetime.fromtimestamp(_MONDAY + (week + 1) * _WEEK, dt.UTC).date()
        for week, stories in sorted(per_week.items())
        if stories >= _FEWEST
    ]


_MONDAY, _WEEK = 345_600, 604_800
"""Seconds from the epoch to its first Monday, and in a week."""
_FEWEST = 30
"""A week with fewer stories was an outage of the reader."""


def sent(room: Newsroom, end: dt.date, maildir: Path) -> str:
    """Builds, previews, approves and sends the week before `end`; what went wrong, or ""."""
    built = room.json("edition build", "edition", "build", "weekly", "--at", f"{end}T06:00Z")
    name = built["edition"]
    room.digest("preview", "preview", name, "--out", room.home / "preview")
    room.digest("edition approve", "edition", "approve", name)
    counts = room.json("send", "send", name)["counts"]
    room.steps[-1].what = f"{counts['accepted']:,} copies"
    listed = room.json("deliveries", "deliveries", name)["deliveries"]
    arrived = Counter(_addresses(maildir))
    wrong = []
    if counts["accepted"] != READERS:
        wrong.append(f"accepted: {counts}")
    if set(arrived) != {each["address"] for each in listed} or len(arrived) != READERS:
        wrong.append(f"{len(arrived)} addresses in the inbox")
    if more := {address: times for address, times in arrived.items() if times != 1}:
        wrong.append(f"more than once: {more}")
    return "; ".join(wrong)


def _addresses(maildir: Path) -> Iterator[str]:
    """To whom each message of the inbox is; takes them away."""
    for path in (maildir / "new").iterdir():
        with path.open("rb") as message:
            head = {
                line.partition(b": ")[0]: line.partition(b": ")[2] for line in (next(message), next(message))
            }
        yield head[b"Delivered-To"].decode().strip()
        path.unlink()


@contextmanager
def inbox(maildir: Path) -> Iterator[int]:
    """`digest inbox` in a process of its own; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = ["-m", "digest", "inbox", "--port", str(port), "--no-web", "--maildir", str(maildir)]
    with subprocess.Popen(
        [sys.executable, *command], stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(_ROOT)}
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # it says where it listens when it does
        try:
            yield port
        finally:
            process.terminate()


def run() -> None:
    source = data_folder()
    if not source.is_dir():
        print(f"no {source}: set BENCH_DATA to the folder that holds hn_snapshots")
        return
    ends = week_ends(source)
    wanted = os.environ.get("BENCH_WEEKS", "1")
    chosen = ends if wanted == "all" else ends[len(ends) // 2 :][: int(wanted)]
    with tempfile.TemporaryDirectory(prefix="digest-bench-") as scratch:
        home, maildir = Path(scratch) / "news", Path(scratch) / "inbox"
        home.mkdir()
        with inbox(maildir) as port:
            room = imported(source, home, port=port)
            wrong = {end: trouble for end in chosen if (trouble := sent(room, end, maildir))}
        size = (home / "digest.db").stat().st_size
    _report(room, len(chosen), len(ends), size)
    if wrong:
        raise SystemExit(f"real_week: {wrong}")
    print(f"every week: {READERS:,} distinct addresses in the inbox, each once")


def _report(room: Newsroom, weeks: int, of: int, size: int) -> None:
    print(f"{weeks} of {of} weeks through the command line, every command a process of its own")
    print(f"{'':20} {'':16} {'s':>7} {'s of CPU':>10}")
    for label in dict.fromkeys(step.label for step in room.steps):
        steps = [step for step in room.steps if step.label == label]
        seconds = sum(step.seconds for step in steps) / len(steps)
        cpu = sum(step.cpu for step in steps) / len(steps)
        mean = f"   mean of {len(steps)}" if len(steps) > 1 else ""
        print(f"{label:20} {steps[0].what:>16} {seconds:7.2f} {cpu:10.2f}{mean}")
    history = sum(step.seconds for step in room.steps if step.label in {"stories import", "signals import"})
    print(
        f"{'the history':20} {'both imports':>16} {history:7.2f}   of {MOST_SECONDS:.0f} allowed: "
        f"{MOST_SECONDS / history:.1f} times as fast; {size / 1e6:.0f} MB in the store"
    )


if __name__ == "__main__":
    run()
