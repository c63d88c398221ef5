"""Access logs as a newsroom has them: they grow, are rotated and packed, and are read again and again."""

from __future__ import annotations

import datetime as dt
import gzip
import html
import itertools
import json
import os
import random
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from digest.app import App
from digest.cli import signals
from digest.config.settings import Newsletter, Settings, Signal
from digest.errors import DigestError, UsageError
from digest.importers.logs.entry import Entry
from digest.importers.logs.requests import OURS
from digest.model import StoryDraft
from digest.render.view import marked
from digest.store import Database
from digest.store.logs import KEEP
from digest.tokens import KeyRing
from digest.work.measure import measure
from digest.work.worker import Worker
from tests import sample_edition
from tests.access_logs import CHROME, FIREFOX, W3C_HEAD, combined, entry, log
from tests.fakes import FixedClock

DAY = dt.timedelta(days=1)
MIDNIGHT = int(dt.datetime(2026, 11, 16, tzinfo=dt.UTC).timestamp())
Run = Callable[..., Any]


@pytest.fixture
def app(tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    made = App(
        Settings(
            root=tmp_path,
            signals=(Signal(name="web", path="logs/access.log*"),),
            newsletter={"weekly": Newsletter(name="Weekly", sender="weekly@a.example", zone="Europe/Paris")},
        ),
        clock,
    )
    KeyRing.generate().save(made.settings.path("digest.keys"))
    Database(made.settings.database_url()).create_or_upgrade()
    add_stories(made, *(f"https://a.example/news/{name}" for name in ("one", "two", "three")))
    return made


@pytest.fixture
def run(app: App) -> Run:
    def invoke(*args: str, **options: Any) -> Any:
        result = CliRunner().invoke(signals.command, [*args, "--json"], obj=app, **options)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return json.loads(result.stdout)

    return invoke


def add_stories(app: App, *urls: str) -> None:
    now = app.clock.now()
    app.stories.import_drafts("paper", [StoryDraft(url, url, url, published=now) for url in urls], seen=now)


def figures(app: App, name: str = "one") -> dict[str, float]:
    """Moment -> readers of a story."""
    story = app.stories.resolve(f"https://a.example/news/{name}")
    series = app.stories.signals(story.id, until=app.clock.now() + 1000 * DAY).get("readers")
    if series is None:
        return {}
    moments = (dt.datetime.fromtimestamp(at, dt.UTC).isoformat()[:16] for at in series.at)
    return dict(zip(moments, series.values, strict=True))


def readers(app: App) -> dict[str, float]:
    """Story -> reader-days."""
    return {name: sum(figures(app, name).values()) for name in ("one", "two", "three")}


def people(count: int, target: str = "/news/one", *, at: int = MIDNIGHT + 3600) -> list[Entry]:
    return [entry(target, address=f"203.0.113.{n}", at=at + n) for n in range(count)]


def write(path: str, *requests: Entry, **how: Any) -> Path:
    file = Path(path)
    file.write_text(log(*requests, **how), encoding="utf-8")
    return file


# --- once is once -----------------------------------------------------------------------------------


def test_a_log_is_told_from_a_table_and_read_once(run: Run, app: App) -> None:
    write("some.log", *people(3), *people(2, "/news/two"), entry("/"), entry("/nothing", status=404))
    first = run("import", "some.log")
    assert (first["source"], first["metric"], first["lines"], first["visits"]) == ("log", "readers", 7, 6)
    assert (first["new"], first["left_out"]) == (2, {"not answered with 200 or 304": 1})
    assert first["unknown"] == [{"url": "https://a.example/", "readers": 1}]
    assert readers(app) == {"one": 3, "two": 2, "three": 0}
    again = run("import", "some.log")
    assert (again["logs"], again["unchanged"], again["lines"], again["new"]) == (0, 1, 0, 0)
    assert readers(app) == {"one": 3, "two": 2, "three": 0}


def test_a_name_of_no_file_is_said_to_be_that(run: Run) -> None:
    for name in ("nosuch.log", "nosuch*.log"):
        with pytest.raises(UsageError, match=f"there is no file {re.escape(name)}"):
            run("import", name)


def test_the_days_are_those_of_the_site(run: Run, app: App) -> None:
    late, early = MIDNIGHT - 3600 - 60, MIDNIGHT - 3600  # 23:59 and 00:00 in Paris
    write("some.log", entry("/news/one", at=late), entry("/news/one", at=early))
    run("import", "some.log")
    assert figures(app) == {"2026-11-14T23:00": 1, "2026-11-15T23:00": 1}
    metric = app.stories.signals(app.stories.resolve("https://a.example/news/one").id, until=app.clock.now())
    assert metric["readers"].metric.distinct
    assert metric["readers"].metric.bucket == DAY


def test_a_log_that_grew_is_read_on(run: Run, app: App) -> None:
    file = write("some.log", *people(3))
    run("import", "some.log")
    with file.open("a") as more:
        more.write(log(*people(5)))
    assert run("import", "some.log")["lines"] == 5
    assert readers(app)["one"] == 5, "three of them were known"


def test_a_line_that_was_being_written_is_read_when_it_is_whole(run: Run, app: App) -> None:
    whole = log(*people(2))
    file = Path("some.log")
    for cut in (len(whole) - 30, len(whole) - 1, len(whole)):
        file.write_text(whole[:cut])
        os.utime(file, ns=(cut, cut))
        assert run("import", "some.log")["rejected"] == 0
    assert readers(app)["one"] == 2


def test_rotation_packing_and_pieces_out_of_order_change_nothing(app: App) -> None:
    requests = [
        entry(
            f"/news/{page}",
            address=f"203.0.113.{n % 7}",
            agent=(FIREFOX, CHROME)[n % 2],
            at=MIDNIGHT - 86_400 + 700 * n,
        )
        for n, page in enumerate(itertools.islice(itertools.cycle(("one", "two", "three")), 180))
    ]
    random.Random(4).shuffle(requests)
    lines = log(*requests).splitlines(keepends=True)
    current = Path("logs/access.log")

    def look() -> None:
        (found,) = measure(app, app.settings.signals, force=True)
        assert (found.error, found.read and found.read.rejected) == ("", 0)

    current.write_text("".join(lines[:60]))
    look()
    with current.open("a") as more:  # grown, and rotated before the next look
        more.write("".join(lines[60:100]))
    current.rename("logs/access.log.1")
    current.write_text("".join(lines[100:140]))
    look()
    packed = Path("logs/access.log.2.gz")  # packed under another name, and another rotation
    packed.write_bytes(gzip.compress(Path("logs/access.log.1").read_bytes()))
    current.rename("logs/access.log.1")
    current.write_text("".join(lines[140:]))
    look()
    look()
    expected = {
        name: len(
            {((r.at + 3600) // 86_400, r.address, r.agent) for r in requests if r.target == f"/news/{name}"}
        )
        for name in ("one", "two", "three")
    }
    assert readers(app) == expected
    Path("all.log").write_text("".join(reversed(lines)))  # everything once more, cut in another way
    assert (
        CliRunner().invoke(signals.command, ["import", "all.log", "--source", "web"], obj=app).exit_code == 0
    )
    assert readers(app) == expected


def test_a_crash_between_two_steps_neither_loses_nor_doubles(
    run: Run, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("some.log", *people(4), *people(3, at=MIDNIGHT - 2 * 86_400))
    for step in ("note", "pending", "recorded"):
        with monkeypatch.context() as patch:
            patch.setattr(app.logs, step, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises((KeyboardInterrupt, AssertionError, json.JSONDecodeError)):
                run("import", "some.log")
    run("import", "some.log")
    assert sorted(figures(app).values()) == [3, 4]


def test_the_same_log_under_two_sources_would_count_twice_and_is_refused(run: Run) -> None:
    file = write("some.log", *people(3))
    run("import", "some.log", "--source", "one-name")
    os.utime(file, ns=(5, 5))
    with pytest.raises(DigestError, match="'one-name'"):
        run("import", "some.log", "--source", "another")


def test_several_logs_a_pattern_and_standard_input(run: Run, app: App) -> None:
    write("a.log", *people(2))
    write("b.log", *people(3, "/news/two"), kind="json")
    assert run("import", "[ab].log")["logs"] == 2
    packed = gzip.compress(log(*people(4, "/news/three"), kind="w3c").encode())
    assert run("import", "-", input=packed)["visits"] == 4
    assert run("import", "-", input=packed)["new"] == 0
    assert readers(app) == {"one": 2, "two": 3, "three": 4}
    with pytest.raises(DigestError, match="no such file"):
        run("import", "nothing.log", "--format", "combined")


# --- days close -------------------------------------------------------------------------------------


def test_late_lines_of_a_closed_day_are_reported_and_not_counted(
    run: Run, app: App, clock: FixedClock
) -> None:
    file = write("some.log", *people(3))
    run("import", "some.log")
    clock.advance(DAY)
    with file.open("a") as more:
        more.write(log(*people(4)))
    assert run("import", "some.log")["late"] == {}, "not late yet"
    clock.advance(DAY + KEEP)
    with file.open("a") as more:
        more.write(log(*people(9), *people(2, "/news/two", at=MIDNIGHT + 3 * 86_400)))
    assert run("import", "some.log")["late"] == {"2026-11-16": 9}
    assert readers(app) == {"one": 4, "two": 2, "three": 0}


def test_a_month_of_history_is_read_on_the_first_day(run: Run, app: App) -> None:
    for day in range(28, 0, -1):  # each day in a file of its own, the newest first
        write(f"access-{day:02}.log", *people(day % 5 + 1, at=MIDNIGHT - day * 86_400 + 7200))
    assert run("import", "access-*.log")["logs"] == 28
    assert len(figures(app)) == 28
    assert readers(app)["one"] == sum(day % 5 + 1 for day in range(1, 29))


def test_a_story_that_comes_in_later_gets_its_readers(run: Run, app: App, clock: FixedClock) -> None:
    write("some.log", *people(3, "/news/four"))
    assert run("import", "some.log")["unknown"] == [{"url": "https://a.example/news/four", "readers": 3}]
    clock.advance(DAY + KEEP + DAY)
    add_stories(app, "https://a.example/news/four")
    run("import", "some.log")
    assert sum(figures(app, "four").values()) == 3
    assert run("unknown", "log")["unknown"] == []


# --- which site, which format -----------------------------------------------------------------------


def test_which_site_is_asked_where_stories_are_of_several(run: Run, app: App) -> None:
    add_stories(app, "https://b.example/x")
    write("some.log", *people(3))
    with pytest.raises(DigestError, match="names no site") as caught:
        run("import", "some.log")
    assert "--base-url" in caught.value.hint
    assert run("import", "some.log", "--base-url", "https://a.example")["new"] == 1, "nothing was lost"


def test_a_log_that_names_its_sites_needs_no_telling(run: Run, app: App) -> None:
    add_stories(app, "http://b.example/news/one")
    write("some.log", *(r._replace(host=("a.example", "b.example")[r.at % 2]) for r in people(4)))
    assert run("import", "some.log")["new"] == 2
    assert readers(app)["one"] == 2


def test_columns_that_were_named_at_the_beginning_count_for_what_is_read_later(run: Run, app: App) -> None:
    file = write("some.log", *people(3), kind="w3c")
    run("import", "some.log")
    with file.open("a") as more:
        more.write(log(*people(5), kind="w3c").removeprefix(W3C_HEAD))
    assert run("import", "some.log")["rejected"] == 0
    assert readers(app)["one"] == 5


def test_rejected_lines_go_into_a_file_with_row_and_reason(run: Run) -> None:
    Path("some.log").write_text(log(*people(3)) + combined(entry())[:70] + "\n" + log(*people(1)))
    found = run("import", "some.log")
    assert (found["lines"], found["visits"], found["rejected"]) == (5, 4, 1)
    assert Path(found["rejects_file"]).read_text().splitlines()[1].startswith("4,,it is cut off,")


def test_what_was_left_out_is_told_in_words(app: App) -> None:
    machines = [entry(f"/news/{page}") for page in range(30)]
    write("some.log", *people(3), *machines, entry("/x", method="HEAD"), *people(2, "/news/nothing"))
    result = CliRunner().invoke(signals.command, ["import", "some.log"], obj=app)
    assert result.exit_code == 0
    assert "1 requests left out: not GET" in result.stderr
    assert "1 visitors left out: they read like machines" in result.stderr
    assert "2  https://a.example/news/nothing" in result.stderr
    assert result.stdout == (
        "log: 1 logs; 36 lines, 35 page views of people, 0 lines rejected; readers a story and day: 1 new, "
        "0 replaced\n"
    )
    listed = CliRunner().invoke(signals.command, ["list"], obj=app)
    assert "2026-11-16 08:00Z" in listed.stdout
    assert "by hand" in listed.stdout


def test_a_table_without_its_metric_is_no_log(run: Run, app: App) -> None:
    Path("some.csv").write_text("story,at,value\n1,2026-11-15,5\n")
    result = CliRunner().invoke(signals.command, ["import", "some.csv"], obj=app)
    assert (result.exit_code, "needs --metric" in result.stderr) == (2, True)
    with pytest.raises(DigestError, match="no access log"):
        run("import", "some.csv", "--format", "auto")


# --- our own newsletter -----------------------------------------------------------------------------


def test_who_comes_by_the_links_of_an_edition_does_not_count(run: Run, app: App) -> None:
    edition = sample_edition.edition(newsletter="weekly")
    links = re.findall(
        r'href="(https?://[^"]+)"', app.renderer(edition).render(edition, nonce="0" * 16).variant.html
    )
    to_stories = [html.unescape(link) for link in links if "/stories/" in link]
    assert len(to_stories) >= 12
    assert all("utm_source=weekly&utm_medium=email" in link for link in to_stories)
    targets = [link.partition("//")[2] for link in to_stories]
    requests = [entry("/" + target.partition("/")[2]) for target in targets]
    write("some.log", *requests, entry("/news/one"))
    found = run("import", "some.log")
    assert (found["visits"], found["left_out"]) == (1, {OURS: len(to_stories)})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/x", "https://a.example/x?m=1"),
        ("https://a.example/x?id=4#part", "https://a.example/x?id=4&m=1#part"),
        ("https://a.example", "https://a.example?m=1"),
        ("https://a.example/x?utm_source=partner", "https://a.example/x?utm_source=partner"),
    ],
)
def test_a_link_is_marked_once(url: str, expected: str) -> None:
    assert marked(url, "m=1") == expected
    assert marked(url, "") == url


# --- by itself --------------------------------------------------------------------------------------


def test_configured_logs_are_looked_at_when_they_are_due(app: App, clock: FixedClock, run: Run) -> None:
    write("logs/access.log", *people(3))
    (found,) = measure(app, app.settings.signals)
    assert (found.source, found.error, readers(app)["one"]) == ("web", "", 3)
    assert list(measure(app, app.settings.signals)) == []
    clock.advance(dt.timedelta(minutes=10))
    assert [each.source for each in measure(app, app.settings.signals)] == ["web"]
    (row,) = run("list")["signals"]
    assert (row["source"], row["last_error"]) == ("web", "")
    assert row["latest"] == "2026-11-16T01:00:02Z"


def test_the_worker_reads_logs_and_says_what_came_too_late(app: App, clock: FixedClock) -> None:
    said: list[str] = []
    worker = Worker(app, stop=threading.Event(), say=said.append)
    worker.measure()
    assert any("signals web" in line and "no such file" in line for line in said)
    write("logs/access.log", *people(3))
    clock.advance(dt.timedelta(minutes=10))
    worker.measure()
    assert readers(app)["one"] == 3
    clock.advance(2 * DAY + KEEP)
    with Path("logs/access.log").open("a") as more:
        more.write(log(*people(5)))
    worker.measure()
    assert said[-1].startswith("signals web: 5 visits of 2026-11-16 came when that day was closed")


def test_a_file_imported_by_hand_belongs_to_the_signal_that_names_it(app: App, run: Run) -> None:
    write("logs/access.log", *people(3))
    assert run("import", "logs/access.log")["source"] == "web"
    assert run("poll")["signals"][0]["unchanged"] == 1
    assert readers(app)["one"] == 3


def test_trouble_is_told_and_kept(app: App, run: Run) -> None:
    (found,) = measure(app, app.settings.signals)
    assert "no such file" in found.error
    assert "no such file" in run("list")["signals"][0]["last_error"]
    Path("logs/access.log").write_text("Nov 16 08:00:00 host sshd[1]: hello\n" * 9)
    write("logs/access.log.1", *people(3))
    (found,) = measure(app, app.settings.signals, force=True)
    assert "no access log" in found.error
    assert readers(app)["one"] == 3, "the other file was read all the same"


def test_nothing_configured_is_said(app: App) -> None:
    app.settings = app.settings.model_copy(update={"signals": ()})
    result: Result = CliRunner().invoke(signals.command, ["poll"], obj=app)
    assert isinstance(result.exception, DigestError)
    assert result.exception.exit_code == 3


def test_what_is_kept_names_nobody(app: App, run: Run) -> None:
    write("some.log", *people(3))
    run("import", "some.log")
    app.database.close()
    kept = b"".join(path.read_bytes() for path in Path().glob("digest.db*"))
    assert b"203.0.113" not in kept
    assert FIREFOX.encode() not in kept
