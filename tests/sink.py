"""The quick server of `tests.fast_sink` as a process that a test starts, kills, and starts again."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Self

from tests.fast_sink import Ways


class Sink:
    """The server in a process of its own, which can be killed and started again on the same port."""

    def __init__(self, record: Path, ways: Ways | None = None, *, port: int = 0) -> None:
        self.record, self.ways, self.port = record, ways or Ways(), port
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, ways: Ways | None = None) -> None:
        """Listens on the port that it had before."""
        self.ways = ways or self.ways
        command = [sys.executable, "-m", "tests.fast_sink", str(self.record), json.dumps(asdict(self.ways))]
        self.process = subprocess.Popen(
            [*command, str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[1],
            bufsize=0,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def stop(self) -> None:
        """As a power cut; its record stays."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.process = None

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self, process: int, *, after: int, when: str) -> None:
        """Has a process (0: the server's own) killed when it has taken so many more: `before` the answer to
        the last of them, or `behind` it."""
        self._ask(f"kill {process} {after} {when}")

    def count(self) -> int:
        """Copies since it was started."""
        self._ask("count")
        assert self.process is not None
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 30)
        assert ready, "the sink does not answer"
        return int(self.process.stdout.readline())

    def received(self) -> Counter[str]:
        """How often each address had a copy, in all its lives."""
        return Counter(self.record.read_text().split()) if self.record.exists() else Counter()

    def _ask(self, line: str) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
