"""Each thing that goes wrong with a database has its sentence, and a fault of the program has none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import psycopg
import pytest
import sqlalchemy as sa

from digest.errors import StoreError, StoreVersionError
from digest.store.failures import explain


def wrapped(
    cause: BaseException, kind: type[sa.exc.DBAPIError] = sa.exc.OperationalError
) -> sa.exc.DBAPIError:
    return kind("SELECT 1", {}, cause)


def lite(code: int, text: str = "") -> sqlite3.Error:
    error = sqlite3.OperationalError(text or f"code {code}")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_BUSY, "is locked"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "is locked"),
        (sqlite3.SQLITE_READONLY, "is read-only"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, "is read-only"),
        (sqlite3.SQLITE_IOERR_WRITE, "disk reports an error"),
        (sqlite3.SQLITE_FULL, "the disk is full"),
        (sqlite3.SQLITE_CANTOPEN, "cannot be opened"),
        (sqlite3.SQLITE_CORRUPT, "is damaged"),
        (sqlite3.SQLITE_NOTADB, "is not a digest database"),
    ],
)
def test_sqlite_is_explained_by_its_code(code: int, words: str) -> None:
    error = explain(wrapped(lite(code)), "database /x.db")
    assert error is not None
    assert str(error).startswith("database /x.db ")
    assert words in str(error)
    assert error.hint


def test_an_unknown_sqlite_trouble_is_told_as_it_is() -> None:
    error = explain(wrapped(lite(sqlite3.SQLITE_PROTOCOL, "locking protocol")), "database /x.db")
    assert str(error) == "database /x.db: locking protocol"


@pytest.mark.parametrize("text", ["no such table: story", "no such column: story.x"])
def test_a_missing_table_is_a_matter_of_version(text: str) -> None:
    error = explain(wrapped(lite(sqlite3.SQLITE_ERROR, text)), "database /x.db")
    assert isinstance(error, StoreVersionError)
    assert error.hint == "Run: digest db upgrade"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (psycopg.errors.InvalidPassword, "refuses this password"),
        (psycopg.errors.InvalidAuthorizationSpecification, "refuses this user"),
        (psycopg.errors.InvalidCatalogName, "does not exist"),
        (psycopg.errors.InsufficientPrivilege, "does not allow this user"),
        (psycopg.errors.ReadOnlySqlTransaction, "is read-only"),
        (psycopg.errors.DiskFull, "disk is full"),
        (psycopg.errors.TooManyConnections, "no connection left"),
        (psycopg.errors.LockNotAvailable, "is locked"),
        (psycopg.errors.DeadlockDetected, "was busy"),
        (psycopg.errors.SerializationFailure, "was busy"),
        (psycopg.errors.OutOfMemory, "the message"),
    ],
)
def test_postgresql_is_explained_by_its_state(kind: Callable[[str], psycopg.Error], words: str) -> None:
    error = explain(wrapped(kind("the message\nDETAIL: more")), "database news at db:5432")
    assert error is not None
    assert words in str(error)
    assert "DETAIL" not in str(error)


def test_a_table_missing_on_postgresql_is_a_matter_of_version() -> None:
    cause = psycopg.errors.UndefinedTable('relation "story" does not exist')
    assert isinstance(explain(wrapped(cause, sa.exc.ProgrammingError), "db"), StoreVersionError)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('FATAL: password authentication failed for user "ann"', "refuses this password"),
        ('FATAL: no pg_hba.conf entry for host "1.2.3.4"', "refuses this user"),
        ('FATAL: role "ann" does not exist', "refuses this user"),
        ('FATAL: database "news" does not exist', "does not exist"),
        ("FATAL: sorry, too many clients already", "no connection left"),
        ("connection refused", "does not answer: connection refused"),
    ],
)
def test_a_connection_that_was_never_made_is_explained_by_the_message(text: str, words: str) -> None:
    error = explain(wrapped(psycopg.OperationalError(text)), "database news at db:5432")
    assert error is not None
    assert words in str(error)


def test_a_pool_that_ran_out_is_explained() -> None:
    error = explain(sa.exc.TimeoutError("QueuePool limit"), "database /x.db")
    assert isinstance(error, StoreError)
    assert "no free connection" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        wrapped(sqlite3.IntegrityError("UNIQUE constraint failed"), sa.exc.IntegrityError),
        wrapped(sqlite3.ProgrammingError("closed"), sa.exc.ProgrammingError),
        wrapped(psycopg.errors.UniqueViolation("duplicate key"), sa.exc.IntegrityError),
        wrapped(psycopg.errors.SyntaxError("syntax"), sa.exc.ProgrammingError),
        wrapped(ValueError("odd")),
        sa.exc.InvalidRequestError("odd"),
    ],
)
def test_a_fault_of_the_program_is_not_explained_away(error: sa.exc.SQLAlchemyError) -> None:
    assert explain(error, "database /x.db") is None
