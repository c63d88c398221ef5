"""A fresh database for every test of a store, once on SQLite and once on PostgreSQL.

Each worker migrates one database of each kind; tests get copies of it. PostgreSQL is looked for at
DIGEST_TEST_POSTGRES (a URL of a server where databases may be created); without one these tests are skipped,
visibly.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from digest.store import Database

SERVER = os.environ.get("DIGEST_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
BOTH = [pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres)]

_number = itertools.count(1)


class Server:
    """A PostgreSQL server on which this worker makes and drops databases of its own."""

    def __init__(self) -> None:
        self.connection = psycopg.connect(SERVER, autocommit=True, connect_timeout=3)
        # Nobody reads these databases after a crash: a commit need not wait for the disk.
        self.connection.execute("SET synchronous_commit = off")
        self.made: list[str] = []

    def create(self, template: str = "template1") -> str:
        name = f"digest_test_{os.getpid()}_{next(_number)}"
        self.connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        self.made.append(name)
        return name

    def drop(self, name: str) -> None:
        self.connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self.made.remove(name)

    def url(self, name: str) -> str:
        return SERVER.rpartition("/")[0] + "/" + name

    def close(self) -> None:
        for name in list(self.made):
            self.drop(name)
        self.connection.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    try:
        server = Server()
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL server: {str(error).splitlines()[0]}")
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "digest.db"
    database = Database(f"sqlite:///{file}")
    database.create_or_upgrade()
    database.close()
    return file


@pytest.fixture(scope="session")
def postgres_template(server: Server) -> str:
    name = server.create()
    database = Database(server.url(name))
    database.create_or_upgrade()
    database.close()
    return name


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database that no other test has seen."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        shutil.copyfile(template, tmp_path / "digest.db")
        yield f"sqlite:///{tmp_path / 'digest.db'}"
        return
    server = request.getfixturevalue("server")
    name = server.create(request.getfixturevalue("postgres_template"))
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database that no other test has seen."""
    database = Database(database_url, synchronous="off")
    yield database
    database.close()


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database in which nothing was set up (on SQLite: not even the file)."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server = request.getfixturevalue("server")
    name = server.create()
    yield server.url(name)
    server.drop(name)
