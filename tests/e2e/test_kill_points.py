"""SIGKILL at every commit of a send, one after the other, by design and not by chance.

The promise: whatever the moment, going on sends to everyone who is left, nobody has two copies, and those of
whom nobody can know are listed as uncertain: no more of them than could be in flight.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from digest.app import App
from digest.config import load
from digest.model import DeliveryState, EditionState
from digest.store import Database
from digest.store.tables import delivery, edition
from digest.work import build
from tests.newsroom import WEEK_END, newsroom
from tests.smtp_server import SmtpServer

PEOPLE = 5
CONNECTIONS = 2
DEPTH = 2
POSTGRES = os.environ.get("DIGEST_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


class Press:
    """The program that sends and kills itself."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.kill_points"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[2],
            text=True,
        )

    def run(self, environ: dict[str, str], at: int = 0) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"environ": environ, "at": at}) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def press() -> Iterator[Press]:
    press = Press()
    yield press
    for stream in (press.process.stdin, press.process.stdout):
        assert stream is not None
        stream.close()
    press.process.wait(10)


def approved(folder: Path, environ: dict[str, str]) -> None:
    app, _ = newsroom(folder, now=WEEK_END, people=PEOPLE, environ=environ)
    made = build.build(app, "weekly", build.period_at(app, "weekly", WEEK_END), by="test")
    build.approve(app, made, by="test")
    app.database.close()


def check(environ: dict[str, str], taken: list[str], at: int) -> int:
    """What has to be true when all is over; the number of copies in doubt."""
    app = App(load(Path(environ["DIGEST_CONFIG"]), environ))
    with app.database.read() as connection:
        rows = connection.execute(sa.select(delivery.c.address, delivery.c.state)).all()
        state = connection.execute(sa.select(edition.c.state)).scalar_one()
    app.database.close()
    states = {row.address: row.state for row in rows}
    uncertain = {address for address, found in states.items() if found == DeliveryState.uncertain}
    accepted = {address for address, found in states.items() if found == DeliveryState.accepted}
    assert state == EditionState.finished, at
    assert len(states) == PEOPLE, at
    assert len(taken) == len(set(taken)), f"doubled at {at}"
    assert accepted <= set(taken) <= accepted | uncertain, at
    assert accepted | uncertain == set(states), at
    assert len(uncertain) <= CONNECTIONS * DEPTH, at
    return len(uncertain)


def kill_everywhere(
    press: Press, folder: Path, environ: dict[str, str], *, renew: str = "", every: int = 1
) -> tuple[int, int]:
    """Kills at each point in turn until a send gets through; how many, and how often one was in doubt."""
    template, place = folder / "news", folder / "again"
    in_doubt = 0
    for at in range(1, 400, every):
        shutil.copytree(template, place)
        if renew:
            again(environ["DIGEST_DATABASE__URL"], renew)
        with SmtpServer() as server:
            these = environ | {
                "DIGEST_CONFIG": str(place / "config.toml"),
                "DIGEST_SMTP__PORT": str(server.port),
                "DIGEST_SMTP__CONNECTIONS": str(CONNECTIONS),
                "DIGEST_SMTP__DEPTH": str(DEPTH),
            }
            code = press.run(these, at)
            if code == 0:
                return at - 1, in_doubt
            assert code == -signal.SIGKILL
            assert press.run(these) in (0, 3)  # 3: killed when all was done
            in_doubt += check(these, server.addresses, at) > 0
        shutil.rmtree(place)
    raise AssertionError("the send never got through")


def again(url: str, template: str) -> None:
    name = url.rpartition("/")[2]
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        if template:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def test_a_kill_at_any_commit_on_sqlite(tmp_path: Path, press: Press) -> None:
    approved(tmp_path, {})
    points, in_doubt = kill_everywhere(press, tmp_path, {})
    assert points > 20
    assert in_doubt > 0


@pytest.mark.postgres
def test_a_kill_at_every_third_commit_on_postgresql(tmp_path: Path, press: Press) -> None:
    """Every third point: a new database takes its time, and before and behind a commit still take turns."""
    base, name = POSTGRES.rpartition("/")[0], f"digest_kill_{os.getpid()}"
    template, used = f"{name}_template", f"{base}/{name}"
    try:
        again(f"{base}/{template}", "template1")
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL server: {str(error).splitlines()[0]}")
    try:
        database = Database(f"{base}/{template}")
        database.upgrade()
        database.close()
        approved(tmp_path, {"DIGEST_DATABASE__URL": f"{base}/{template}"})
        environ = {"DIGEST_DATABASE__URL": used}
        points, in_doubt = kill_everywhere(press, tmp_path, environ, renew=template, every=3)
        assert points > 20
        assert in_doubt > 0
    finally:
        for each in (name, template):
            again(f"{base}/{each}", "")
