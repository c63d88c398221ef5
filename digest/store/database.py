"""One database, reached the same way on SQLite and PostgreSQL.

`read()` sees one consistent moment and cannot write. `write()` is one transaction: all of it or nothing.
On SQLite it takes the write lock at its beginning (BEGIN IMMEDIATE): a transaction that read first and wrote
later could otherwise act on what is no longer true, or fail half-way.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import sqlalchemy as sa

from digest.errors import ConfigError, StoreBusy, StoreError, StoreVersionError
from digest.store import versions
from digest.store.failures import UPGRADE, explain, explain_cause
from digest.store.writer import (
    BACKEND,
    END_BACKEND,
    PostgresWriter,
    SqliteWriter,
    Tries,
    Writer,
    begin_immediate,
    use_for,
)

T = TypeVar("T")
Synchronous = Literal["full", "normal", "off"]

_to_json = functools.partial(
    json.dumps, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
)


class Database:
    """Connections to the database at `url` (sqlite:///FILE or postgresql://USER@HOST/NAME).

    Opens nothing until it is used; may be shared by threads, and by processes that were forked from this one.
    Every use raises `StoreError` when the database is locked, read-only, full, damaged or out of reach.
    `patience` is how many seconds to wait for a lock. `synchronous` is SQLite's: "full" keeps every commit
    when the power is lost; the others are for tests.
    """

    def __init__(self, url: str, *, patience: float = 10.0, synchronous: Synchronous = "full") -> None:
        try:
            parsed = sa.make_url(url)
        except (sa.exc.ArgumentError, ValueError):
            parsed = None
        backend = parsed.get_backend_name() if parsed is not None else ""
        if parsed is None or backend not in {"sqlite", "postgresql"}:
            raise ConfigError(
                "is not a database",
                key="database.url",
                found=repr(url),
                allowed="sqlite:///FILE or postgresql://USER@HOST/NAME",
            )
        self.url = url
        self.file: Path | None = None
        """The SQLite file; None on PostgreSQL."""
        if backend == "sqlite":
            if parsed.database in {None, "", ":memory:"}:
                raise ConfigError(
                    "names no file", key="database.url", found=repr(url), allowed="sqlite:///FILE"
                )
            self.file = Path(str(parsed.database)).absolute()
            self._engine = _sqlite_engine(self.file, patience, synchronous)
        else:
            self._engine = _postgresql_engine(parsed, patience)
        # A snapshot for readers on both: SQLite in WAL mode gives one by itself.
        options: dict[str, Any] = {"digest_reads": True}
        if self.file is None:
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._patience = patience
        self._writers: weakref.WeakSet[Writer] = weakref.WeakSet()
        self._reader = self._engine.execution_options(**options)
        self._process = os.getpid()

    @property
    def name(self) -> str:
        """As in messages: the file, or host and name; never the password."""
        if self.file is not None:
            return f"database {self.file}"
        url = self._engine.url
        where = f"{url.host or 'local socket'}:{url.port or 5432}"
        return f"database {url.database or url.username} at {where}"

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection that sees one consistent moment; writing on it fails."""
        with self._explained(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A connection in one transaction: committed at the end of the block, undone by any exception."""
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write_snapshot(self) -> Iterator[sa.Connection]:
        """As `write`, and what it reads is that of one moment, as it always is on SQLite.

        Raises `StoreBusy` when PostgreSQL could not do it beside what others did: it may be tried again.
        """
        engine = self._engine
        if self.file is None:
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with self._explained(), engine.begin() as connection:
            yield connection

    def run(self, action: Callable[[sa.Connection, bool], T], *, reads: bool = False) -> T:
        """`action(connection, again)` in one transaction, as in `write`, or in `read` where it only `reads`.

        On PostgreSQL it is done again, for up to `patience` seconds, when the connection was lost: so a
        restart of the server ends nothing. `again` is true when it was begun before and nobody knows how that
        ended; the server has ended it for certain by then, with or without a commit.
        """
        begin = self.read if reads else self.write
        if self.file is not None:
            with begin() as connection:
                return action(connection, False)
        tries, backend = Tries(self._patience), None
        while True:
            driver: Any = None
            try:
                with begin() as connection:
                    if backend is not None:
                        connection.exec_driver_sql(END_BACKEND, backend)
                    backend = connection.info["backend"]
                    driver = connection.connection.driver_connection
                    return action(connection, tries.again)
            except StoreError as error:
                begun = driver is not None
                lost = not begun or driver.closed
                if not tries.another(lost=lost, begun=begun, undone=isinstance(error, StoreBusy)):
                    raise

    def writer(self) -> Writer:
        """A connection of its own, for many short transactions. Opens nothing until it is used."""
        writer: Writer
        if self.file is not None:
            writer = SqliteWriter(self._own_connection, self.name, self._patience)
        else:
            writer = PostgresWriter(self._own_connection, self.name, self._patience)
        self._writers.add(writer)
        return writer

    @property
    def dialect(self) -> sa.Dialect:
        """How this database wants its SQL."""
        return self._engine.dialect

    def version(self) -> str | None:
        """The revision that the schema is at; None before the first upgrade."""
        if self.file is not None and not self.file.exists():
            return None
        with self.read() as connection:
            return versions.current(connection)

    def check(self) -> None:
        """Raises `StoreVersionError` unless the schema is the one that this program works with."""
        version = self.version()
        if version is None:
            raise StoreVersionError(f"{self.name} is not set up yet", hint=UPGRADE)
        known = versions.known()
        if version not in known:
            raise StoreVersionError(
                f"{self.name} was made by a newer version of digest"
                f" (schema {version}, this one knows {known[-1]})",
                hint="Update the program: pip install --upgrade newsletter-digest",
            )
        if version != known[-1]:
            raise StoreVersionError(
                f"{self.name} has schema {version}, this program needs {known[-1]}", hint=UPGRADE
            )

    def upgrade(self, *, now: dt.datetime | None = None) -> tuple[str | None, str]:
        """Brings an existing database to the newest schema, in one transaction; returns (before, after).

        Two at once are safe: the second waits and finds nothing to do. `now` is noted as the day of
        installation.
        """
        version = self.version()
        if version is not None and version not in versions.known():
            self.check()
        with self._explained(), self._upgrading() as connection:
            before = versions.current(connection)
            versions.upgrade(connection, database=self.name, now=now or dt.datetime.now(dt.UTC))
        return before, versions.known()[-1]

    def create_or_upgrade(self, *, now: dt.datetime | None = None) -> tuple[str | None, str]:
        """As `upgrade`, and makes the SQLite file first where there is none."""
        if self.file is not None and not self.file.exists():
            self._require_folder()
            try:
                self.file.touch(mode=0o600, exist_ok=True)  # it will hold people's addresses
            except OSError as error:
                raise StoreError(
                    f"{self.name} cannot be created: {error.strerror}",
                    hint="Give the user that runs digest the right to write to its folder.",
                ) from error
        return self.upgrade(now=now)

    def damage(self) -> list[str]:
        """What a thorough look finds wrong with the file; empty when all is well, and on PostgreSQL."""
        if self.file is None:
            return []
        with self.read() as connection:
            found = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
            orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(20)
        problems = [text for text in found if text != "ok"]
        return problems + [f"{row[0]} row {row[1]} refers to a missing {row[2]}" for row in orphans]

    def close(self) -> None:
        """Closes every connection; the next use opens new ones."""
        for writer in self._writers:
            writer.close()
        self._engine.dispose()

    def _own_connection(self) -> sa.Connection:
        with self._explained():
            connection = self._engine.connect()
            if self.file is None:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            return connection

    def _require_folder(self) -> None:
        if self.file is not None and not self.file.parent.is_dir():
            raise StoreError(
                f"{self.name}: the folder {self.file.parent} does not exist",
                hint="Create it, or change database.url in config.toml.",
            )

    @contextmanager
    def _upgrading(self) -> Iterator[sa.Connection]:
        with self._engine.connect() as connection:
            if self.file is None:
                # The second of two upgrades waits here; the lock ends with the transaction.
                connection.exec_driver_sql("SET LOCAL lock_timeout = '10min'")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({versions.ADVISORY_LOCK})")
                yield connection
                connection.commit()
                return
            # A rebuilt table is dropped on the way; with foreign keys on that would delete what refers to it.
            # The pragma means something only outside a transaction, hence on the driver's connection.
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.execute("PRAGMA foreign_keys=OFF")
            try:
                connection.begin()
                yield connection
                orphan = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                if orphan is not None:
                    raise StoreError(f"{self.name}: table {orphan[0]} refers to rows that are missing")
                connection.commit()
            finally:
                connection.rollback()
                driver.execute("PRAGMA foreign_keys=ON")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        if os.getpid() != self._process:
            # A connection that was carried over a fork belongs to the parent: leave it open there.
            self._engine.dispose(close=False)
            self._process = os.getpid()
        if self.file is not None and not self.file.exists():
            self._require_folder()
            raise StoreVersionError(f"{self.name} does not exist yet", hint=UPGRADE)
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            explained = explain(error, self.name)
            if explained is None:
                raise
            raise explained from error
        except Exception as error:  # of the driver, where its connection is used directly
            driver_error = explain_cause(error, self.name)
            if driver_error is None:
                raise
            raise driver_error from error


def _sqlite_engine(file: Path, patience: float, synchronous: Synchronous) -> sa.Engine:
    # mode=rw: a misspelt path is an error and not a new, empty database.
    uri = f"file:{quote(str(file))}?mode=rw"

    def connect() -> sqlite3.Connection:
        # isolation_level None: the driver would begin transactions by its own rules, and too late.
        connection = sqlite3.connect(
            uri, uri=True, timeout=patience, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={synchronous}")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA cache_size=-4000")
        except BaseException:
            connection.close()
            raise
        return connection

    engine = sa.create_engine(
        "sqlite://",
        creator=connect,
        poolclass=sa.QueuePool,
        pool_size=4,
        max_overflow=60,
        json_serializer=_to_json,
    )

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        reads = bool(connection.get_execution_options().get("digest_reads"))
        use_for(connection, writing=not reads, patience=patience)
        if reads:
            connection.exec_driver_sql("BEGIN")
            return
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        try:
            begin_immediate(driver, patience)
        except sqlite3.Error as error:
            raise explain_cause(error, f"database {file}") or error from error

    return engine


def _postgresql_engine(url: sa.URL, patience: float) -> sa.Engine:
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"connect_timeout": max(2, int(patience)), "fallback_application_name": "digest"},
        pool_pre_ping=True,  # a server that was restarted must not fail the next transaction
        pool_size=4,
        max_overflow=16,
        json_serializer=_to_json,
    )

    @sa.event.listens_for(engine, "connect")
    def wait_no_longer_than_patience(connection: Any, record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {int(patience * 1000)}")
            # A process that was suspended, or lost its machine, within a transaction must not hold its locks
            # for ever: the lease of an edition is one of them.
            cursor.execute("SET idle_in_transaction_session_timeout = '60s'")
            record.info["backend"] = cursor.execute(BACKEND).fetchone()
        connection.commit()

    return engine
