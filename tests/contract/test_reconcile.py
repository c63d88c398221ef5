"""The schedule on both databases: killed between any two transactions, and in several processes at once."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest.app import App
from digest.model import EditionState
from digest.sample import READERS, Sample
from digest.store import Database, tables
from digest.work.reconcile import reconcile
from tests.fakes import FixedClock
from tests.newsroom import WEEK_END, newsroom

HOUR = dt.timedelta(hours=1)
BUILD = WEEK_END + 6 * HOUR
LOCK = WEEK_END + 32 * HOUR
SEND = WEEK_END + 33 * HOUR


class Killed(BaseException):
    """The process ended here."""


class Dying(Database):
    """Ends at the n-th transaction that it is asked to write: before it, or right behind its commit."""

    def __init__(self, url: str, when: int, *, behind: bool) -> None:
        super().__init__(url, synchronous="off")
        self.when, self.behind, self.count = when, behind, 0

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        self.count += 1
        if self.count == self.when and not self.behind:
            raise Killed
        with super().write() as connection:
            yield connection
        if self.count == self.when:
            raise Killed


@pytest.fixture
def news(tmp_path: Path, database_url: str) -> Iterator[tuple[App, FixedClock]]:
    app, clock = newsroom(tmp_path, environ={"DIGEST_DATABASE__URL": database_url})
    yield app, clock
    app.database.close()


def round_of(app: App, clock: FixedClock, slug: str, database: Database) -> list[str]:
    """What a process with this newsletter alone, newly started, would send at this moment."""
    process = App(app.settings.model_copy(update={"newsletter": {slug: app.newsletter("weekly")}}), clock)
    process.__dict__["database"] = database
    return [edition.name for edition in reconcile(process).to_send]


def test_killed_between_any_two_transactions_the_week_still_goes_out_once(
    news: tuple[App, FixedClock], database_url: str
) -> None:
    app, clock = news
    deaths, died = 0, True
    for when in range(1, 40):
        for behind in (False, True):
            slug = f"n{when}{'b' if behind else 'a'}"
            clock.set(WEEK_END - HOUR)
            round_of(app, clock, slug, app.database)
            dying = Dying(database_url, when, behind=behind)
            died, leaving = False, list[str]()
            for moment in (BUILD, BUILD + HOUR, LOCK, LOCK + HOUR / 2, SEND, SEND + HOUR):
                clock.set(moment)
                try:
                    leaving = round_of(app, clock, slug, app.database if died else dying)
                except Killed:
                    died, leaving = True, []
            dying.close()
            deaths += died
            assert leaving == [f"{slug}/2026-11-09"], (when, behind)
            (edition,) = app.editions.list_(slug)
            assert edition.state is EditionState.approved
            assert edition.approved_hash == edition.hash
        if not died:
            break
    assert not died, "there are more transactions than were tried"
    assert deaths >= 6
    # All newsletters but the last are strangers to the process with that one.
    assert {alert.key.partition(" ")[0] for alert in app.installation.open_alerts()} == {"unconfigured"}


def test_a_process_killed_as_it_took_its_turn_to_look_again_keeps_nobody_from_it(
    news: tuple[App, FixedClock], database_url: str
) -> None:
    """The turn is a lease of nobody: it runs out by itself."""
    app, clock = news
    clock.set(WEEK_END - HOUR)
    round_of(app, clock, "weekly", app.database)
    with app.database.write() as connection:
        connection.execute(sa.delete(tables.observation))
    clock.set(BUILD)
    round_of(app, clock, "weekly", app.database)
    assert app.editions.get("weekly").held
    dying = Dying(database_url, 1, behind=True)  # the turn is taken, and that is all
    with pytest.raises(Killed):
        round_of(app, clock, "weekly", dying)
    dying.close()
    app.signals.record(READERS, "sample", Sample(WEEK_END).readings())
    round_of(app, clock, "weekly", app.database)
    assert app.editions.get("weekly").held
    clock.set(BUILD + HOUR)
    round_of(app, clock, "weekly", app.database)
    assert not app.editions.get("weekly").held


PROCESS = """
import datetime as dt, sys
from pathlib import Path
from digest.app import App
from digest.config import load
from digest.work.reconcile import reconcile
from tests.fakes import FixedClock

config, url, *moments = sys.argv[1:]
clock = FixedClock(dt.datetime.fromisoformat(moments[0]))
app = App(load(Path(config), {"DIGEST_DATABASE__URL": url}), clock)
app.database
print("ready", flush=True)
sys.stdin.readline()
for moment in moments:
    clock.set(dt.datetime.fromisoformat(moment))
    for line in reconcile(app).done:
        print(line, flush=True)
app.database.close()
"""


def test_several_processes_at_once_do_each_step_once(
    news: tuple[App, FixedClock], database_url: str, tmp_path: Path
) -> None:
    app, clock = news
    clock.set(WEEK_END - HOUR)
    reconcile(app)
    moments = [moment.isoformat() for moment in (BUILD, BUILD, LOCK, LOCK, SEND)]
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "news" / "config.toml"), database_url, *moments]
    root = Path(__file__).resolve().parents[2]
    processes = [
        subprocess.Popen(command, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    done = []
    for process in processes:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        done += out.splitlines()
    assert sorted(done) == [
        "weekly/2026-11-09: approved by the schedule",
        "weekly/2026-11-09: built",
        "weekly/2026-11-09: editors told",
    ]
    (edition,) = app.editions.list_("weekly")
    assert edition.state is EditionState.approved
    assert app.installation.open_alerts() == []
