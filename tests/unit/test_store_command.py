"""`digest db`: what it says and how it ends."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from digest.cli import command
from digest.store import Database


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text('[database]\nurl = "sqlite:///digest.db"\n')
    return file


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(command, ["--config", str(config), "db", *words])


def test_a_database_is_made_and_made_only_once(config: Path) -> None:
    first = run(config, "upgrade", "--json")
    assert first.exit_code == 0
    made = json.loads(first.stdout)
    assert made["before"] is None
    again = run(config, "upgrade", "--json")
    assert json.loads(again.stdout)["before"] == made["after"]
    assert "is up to date" in run(config, "upgrade").stderr


def test_what_upgrade_did_is_said(config: Path) -> None:
    done = run(config, "upgrade")
    assert done.exit_code == 0
    assert "is now at schema" in done.stderr
    assert done.stdout == ""


def test_a_database_that_is_fine_is_said_to_be(config: Path) -> None:
    run(config, "upgrade")
    assert "is fine" in run(config, "check").stderr
    answer = json.loads(run(config, "check", "--json").stdout)
    assert answer["ok"] is True
    assert answer["schema"] == answer["newest"]


def test_a_missing_database_says_what_to_run(config: Path) -> None:
    done = run(config, "check")
    assert done.exit_code == 2
    assert "digest db upgrade" in done.stderr
    answer = json.loads(run(config, "check", "--json").stdout)
    assert (answer["ok"], answer["schema"], answer["hint"]) == (False, None, "Run: digest db upgrade")


def test_a_newer_database_says_to_update_the_program(config: Path) -> None:
    run(config, "upgrade")
    database = Database(f"sqlite:///{config.parent / 'digest.db'}")
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    for words in (("check",), ("upgrade",), ("upgrade", "--json")):
        done = run(config, *words)
        assert done.exit_code == 2
        assert "Update the program" in done.stderr


def test_damage_is_said_with_what_to_do(config: Path) -> None:
    run(config, "upgrade")
    with sqlite3.connect(config.parent / "digest.db") as connection:
        connection.execute("INSERT INTO story_name VALUES (1, 'a', 42)")
    connection.close()
    done = run(config, "check", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["damage"]
    assert "restore the last backup" in done.stderr
