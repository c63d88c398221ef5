"""Connections: one moment for readers, all or nothing for writers, and errors that say what to change."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from digest.errors import ConfigError, StoreError, StoreVersionError
from digest.store import Database, tables

source = tables.source
NAMES = sa.select(source.c.name).order_by(source.c.name)


def add(database: Database, *names: str) -> None:
    """All of them in one transaction."""
    with database.write() as connection:
        for name in names:
            connection.execute(source.insert(), {"name": name})


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(NAMES).scalars())


def test_a_write_is_all_or_nothing(database: Database) -> None:
    def fail_half_way() -> None:
        with database.write() as connection:
            connection.execute(source.insert(), {"name": "lost"})
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        fail_half_way()
    assert names(database) == []
    add(database, "kept")
    assert names(database) == ["kept"]


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StoreError, match="read-only"), database.read() as connection:
        connection.execute(source.insert(), {"name": "x"})
    add(database, "the same connection writes again")
    assert len(names(database)) == 1


def test_a_reader_sees_one_moment(database: Database) -> None:
    with database.read() as connection:
        assert list(connection.execute(NAMES).scalars()) == []
        add(database, "later")
        assert list(connection.execute(NAMES).scalars()) == []
    assert names(database) == ["later"]


def test_a_broken_promise_is_named_and_undone(database: Database) -> None:
    add(database, "x")
    with pytest.raises(sa.exc.IntegrityError, match="name"):
        add(database, "y", "x")
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.execute(tables.story_name.insert(), {"source": 99, "external_id": "1", "story": 99})
    assert names(database) == ["x"]


def test_writers_in_many_threads_lose_nothing(database: Database) -> None:
    with database.write() as connection:
        connection.execute(tables.installation.update().values(generation=0))

    def count() -> None:
        for _ in range(20):
            with database.write() as connection:
                seen = connection.execute(
                    sa.select(tables.installation.c.generation).with_for_update()
                ).scalar_one()
                connection.execute(tables.installation.update().values(generation=seen + 1))

    threads = [threading.Thread(target=count) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert connection.execute(sa.select(tables.installation.c.generation)).scalar_one() == 100


def test_a_locked_database_says_so_and_works_again(database_url: str) -> None:
    holder, other = Database(database_url), Database(database_url, patience=0.1)
    with holder.write() as connection:
        if holder.file is None:
            connection.execute(sa.text("LOCK TABLE source"))
        with pytest.raises(StoreError, match="is locked by another program") as caught:
            add(other, "x")
    assert "Try again" in caught.value.hint
    add(other, "x")
    assert names(holder) == ["x"]
    holder.close()
    other.close()


def test_a_process_that_stands_still_in_a_transaction_does_not_keep_its_locks_for_ever(
    database: Database,
) -> None:
    if database.file is None:  # SQLite's locks end with the process, and a server's do not
        with database.write() as connection:
            found = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one()
        assert found == "1min"


def _add_in_child(database: Database, answer: multiprocessing.Queue[object]) -> None:
    try:
        add(database, "child")
        answer.put(names(database))
    except BaseException as error:  # noqa: BLE001 - handed to the parent, which fails
        answer.put(error)


def test_a_forked_process_opens_its_own_connections(database: Database) -> None:
    add(database, "parent")
    forked = multiprocessing.get_context("fork")
    answer: multiprocessing.Queue[object] = forked.Queue()
    child = forked.Process(target=_add_in_child, args=(database, answer))
    child.start()
    assert answer.get(timeout=20) == ["child", "parent"]
    child.join()
    assert names(database) == ["child", "parent"]
    add(database, "z")


def test_json_keeps_what_it_was_given(database: Database) -> None:
    value = {"ü": ["🎉", None, 1, 2.5, True], "a": {}}
    with database.write() as connection:
        connection.execute(
            tables.event.insert(),
            {
                "at": dt.datetime(2026, 11, 16, tzinfo=dt.UTC),
                "actor": "a",
                "action": "b",
                "subject": "",
                "detail": value,
            },
        )
    with database.read() as connection:
        assert connection.execute(sa.select(tables.event.c.detail)).scalar_one() == value


def test_an_undamaged_database_has_no_damage(database: Database) -> None:
    assert database.damage() == []


# What only one of the two can do


@pytest.fixture
def file(tmp_path: Path) -> Path:
    database = Database(f"sqlite:///{tmp_path / 'digest.db'}")
    database.create_or_upgrade()
    database.close()
    return tmp_path / "digest.db"


@pytest.fixture
def lite(file: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{file}")
    yield database
    database.close()


def test_sqlite_is_set_up_to_keep_what_it_was_given(lite: Database, file: Path) -> None:
    for connect in (lite.read, lite.write):
        with connect() as connection:
            pragmas = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert file.stat().st_mode & 0o077 == 0  # it holds people's addresses


def test_a_full_disk_is_said_and_nothing_is_half_written(lite: Database) -> None:
    with lite.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        connection.execute(source.insert(), {"name": "before"})
    with pytest.raises(StoreError, match="the disk is full") as caught:
        add(lite, "first", "x" * 5_000_000)
    assert "Free some space" in caught.value.hint
    assert names(lite) == ["before"]


def test_a_file_that_is_missing_is_not_made_by_reading(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'none.db'}")
    for action in (database.check, database.upgrade, lambda: names(database)):
        with pytest.raises(StoreVersionError) as caught:
            action()
        assert caught.value.hint == "Run: digest db upgrade"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'no' / 'digest.db'}")
    with pytest.raises(StoreError, match=f"folder {tmp_path / 'no'} does not exist") as caught:
        database.create_or_upgrade()
    assert "database.url" in caught.value.hint


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        Database(f"sqlite:///{tmp_path}").create_or_upgrade()


def test_something_else_in_the_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear reader, " * 100)
    database = Database(f"sqlite:///{file}")
    for action in (database.check, database.create_or_upgrade):
        with pytest.raises(StoreError, match="is not a digest database") as caught:
            action()
        assert "database.url" in caught.value.hint
    assert file.read_text() == "Dear reader, " * 100


def test_damage_is_found(lite: Database, file: Path) -> None:
    for n in range(200):
        add(lite, f"source {n} " + "x" * 200)
    lite.close()
    content = bytearray(file.read_bytes())
    with sqlite3.connect(file) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'source'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    content[(page - 1) * size + 100 : page * size] = b"\xff" * (size - 100)
    file.write_bytes(bytes(content))
    try:
        found = lite.damage()
    except StoreError as error:
        found = [str(error)]
    assert found


def test_rows_that_refer_to_nothing_are_found(lite: Database, file: Path) -> None:
    add(lite, "x")
    with sqlite3.connect(file) as connection:
        connection.execute("INSERT INTO story_name VALUES (1, 'a', 42)")
    connection.close()
    (orphan,) = lite.damage()
    assert "story_name" in orphan
    assert "refers to a missing story" in orphan


def test_a_path_with_odd_characters_is_one_file(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/50% &ü#.db")
    database.create_or_upgrade()
    database.check()
    database.close()
    assert (tmp_path / "50% &ü#.db").is_file()


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "digest.db", "", "sqlite://", "sqlite:///:memory:", "oracle:", "postgresql:"]
)
def test_a_url_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"database\.url") as caught:
        Database(url)
    assert "sqlite:///FILE" in str(caught.value)


def test_a_server_that_does_not_answer_is_named_without_the_password() -> None:
    database = Database("postgresql://ann:secret@127.0.0.1:1/news", patience=2)
    with pytest.raises(StoreError, match=r"database news at 127\.0\.0\.1:1 does not answer") as caught:
        database.check()
    assert "host and port" in caught.value.hint
    assert "secret" not in str(caught.value) + caught.value.hint


@pytest.mark.postgres
def test_a_missing_database_or_user_is_named(server: object) -> None:
    url = psycopg.conninfo.conninfo_to_dict(server.connection.info.dsn)  # type: ignore[attr-defined]
    where = f"{url['host']}:{url.get('port', 5432)}"
    with pytest.raises(StoreError, match=r"database digest_no_such at .* does not exist") as caught:
        Database(f"postgresql://{url['user']}@{where}/digest_no_such").check()
    assert "createdb" in caught.value.hint
    with pytest.raises(StoreError, match="refuses this user"):
        Database(f"postgresql://digest_nobody@{where}/digest_no_such").check()


@pytest.mark.postgres
def test_a_server_that_restarted_is_not_noticed(server: object, request: pytest.FixtureRequest) -> None:
    name = server.create(request.getfixturevalue("postgres_template"))  # type: ignore[attr-defined]
    database = Database(server.url(name))  # type: ignore[attr-defined]

    def cut_off() -> None:
        server.connection.execute(  # type: ignore[attr-defined]
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )

    def be_cut_off_half_way() -> None:
        with database.write() as connection:
            connection.execute(source.insert(), {"name": "x"})
            cut_off()
            connection.execute(source.insert(), {"name": "y"})

    assert names(database) == []
    cut_off()
    assert names(database) == []
    with pytest.raises(StoreError):
        be_cut_off_half_way()
    assert names(database) == []
    database.close()
    server.drop(name)  # type: ignore[attr-defined]
