"""What a driver's error means to the person who runs this, and what to do about it.

SQLite is judged by its result code (sqlite.org/rescode.html), PostgreSQL by its SQLSTATE (appendix A of its
manual) and, where a connection was never made and there is none, by libpq's message.
"""

from __future__ import annotations

import sqlite3
import sys
from typing import TYPE_CHECKING

import sqlalchemy as sa

from digest.errors import StoreError, StoreVersionError

if TYPE_CHECKING:
    import psycopg

UPGRADE = "Run: digest db upgrade"

_SQLITE: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: (
        "is locked by another program",
        "Try again; if it stays locked, find the program that holds it open (a backup, a database browser).",
    ),
    sqlite3.SQLITE_LOCKED: ("is locked by another program", "Try again."),
    sqlite3.SQLITE_READONLY: (
        "is read-only",
        "Give the user that runs digest the right to write the file and its folder.",
    ),
    sqlite3.SQLITE_PERM: ("may not be opened", "Give the user that runs digest the right to write it."),
    sqlite3.SQLITE_IOERR: (
        "cannot be read or written: the disk reports an error",
        "Check the disk and its free space.",
    ),
    sqlite3.SQLITE_CORRUPT: ("is damaged", "Run: digest db check; then restore the last backup."),
    sqlite3.SQLITE_FULL: (
        "cannot grow: the disk is full",
        "Free some space and try again; nothing was half written.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened",
        "Check that its folder exists and that the user that runs digest may write there.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "is not a digest database",
        "Check database.url in config.toml: that file holds something else.",
    ),
}

_POSTGRESQL: dict[str, tuple[str, str]] = {
    "28000": ("refuses this user", "Check the user in database.url and the server's pg_hba.conf."),
    "28P01": ("refuses this password", "Check the password in database.url."),
    "3D000": ("does not exist", "Create it (createdb), or change database.url in config.toml."),
    "42501": (
        "does not allow this user to do that",
        "Grant the user of database.url all rights on this database.",
    ),
    "25006": (
        "is read-only",
        "It may be a standby: point database.url at the primary.",
    ),
    "53100": (
        "cannot grow: the server's disk is full",
        "Free some space and try again; nothing was half written.",
    ),
    "53300": ("has no connection left", "Raise max_connections of the server, or stop other programs."),
    "55P03": ("is locked by another program", "Try again; if it stays locked, look into pg_stat_activity."),
    "40P01": ("was busy: two programs waited for each other", "Try again; nothing was half written."),
    "40001": ("was busy: another program changed the same rows", "Try again; nothing was half written."),
}


def explain(error: sa.exc.SQLAlchemyError, database: str) -> StoreError | None:
    """The error as a person can use it, or None where it is a fault of the program and not of the database.

    `database` names it as in messages: a file, or host and name.
    """
    if isinstance(error, sa.exc.TimeoutError):
        return StoreError(
            f"{database} has no free connection", hint="Try again; the program is doing too much at once."
        )
    if not isinstance(error, sa.exc.DBAPIError):
        return None
    return explain_cause(error.orig, database)


def explain_cause(cause: BaseException | None, database: str) -> StoreError | None:
    """As `explain`, of the driver's own error."""
    if isinstance(cause, sqlite3.Error):
        return _explain_sqlite(cause, database)
    if "psycopg" in sys.modules:  # where SQLite is used, it is not worth its time to import
        import psycopg  # noqa: PLC0415

        if isinstance(cause, psycopg.Error):
            return _explain_postgresql(cause, database)
    return None


def _explain_sqlite(cause: sqlite3.Error, database: str) -> StoreError | None:
    text = str(cause)
    if "no such table" in text or "no such column" in text:
        return StoreVersionError(f"{database} is not of this version: {text}", hint=UPGRADE)
    code = getattr(cause, "sqlite_errorcode", None)
    known = _SQLITE.get(code & 0xFF) if code is not None else None
    if known is not None:
        return StoreError(f"{database} {known[0]}", hint=known[1])
    if isinstance(cause, sqlite3.OperationalError):
        return StoreError(f"{database}: {text}")
    return None


def _explain_postgresql(cause: psycopg.Error, database: str) -> StoreError | None:
    import psycopg  # noqa: PLC0415 - loaded already, or there would be no such error

    state = cause.sqlstate
    first_line = str(cause).strip().partition("\n")[0]
    if state in {"42P01", "42703"}:
        return StoreVersionError(f"{database} is not of this version: {first_line}", hint=UPGRADE)
    known = _POSTGRESQL.get(state or "") or _by_libpq_message(str(cause))
    if known is not None:
        return StoreError(f"{database} {known[0]}", hint=known[1])
    if state is None and isinstance(cause, psycopg.OperationalError):
        return StoreError(
            f"{database} does not answer: {first_line}",
            hint="Check that the server runs and that host and port in database.url are right.",
        )
    if isinstance(cause, psycopg.OperationalError | psycopg.InternalError):
        return StoreError(f"{database}: {first_line}")
    return None


def _by_libpq_message(text: str) -> tuple[str, str] | None:
    """A refused connection carries no SQLSTATE: the server's sentence, where it is in English, decides."""
    if "password authentication failed" in text:
        return _POSTGRESQL["28P01"]
    if "no pg_hba.conf entry" in text or ("role " in text and "does not exist" in text):
        return _POSTGRESQL["28000"]
    if "database " in text and "does not exist" in text:
        return _POSTGRESQL["3D000"]
    if "too many clients" in text or "remaining connection slots" in text:
        return _POSTGRESQL["53300"]
    return None
