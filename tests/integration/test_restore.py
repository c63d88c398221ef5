"""A backup that is restored, from whatever moment of a send, sends nothing by itself."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from digest.app import App
from digest.errors import NothingToDo
from digest.model import EditionState
from digest.work import build
from digest.work.send import send
from tests.newsroom import WEEK_END, newsroom
from tests.smtp_server import Fault, SmtpServer

PEOPLE = 6


def back_up(store: Path, to: Path) -> None:
    with sqlite3.connect(store) as source, sqlite3.connect(to) as target:
        source.backup(target)


def restore(app: App, backup: Path) -> App:
    """Puts the backup in the place of the store; the installation as it is after the next start."""
    store = app.database.file
    assert store is not None
    app.database.close()
    for end in ("-wal", "-shm"):
        store.with_name(store.name + end).unlink(missing_ok=True)
    backup.replace(store)
    return App(app.settings, app.clock)


def approved(folder: Path, server: SmtpServer) -> tuple[App, Path]:
    environ = {"DIGEST_SMTP__PORT": str(server.port), "DIGEST_SMTP__CONNECTIONS": "1"}
    app, _ = newsroom(folder, people=PEOPLE, environ=environ)
    made = build.build(app, "weekly", build.period_at(app, "weekly", WEEK_END), by="test")
    build.approve(app, made, by="test")
    return app, folder / "news" / "digest.db"


@pytest.mark.parametrize("copy", [1, 3, PEOPLE])
def test_a_backup_from_the_middle_of_a_send_sends_nothing(tmp_path: Path, copy: int) -> None:
    with SmtpServer() as server:
        app, store = approved(tmp_path, server)
        taken: list[int] = []

        def count() -> None:
            taken.append(1)
            if len(taken) == copy:
                back_up(store, tmp_path / "backup")

        server.faults.append(Fault("dot", hook=count, times=-1, taken=True))
        send(app, app.editions.get("weekly"))
        assert len(server.received) == PEOPLE
        again = restore(app, tmp_path / "backup")
        assert again.editions.get("weekly").state is EditionState.sending
        with pytest.raises(NothingToDo, match="went back in time"):
            send(again, again.editions.get("weekly"), resume=True)
        assert len(server.received) == PEOPLE


def test_a_backup_from_before_a_send_that_failed_half_way_sends_nothing(tmp_path: Path) -> None:
    with SmtpServer(Fault("mail", reply=b"550 5.7.1 sender not allowed", times=-1)) as server:
        app, store = approved(tmp_path, server)
        back_up(store, tmp_path / "backup")
        with pytest.raises(Exception, match="sender not allowed"):
            send(app, app.editions.get("weekly"))
        with pytest.raises(NothingToDo, match="went back in time"):
            send(again := restore(app, tmp_path / "backup"), again.editions.get("weekly"))


def test_a_backup_from_after_a_send_is_trusted(tmp_path: Path) -> None:
    with SmtpServer() as server:
        app, store = approved(tmp_path, server)
        send(app, app.editions.get("weekly"))
        back_up(store, tmp_path / "backup")
        restore(app, tmp_path / "backup").generation.check()
