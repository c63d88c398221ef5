"""A program that sends, and kills itself at the commit that it is told: one line on stdin for each send.

    python -m tests.kill_points
    {"environ": {"DIGEST_CONFIG": ...}, "at": 7}   ->   the exit code, or minus the signal

Each send is a process forked from this one, so that the modules are loaded once. Every transaction counts
twice: when all of it is written and not yet committed, and when it is committed and nobody knows it yet.
`at` 0 kills nowhere.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from digest.app import App
from digest.config import load
from digest.errors import DigestError
from digest.store import Database
from digest.work.send import send


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            wanted = json.loads(line)
            try:
                code = run(wanted["environ"], wanted["at"])
            except BaseException as error:  # noqa: BLE001 - the process ends here, whatever it is
                print(repr(error), file=sys.stderr)
                code = 99
            os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def run(environ: dict[str, str], at: int) -> int:
    """Sends the newest edition; its exit code."""
    _kill_at(at)
    app = App(load(Path(environ["DIGEST_CONFIG"]), environ))
    try:
        send(app, app.editions.get("weekly"), resume=True)
    except DigestError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _kill_at(at: int) -> None:
    points, real = itertools.count(1), Database.write

    def point() -> None:
        if next(points) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def write(self: Database) -> Iterator[sa.Connection]:
        with real(self) as connection:
            yield connection
            point()
        point()

    Database.write = write  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
