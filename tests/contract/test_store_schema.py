"""Upgrading from nothing gives exactly the tables of digest/store/tables.py, on both databases."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from digest.errors import StoreError, StoreVersionError
from digest.model import StoryDraft
from digest.store import Database, tables, versions
from digest.store.ledger import SqlLedger
from digest.store.migrations.__main__ import draft
from digest.store.stories import Stories

VERSION_TABLE = "alembic_version"
KNOWN = versions.known()
LAST = KNOWN[-1]
NEXT = f"{int(LAST) + 1:04d}"


def shape(connection: sa.Connection) -> dict[str, Any]:
    """Everything that the database itself knows of its tables, in a form that can be compared."""
    inspector = sa.inspect(connection)
    found: dict[str, Any] = {}
    for table in inspector.get_table_names():
        if table == VERSION_TABLE:
            continue
        found[table] = {
            "columns": sorted(
                (c["name"], str(c["type"]), c["nullable"], c["default"]) for c in inspector.get_columns(table)
            ),
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "foreign": sorted(
                (
                    f["name"],
                    f["constrained_columns"],
                    f["referred_table"],
                    f["referred_columns"],
                    f["options"],
                )
                for f in inspector.get_foreign_keys(table)
            ),
            "unique": sorted((u["name"], u["column_names"]) for u in inspector.get_unique_constraints(table)),
            "checks": sorted(
                (str(c["name"]), re.sub(r"\s+", " ", c["sqltext"]))
                for c in inspector.get_check_constraints(table)
            ),
            "indexes": sorted(
                (
                    str(i["name"]),
                    i["column_names"],
                    i["unique"],
                    {k: str(v) for k, v in i.get("dialect_options", {}).items() if k.endswith("_where")},
                )
                for i in inspector.get_indexes(table)
            ),
        }
    if connection.dialect.name == "sqlite":
        made = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        for name, sql in made:
            if name in found:
                found[name]["options"] = ("WITHOUT ROWID" in sql, "AUTOINCREMENT" in sql)
    return found


def test_upgrade_from_nothing_gives_the_tables_of_the_program(empty_url: str) -> None:
    migrated = Database(empty_url)
    migrated.create_or_upgrade()
    with migrated.read() as connection:
        upgraded = shape(connection)
        differences = compare_metadata(MigrationContext.configure(connection), tables.metadata)
    with migrated.write() as connection:
        tables.metadata.drop_all(connection)
        tables.metadata.create_all(connection)
        made = shape(connection)
    migrated.close()
    assert differences == []
    assert upgraded == made
    # What a comparison of two empty lists would not show.
    assert set(made) == set(tables.metadata.tables)
    checks = {name for table in made.values() for name, _ in table["checks"]}
    assert {"ck_edition_state", "ck_delivery_state", "ck_edition_window", "ck_installation_one"} <= checks
    (period,) = [i for i in made["edition"]["indexes"] if i[0] == "uq_edition_period"]
    assert period[1] == ["newsletter", "start_date"]
    assert period[2]
    assert "cancelled" in str(period[3])


def test_upgrade_twice_changes_nothing(empty_url: str) -> None:
    database = Database(empty_url)
    latest = versions.known()[-1]
    assert database.create_or_upgrade() == (None, latest)
    with database.read() as connection:
        first = connection.execute(sa.select(tables.installation)).one()
    assert database.upgrade() == (latest, latest)
    database.check()
    with database.read() as connection:
        assert connection.execute(sa.select(tables.installation)).one() == first
    database.close()


def test_two_upgrades_at_once_do_it_once(empty_url: str) -> None:
    barrier = threading.Barrier(3)
    failures: list[BaseException] = []

    def run() -> None:
        database = Database(empty_url)
        barrier.wait()
        try:
            database.create_or_upgrade()
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    database = Database(empty_url)
    database.check()
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.installation)).scalar() == 1
    database.close()


def test_a_database_that_was_never_set_up_is_refused_with_what_to_run(empty_url: str) -> None:
    database = Database(empty_url)
    with pytest.raises(StoreVersionError, match="not set up yet") as caught:
        database.check()
    assert "digest db upgrade" in caught.value.hint
    assert caught.value.exit_code == 2
    database.close()


def test_reading_a_database_that_was_never_set_up_says_what_to_run(empty_url: str) -> None:
    database = Database(empty_url)
    with pytest.raises(StoreVersionError) as caught, database.read() as connection:
        connection.execute(sa.select(tables.story.c.id))
    assert "digest db upgrade" in caught.value.hint
    database.close()


def test_a_newer_database_is_refused_and_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for action in (database.check, database.upgrade, database.create_or_upgrade):
        with pytest.raises(StoreVersionError, match="newer version") as caught:
            action()
        assert "Update the program" in caught.value.hint
    assert database.version() == "9999"


def test_an_older_database_is_refused_with_what_to_run(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "known", lambda: (*KNOWN, NEXT))
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(StoreVersionError, match=rf"schema 0001.*needs {NEXT}") as caught:
        database.check()
    assert "digest db upgrade" in caught.value.hint


def test_tables_of_another_program_are_not_touched(empty_url: str) -> None:
    database = Database(empty_url)
    if database.file is not None:
        database.file.touch()
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE story (plot TEXT)")
    with pytest.raises(StoreError, match="another program"):
        database.upgrade()
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["story"]
    database.close()


def test_an_upgrade_that_fails_changes_nothing(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(empty_url)
    if database.file is not None:
        database.file.touch()
    run = versions._run_alembic

    def run_and_fail(connection: sa.Connection) -> None:
        run(connection)
        raise RuntimeError("power lost")

    monkeypatch.setattr(versions, "_run_alembic", run_and_fail)
    with pytest.raises(RuntimeError, match="power lost"):
        database.upgrade()
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == []
    database.close()


# Later versions of the schema

ADD_A_SUMMARY = f"""
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{NEXT}", "{LAST}", None, None


def upgrade() -> None:
    with op.batch_alter_table("story") as batch:  # on SQLite the constraint makes it rebuild the table
        batch.add_column(sa.Column("summary", sa.Text(), nullable=False, server_default=""))
        batch.create_check_constraint("summary", "length(summary) < 500")
"""


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The history, with one more migration that rebuilds a table which others refer to."""
    folder = tmp_path / "migrations"
    shutil.copytree(versions.MIGRATIONS, folder)
    file = folder / "versions" / f"{NEXT}_add_a_summary.py"
    file.write_text(ADD_A_SUMMARY)
    monkeypatch.setattr(versions, "MIGRATIONS", folder)
    monkeypatch.setattr(versions, "known", lambda: (*KNOWN, NEXT))
    return file


def test_a_table_is_rebuilt_without_losing_what_refers_to_it(database: Database, next_version: Path) -> None:
    drafts = [StoryDraft(f"{n}", f"https://news.example/{n}", f"Story {n}") for n in range(3)]
    Stories(database).import_drafts("news", drafts, seen=dt.datetime(2026, 11, 16, tzinfo=dt.UTC))
    assert database.upgrade() == (LAST, NEXT)
    assert [story.external_id for story in Stories(database).list_()] == ["2", "1", "0"]
    assert Stories(database).resolve("news:1").id == 2
    with database.write() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM story WHERE summary = ''").scalar() == 3
        connection.execute(tables.story.delete().where(tables.story.c.id == 1))  # foreign keys are on again
        left = connection.execute(sa.select(sa.func.count()).select_from(tables.story_name)).scalar()
    assert left == 2
    assert database.damage() == []


def test_an_upgrade_that_leaves_rows_without_their_story_is_undone(
    database: Database, next_version: Path
) -> None:
    drafts = [StoryDraft("1", "https://news.example/1", "Story 1")]
    Stories(database).import_drafts("news", drafts, seen=dt.datetime(2026, 11, 16, tzinfo=dt.UTC))
    next_version.write_text(ADD_A_SUMMARY + '    op.execute("DELETE FROM source")\n')
    with pytest.raises((StoreError, sa.exc.IntegrityError)):
        database.upgrade()
    assert database.version() == LAST
    assert Stories(database).resolve("news:1").title == "Story 1"


def test_the_history_is_one_line_and_file_names_tell_it() -> None:
    config = Config()
    config.set_main_option("script_location", str(versions.MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [versions.known()[-1]]
    line = [revision.revision for revision in script.walk_revisions()]
    assert line[::-1] == list(versions.known())


def test_a_draft_of_the_next_migration_finds_nothing_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(versions.MIGRATIONS, folder)
    monkeypatch.setattr(versions, "MIGRATIONS", folder)
    file = draft("add a summary")
    assert file.parent == folder / "versions"
    assert file.name == f"{int(versions.known()[-1]) + 1:04d}_add_a_summary.py"
    content = file.read_text()
    compile(content, str(file), "exec")
    assert content.startswith('"""add a summary."""')
    assert "op." not in content


LEAVING = """
INSERT INTO installation (one, id, created) VALUES (1, 'x', 0);
INSERT INTO newsletter (slug, since) VALUES ('weekly', 0), ('daily', 0);
INSERT INTO edition (id, newsletter, number, start_date, window_start, window_end, build_at, lock_at, send_at,
 state, created) VALUES (1, 'weekly', 1, '2026-11-16', 0, 1, 1, 1, 1, 'sending', 0);
INSERT INTO subscriber (id, address, domain, address_key, key_version, created) VALUES
 (1, 'a@x.test', 'x.test', 'ka', 1, 0), (2, 'b@x.test', 'x.test', 'kb', 1, 0),
 (3, 'A@x.test', 'x.test', 'ka', 1, 0);
INSERT INTO subscription (id, subscriber, newsletter, state, changed) VALUES
 (11, 1, 'weekly', 'confirmed', 0), (12, 2, 'weekly', 'confirmed', 0), (13, 3, 'weekly', 'confirmed', 0);
INSERT INTO delivery (id, edition, subscription, address, address_key, domain, variant, state) VALUES
 (7, 1, 11, 'a@x.test', 'ka', 'x.test', 'default', 'accepted'),
 (8, 1, 12, 'b@x.test', 'kb', 'x.test', 'default', 'queued'),
 (9, 1, 13, 'A@x.test', NULL, 'x.test', 'default', 'skipped');
INSERT INTO bounce (delivery, edition, address_key, kind, at, digest) VALUES (7, 1, 'ka', 'hard', 0, 'd')
"""


def test_an_edition_that_was_leaving_before_the_counts_goes_on_with_them(empty_url: str) -> None:
    """0002: counts, piles and mailboxes are made from the rows that are there. 0003: no server is known."""
    before = Database(empty_url)
    if before.file is not None:
        before.file.touch()
    with before.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(versions.MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in LEAVING.strip().split(";\n"):
            connection.exec_driver_sql(statement)
    assert before.upgrade() == ("0001", LAST)
    ledger = SqlLedger(before)
    found = {state.value: rows for state, rows in ledger.counts(1).items() if rows}
    assert found == {"queued": 1, "accepted": 1, "skipped": 1}
    with before.write() as connection:
        rows = connection.exec_driver_sql("SELECT id, mailbox, pile, server FROM delivery ORDER BY id").all()
        connection.exec_driver_sql("UPDATE bounce SET kind = 'soft'")
    assert [tuple(row) for row in rows] == [(7, 1, None, ""), (8, 2, "queued", ""), (9, None, "skipped", "")]
    assert before.damage() == []
    before.close()
