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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from digest.app import App
from digest.config import load
from digest.errors import DigestError
from digest.store import Database
from digest.store.writer import PostgresWriter, SqliteWriter
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
    points = itertools.count(1)

    def point() -> None:
        if next(points) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("write", "write_snapshot"):
        setattr(Database, name, _killing(getattr(Database, name), point))
    for writer in (SqliteWriter, PostgresWriter):
        _kill_in(writer, point)


def _killing(real: Any, point: Callable[[], None]) -> Any:
    @contextmanager
    def write(self: Database) -> Iterator[sa.Connection]:
        with real(self) as connection:
            yield connection
            point()
        point()

    return write


def _kill_in(writer: Any, point: Callable[[], None]) -> None:
    """A statement that is a transaction of its own (PostgreSQL) is committed when it has been executed."""
    real = writer.run

    def run(self: Any, action: Callable[[Any, bool], Any], *, single: bool = False) -> Any:
        def then_point(driver: Any, again: bool) -> Any:
            done = action(driver, again)
            point()
            return done

        done = real(self, then_point, single=single)
        point()
        return done

    writer.run = run


if __name__ == "__main__":
    main()
