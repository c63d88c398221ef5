"""`digest stories`, `digest signals` and `digest sources` as a script uses them."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from digest.app import App
from digest.cli import signals, sources, stories
from digest.config.settings import Settings, Source
from digest.errors import DigestError
from digest.model import DateOrder
from digest.store import Database
from tests.fakes import FixedClock

ROWS = "id,title,url,section,date\n1,One,https://a.example/1,News,2026-11-15\n2,Two,https://a.example/2,Arts,2026-11-14\n"
READINGS = "story,at,value\n1,2026-11-15T01:00:00Z,5\n1,2026-11-15T02:00:00Z,9\nhttps://a.example/2?utm_source=x,2026-11-15T02:00:00Z,3\n"

Run = Callable[..., Result]


@pytest.fixture
def app(tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "feed.xml").write_text(
        "<rss version='2.0'><channel><item><link>https://a.example/9</link><title>Nine</title></item></channel></rss>"
    )
    made = App(
        Settings(
            root=tmp_path, source=(Source(name="paper", url="feed.xml"), Source(name="gone", url="gone.xml"))
        ),
        clock,
    )
    Database(made.settings.database_url()).create_or_upgrade()
    return made


@pytest.fixture
def run(app: App) -> Run:
    groups = {"stories": stories.command, "signals": signals.command, "sources": sources.command}

    def invoke(*args: str, **options: Any) -> Result:
        return CliRunner().invoke(groups[args[0]], list(args[1:]), obj=app, **options)

    return invoke


def failed(result: Result) -> DigestError:
    """The error with which a command ended, as `digest` prints it."""
    assert isinstance(result.exception, DigestError), result.output
    return result.exception


def document(result: Result) -> Any:
    """The one JSON document on stdout."""
    return json.loads(result.stdout)


def test_a_table_is_imported_and_again_without_harm(run: Run) -> None:
    Path("s.csv").write_text(ROWS)
    first = document(run("stories", "import", "s.csv", "--json"))
    assert (first["new"], first["changed"], first["same"], first["rejected"]) == (2, 0, 0, 0)
    assert first["source"] == "import"
    Path("s.csv").write_text(ROWS.replace("One", "One more"))
    again = document(run("stories", "import", "s.csv", "--json"))
    assert (again["new"], again["changed"], again["same"]) == (0, 1, 1)


def test_rejected_rows_go_into_a_file_with_number_and_reason(run: Run) -> None:
    Path("s.csv").write_text(ROWS + "3,Three\n4,Four,ftp://x,News,2026-11-14\n")
    result = run("stories", "import", "s.csv")
    assert result.exit_code == 0
    assert "2 rejected" in result.stderr
    with Path("s.csv.rejected.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["row"], row["content"].partition(",")[0]) for row in rows] == [("4", "3"), ("5", "4")]
    assert "cells" in rows[0]["reason"]
    assert "ftp" in rows[1]["reason"]


def test_rejects_go_where_they_are_asked_to(run: Run) -> None:
    Path("s.csv").write_text(ROWS + "3,Three\n")
    found = document(run("stories", "import", "s.csv", "--rejects", "why.csv", "--json"))
    assert found["rejects_file"] == "why.csv"
    assert Path("why.csv").exists()
    assert not Path("s.csv.rejected.csv").exists()


def test_a_folder_that_nobody_may_write_gets_no_file(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "s.csv").write_text(ROWS + "3,Three\n")
    folder.chmod(0o555)
    run("stories", "import", str(folder / "s.csv"))
    assert [path.name for path in folder.iterdir()] == ["s.csv"]
    assert Path("s.csv.rejected.csv").exists()


def test_nothing_readable_is_a_failure(run: Run) -> None:
    Path("s.csv").write_text("id,title,url\n1,One\n")
    error = failed(run("stories", "import", "s.csv"))
    assert error.exit_code == 1
    assert "nothing" in str(error)


@pytest.mark.parametrize(
    ("content", "code"), [("", 1), ("<html></html>", 1), ("a,b\n1,2\n", 2), ('{"a": 1}\n', 2), ("[1]", 1)]
)
def test_a_document_that_is_none_of_these_is_an_error(run: Run, content: str, code: int) -> None:
    Path("s.csv").write_text(content)
    assert failed(run("stories", "import", "s.csv")).exit_code == code
    assert document(run("stories", "list", "--json")) == {"stories": []}


@pytest.mark.parametrize("content", [b"", b" \r\n\t\n"])
def test_an_empty_document_is_called_empty_whatever_it_was_to_be(run: Run, content: bytes) -> None:
    Path("feed.rss").write_bytes(content)
    for command in (("stories", "import"), ("signals", "import", "--metric", "m", "--kind", "count")):
        error = failed(run(*command, "feed.rss"))
        assert str(error) == "feed.rss: it is empty"


def test_a_packed_file_that_ends_too_early_is_named(run: Run) -> None:
    whole = gzip.compress(ROWS.encode() * 50)
    for kept in (12, len(whole) - 9):
        Path("s.csv.gz").write_bytes(whole[:kept])
        for command in (("stories", "import"), ("signals", "import", "--metric", "m", "--kind", "count")):
            assert "s.csv.gz: it is damaged or ends too early" in str(failed(run(*command, "s.csv.gz")))


@pytest.mark.parametrize("name", ["", "  ", "auto"])
def test_a_metric_needs_a_name_that_can_be_told_apart(run: Run, name: str) -> None:
    Path("r.csv").write_text(READINGS)
    error = failed(run("signals", "import", "r.csv", "--metric", name, "--kind", "total"))
    assert error.exit_code == 2


def test_a_missing_file_is_an_error(run: Run) -> None:
    assert "No such file" in str(failed(run("stories", "import", "nowhere.csv")))


def test_standard_input_is_read(run: Run) -> None:
    assert document(run("stories", "import", "-", "--json", input=ROWS))["new"] == 2


def test_a_feed_of_a_file_and_mapped_columns(run: Run) -> None:
    assert document(run("stories", "import", "feed.xml", "--json"))["source"] == "paper", (
        "the configured source"
    )
    Path("s.csv").write_text("nid;Kop;Pad\n7;Zeven;/7\n")
    options = (
        "--map",
        "id=nid",
        "--map",
        "title=Kop",
        "--map",
        "url=Pad",
        "--base-url",
        "https://b.example/",
    )
    assert document(run("stories", "import", "s.csv", *options, "--source", "krant", "--json"))["new"] == 1
    assert document(run("stories", "show", "krant:7", "--json"))["url"] == "https://b.example/7"


def test_times_without_zone_are_local(run: Run) -> None:
    Path("s.csv").write_text("id,title,url,date\n1,One,https://a.example/1,2026-07-01 12:00\n")
    run("stories", "import", "s.csv", "--zone", "Europe/London")
    assert document(run("stories", "show", "#1", "--json"))["published"] == "2026-07-01T11:00:00Z"


def test_of_a_long_text_the_beginning_is_shown(run: Run) -> None:
    Path("long.csv").write_text(f"id,title,url,body\n7,One,https://a.example/7,{'word ' * 1000}end\n")
    run("stories", "import", "long.csv")
    shown = run("stories", "show", "import:7").stdout
    assert "word …" in shown
    assert max(map(len, shown.splitlines())) < 500
    assert document(run("stories", "show", "import:7", "--json"))["body"].endswith("end</p>")


def test_stories_are_listed_by_date_and_section(run: Run) -> None:
    Path("s.csv").write_text(ROWS)
    run("stories", "import", "s.csv")
    assert [s["title"] for s in document(run("stories", "list", "--json"))["stories"]] == ["One", "Two"]
    assert [
        s["title"] for s in document(run("stories", "list", "--section", "Arts", "--json"))["stories"]
    ] == ["Two"]
    assert document(run("stories", "list", "--since", "2026-11-16", "--json"))["stories"] == []
    assert "Two" in run("stories", "list", "--until", "2026-11-15").stdout


@pytest.mark.parametrize(
    "ref", ["#1", "1", "import:1", "https://a.example/1", "HTTPS://A.Example/1?utm_source=x"]
)
def test_a_story_is_shown_by_any_of_its_names(run: Run, ref: str) -> None:
    Path("s.csv").write_text(ROWS)
    run("stories", "import", "s.csv")
    Path("s.csv").write_text(ROWS.replace("One", "One more"))
    run("stories", "import", "s.csv")
    Path("r.csv").write_text(READINGS)
    run("signals", "import", "r.csv", "--metric", "points", "--kind", "total")
    shown = document(run("stories", "show", ref, "--json"))
    assert (shown["title"], shown["earlier_headings"][0]["title"]) == ("One more", "One")
    assert shown["signals"][0] | {"metric": "points", "last_value": 9.0, "readings": 2} == shown["signals"][0]
    assert "One more" in run("stories", "show", ref).stdout


def test_an_unknown_story_is_an_error(run: Run) -> None:
    assert failed(run("stories", "show", "https://a.example/none")).exit_code == 2


def test_readings_are_imported_and_again_without_harm(run: Run) -> None:
    Path("s.csv").write_text(ROWS)
    run("stories", "import", "s.csv")
    Path("r.csv").write_text(READINGS + "404,2026-11-15T02:00:00Z,3\n1,yesterday,3\n")
    options = ("r.csv", "--metric", "points", "--kind", "total", "--json")
    first = document(run("signals", "import", *options))
    assert (first["new"], first["replaced"], first["same"], first["rejected"]) == (3, 0, 0, 1)
    assert first["unknown"] == {"readings": 1, "names": 1, "sample": ["404"]}
    Path("r.csv").write_text(READINGS.replace(",9", ",10"))
    again = document(run("signals", "import", *options))
    assert (again["new"], again["replaced"], again["same"]) == (0, 1, 2)


def test_readings_of_unknown_stories_alone_are_a_failure(run: Run) -> None:
    Path("r.csv").write_text(READINGS)
    error = failed(run("signals", "import", "r.csv", "--metric", "points", "--kind", "total"))
    assert error.exit_code == 1
    assert "stories first" in error.hint


def test_a_metric_keeps_its_kind(run: Run) -> None:
    Path("s.csv").write_text(ROWS)
    run("stories", "import", "s.csv")
    Path("r.csv").write_text(READINGS)
    run("signals", "import", "r.csv", "--metric", "points", "--kind", "total")
    error = failed(run("signals", "import", "r.csv", "--metric", "points", "--kind", "count"))
    assert "--kind total" in error.hint


def test_sources_are_polled_and_listed(run: Run) -> None:
    result = run("sources", "poll", "--json")
    assert failed(result).exit_code == 1, "one of them could not be read"
    polled = {each["source"]: each for each in document(result)["sources"]}
    assert polled["paper"]["counts"]["new"] == 1
    assert "cannot be read" in polled["gone"]["error"]
    listed = {each["source"]: each for each in document(run("sources", "list", "--json"))["sources"]}
    assert listed["paper"]["last_success"] == "2026-11-16T08:00:00Z"
    assert listed["paper"]["next_poll"] == "2026-11-16T08:30:00Z"
    assert listed["gone"]["next_poll"] == "2026-11-16T08:30:00Z"
    assert (listed["paper"]["stories"], listed["paper"]["freshness"]) == (1, "fresh")
    assert (listed["gone"]["stories"], listed["gone"]["freshness"]) == (0, "none")
    assert "cannot be read" in listed["gone"]["last_error"]
    shown = run("sources", "list")
    assert "paper" in shown.stdout
    assert "gone: the file cannot be read" in shown.stderr


def test_one_source_is_polled_by_name(run: Run) -> None:
    result = run("sources", "poll", "paper")
    assert result.exit_code == 0
    assert "paper" in result.stdout
    assert "Configured: paper, gone" in failed(run("sources", "poll", "nope")).hint


def test_without_sources_there_is_nothing_to_do(app: App, clock: FixedClock) -> None:
    bare = App(Settings(root=app.settings.root), clock)
    assert failed(CliRunner().invoke(sources.command, ["poll"], obj=bare)).exit_code == 3
    assert CliRunner().invoke(sources.command, ["list"], obj=bare).exit_code == 0


@pytest.mark.parametrize(
    "args",
    [
        ("stories", "import", "s.csv", "--source", "Not A Name"),
        ("stories", "import", "s.csv", "--zone", "Nowhere/Land"),
        ("stories", "import", "s.csv", "--format", "docx"),
        ("signals", "import", "s.csv", "--metric", "points"),
        ("signals", "import", "s.csv", "--metric", "points", "--kind", "sum"),
    ],
)
def test_wrong_use_is_told(run: Run, args: tuple[str, ...]) -> None:
    assert run(*args).exit_code == 2


# --- formats --------------------------------------------------------------------------------------


def test_one_command_takes_stories_and_their_figures(run: Run) -> None:
    Path("s.csv").write_text(
        "short_id,created_at,url,title,score,comments\n"
        "a1,2026-11-15T01:00:00Z,,Ask,12,3\nb2,2026-11-15T02:00:00Z,https://b.example/2,Two,5,0\n"
    )
    options = (
        "--signal",
        "points=score",
        "--signal",
        "comments=comments",
        "--link",
        "https://a.example/s/{id}",
    )
    found = document(run("stories", "import", "s.csv", *options, "--json"))
    assert (found["new"], found["signals"]) == (2, {"points": 2, "comments": 2})
    shown = document(run("stories", "show", "a1", "--json"))
    assert shown["url"] == "https://a.example/s/a1"
    assert [(s["metric"], s["last_value"]) for s in shown["signals"]] == [("comments", 3.0), ("points", 12.0)]
    assert "2 readings of points" in run("stories", "import", "s.csv", *options).stdout


def test_a_folder_is_read_in_the_order_of_its_names(run: Run) -> None:
    folder = Path("snapshots")
    (folder / "deep").mkdir(parents=True)
    (folder / "2.csv").write_text(ROWS.replace("One", "One, edited").replace("One, edited", '"One, edited"'))
    (folder / "1.csv").write_text(ROWS + "3,Three\n")
    (folder / "deep" / "3.json").write_text(
        '{"items": [{"id": 4, "title": "Four", "url": "https://a.example/4"}]}'
    )
    (folder / ".hidden").write_text("x")
    (folder / "old.rejected.csv").write_text("x")
    found = document(run("stories", "import", "snapshots", "--json"))
    assert (found["new"], found["changed"], found["same"], found["rejected"]) == (3, 1, 1, 1)
    assert [Path(each["document"]).name for each in found["files"]] == ["1.csv", "2.csv", "3.json"]
    with Path(found["rejects_file"]).open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["item"] == "1.csv: 3"
    assert document(run("stories", "show", "#1", "--json"))["title"] == "One, edited"


def test_a_file_of_a_folder_that_cannot_be_read_stops_none_of_the_others(run: Run) -> None:
    folder = Path("mixed")
    folder.mkdir()
    (folder / "1.csv").write_text(ROWS)
    (folder / "2.xml").write_text("<html></html>")
    result = run("stories", "import", "mixed")
    assert "1 of 2 files could not be read" in str(failed(result))
    assert "Not read: mixed/2.xml: it is an HTML page" in result.stderr
    assert "import: 2 new" in result.stdout


def test_an_empty_folder_is_wrong_use(run: Run) -> None:
    Path("none").mkdir()
    assert failed(run("stories", "import", "none")).exit_code == 2


def test_options_say_what_a_table_does_not(run: Run) -> None:
    Path("s.txt").write_bytes("7|04/08/2026|Привет|https://a.example/7\n".encode("windows-1251"))
    options = ("--columns", "id, date, title, url", "--date-order", "dmy", "--encoding", "windows-1251")
    run("stories", "import", "s.txt", *options, "--zone", "Europe/London")
    shown = document(run("stories", "show", "#1", "--json"))
    assert (shown["title"], shown["published"]) == ("Привет", "2026-08-03T23:00:00Z")


def test_a_source_says_how_its_table_is_to_be_read(app: App, clock: FixedClock) -> None:
    (app.settings.root / "api.json").write_text(
        '{"a": [{"x": 1}], "b": {"list": [{"nid": 7, "kop": "Zeven", "dag": "4/8/2026", "hits": 9}]}}'
    )
    source = Source(
        name="api",
        url="api.json",
        map=("title=kop", "id=nid", "published=dag"),
        date_order=DateOrder.dmy,
        records="b.list",
        link="https://a.example/{nid}",
        signals=("views=hits",),
    )
    configured = App(Settings(root=app.settings.root, source=(source,)), clock)
    result = CliRunner().invoke(sources.command, ["poll"], obj=configured)
    assert result.exit_code == 0, result.output
    (story,) = configured.stories.list_()
    assert (story.title, story.url, story.published) == (
        "Zeven",
        "https://a.example/7",
        dt.datetime(2026, 8, 4, tzinfo=dt.UTC),
    )
    assert configured.stories.signals(story.id, until=clock.now())["views"].values == (9.0,)
    # The command line knows it by its address, too.
    again = CliRunner().invoke(stories.command, ["import", "api.json", "--json"], obj=configured)
    assert (document(again)["source"], document(again)["same"]) == ("api", 1)


def test_a_feed_brings_its_own_figures(run: Run) -> None:
    Path("f.xml").write_text(
        '<rss version="2.0" xmlns:slash="http://purl.org/rss/1.0/modules/slash/"'
        ' xmlns:media="http://search.yahoo.com/mrss/"><channel>'
        "<item><link>https://a.example/1</link><title>One</title><slash:comments>7</slash:comments>"
        '<media:statistics views="1200"/></item>'
        "<item><link>https://a.example/2</link><title>Two</title><slash:comments>none</slash:comments>"
        "<description>Points: 12 # Comments: 4 https://news.ycombinator.com/item?id=1</description></item>"
        "</channel></rss>"
    )
    found = document(run("stories", "import", "f.xml", "--json"))
    assert found["signals"] == {"views": 1, "comments": 2, "points": 1}


def test_a_metric_of_another_kind_stops_a_command_and_not_a_feed(run: Run) -> None:
    Path("s.csv").write_text(ROWS)
    run("stories", "import", "s.csv")
    Path("r.csv").write_text(READINGS)
    run("signals", "import", "r.csv", "--metric", "comments", "--kind", "count")
    Path("f.xml").write_text(
        '<rss version="2.0" xmlns:slash="http://purl.org/rss/1.0/modules/slash/"><channel>'
        "<item><link>https://a.example/8</link><title>Eight</title><slash:comments>7</slash:comments></item>"
        "</channel></rss>"
    )
    found = document(run("stories", "import", "f.xml", "--json"))
    assert (found["new"], found["signals"]) == (1, {})
    assert "kept as a count" in found["notes"][-1]
    assert "kept as a count" in str(failed(run("stories", "import", "s.csv", "--signal", "comments=id")))
