"""A connection for whoever writes thousands of short transactions: the driver's own, kept for as long.

A pool hands out and takes back, makes sure of the server and sets things right again; for a transaction of a
millisecond that would be most of it. Errors are explained as everywhere (`digest.store.failures`).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import sqlalchemy as sa

from digest.errors import StoreError
from digest.store.failures import BUSY, explain_cause

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")
_PAUSE = 0.1
_LOOK = 5
"""So many milliseconds SQLite waits for a lock before it is asked anew; it looks after 1, 2 and 2 more."""
BACKEND = """
SELECT pid, extract(epoch FROM backend_start)::float8 FROM pg_stat_activity WHERE pid = pg_backend_pid()"""
"""Names the server's half of a connection, also when its process id has come again."""
END_BACKEND = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE pid = %s AND extract(epoch FROM backend_start)::float8 = %s"""
"""Ends it: from then on it is certain whether its last transaction was committed."""


class Writer(Protocol):
    """Used by one thread at a time."""

    def run(self, action: Callable[[Any, bool], T], *, single: bool = False) -> T:
        """`action(driver, again)` in one transaction: committed when it returns, undone by any exception.

        `single` promises that it is one statement. `again` is true when it was begun before and nobody knows
        how that ended: its connection was lost. Then the server has ended the first one for certain, with or
        without a commit. Raises `StoreError`.
        """
        ...

    def close(self) -> None: ...


def use_for(connection: sa.Connection, *, writing: bool, patience: float) -> None:
    """Makes a connection of SQLite one that writes, or one that cannot; remembered with it."""
    if connection.info.get("writes") is not writing:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute(f"PRAGMA query_only={int(not writing)}")
        driver.execute(f"PRAGMA busy_timeout={_LOOK if writing else int(patience * 1000)}")
        connection.info["writes"] = writing


def begin_immediate(driver: sqlite3.Connection, patience: float) -> None:
    """Begins a transaction with the write lock. Raises `sqlite3.OperationalError` when it stays locked.

    SQLite's own way of waiting looks again after longer and longer pauses, up to 100 ms, and may for seconds
    miss every gap between the transactions of a busy writer.
    """
    until = time.monotonic() + patience
    while True:
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        else:
            return


class Tries:
    """Doing a transaction of PostgreSQL again, for up to `patience` seconds.

    `again`: one was begun, and nobody knows how it ended.
    """

    def __init__(self, patience: float) -> None:
        self._until, self._pause = time.monotonic() + patience, _PAUSE
        self.again = False

    def another(self, *, lost: bool, begun: bool, undone: bool) -> bool:
        """Waits and returns True where another try may help: the connection was lost (or never made), or the
        server has undone the transaction in favour of another one."""
        if not (lost or undone) or time.monotonic() > self._until:
            return False
        self.again = self.again or (lost and begun)
        time.sleep(self._pause)
        self._pause *= 2
        return True


class SqliteWriter:
    """Holds the write lock from the beginning of each transaction, as `Database.write` does."""

    def __init__(self, connect: Callable[[], sa.Connection], name: str, patience: float) -> None:
        self._connect, self._name, self._patience = connect, name, patience
        self._connection: sa.Connection | None = None

    def run(self, action: Callable[[Any, bool], T], *, single: bool = False) -> T:  # noqa: ARG002
        try:
            driver = self._open()
            begin_immediate(driver, self._patience)
            try:
                done = action(driver, False)
                driver.execute("COMMIT")
            except BaseException:
                if driver.in_transaction:  # a full disk has ended it already
                    driver.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise explain_cause(error, self._name) or error from error
        return done

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect()
            use_for(self._connection, writing=True, patience=self._patience)
        return self._driver()

    def _driver(self) -> sqlite3.Connection:
        assert self._connection is not None
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return driver


class PostgresWriter:
    """Survives the loss of its connection for up to `patience` seconds."""

    def __init__(self, connect: Callable[[], sa.Connection], name: str, patience: float) -> None:
        self._connect, self._name, self._patience = connect, name, patience
        self._connection: sa.Connection | None = None
        self._driver: psycopg.Connection[Any] | None = None
        self._backend: tuple[int, float] | None = None

    def run(self, action: Callable[[Any, bool], T], *, single: bool = False) -> T:
        import psycopg  # noqa: PLC0415 - where SQLite is used, it is not worth its time to import

        tries = Tries(self._patience)
        while True:
            begun = False
            try:
                driver = self._open()
                begun = True
                if single:
                    return action(driver, tries.again)
                with driver.transaction():
                    return action(driver, tries.again)
            except (psycopg.Error, StoreError) as error:
                lost = self._driver is None or self._driver.closed
                if lost:
                    self._drop()
                undone = isinstance(error, psycopg.Error) and error.sqlstate in BUSY
                if not tries.another(lost=lost, begun=begun, undone=undone):
                    raise self._explained(error) from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = self._driver = None

    def _open(self) -> psycopg.Connection[Any]:
        """The connection; a new one first ends what is left of the one before."""
        if self._driver is None:
            self._connection = self._connect()
            driver: psycopg.Connection[Any] = self._connection.connection.driver_connection  # type: ignore[assignment]
            if self._backend is not None:
                driver.execute(END_BACKEND, self._backend)
            self._backend = self._connection.info["backend"]
            self._driver = driver
        return self._driver

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
        self.close()

    def _explained(self, error: psycopg.Error | StoreError) -> Exception:
        return error if isinstance(error, StoreError) else explain_cause(error, self._name) or error
