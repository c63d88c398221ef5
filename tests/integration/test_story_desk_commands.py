"""`digest stories add | edit | hide | merge | split`, and `--enrich`, as editors use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from digest.app import App
from digest.cli import signals, stories
from digest.config.settings import Settings, Source
from digest.errors import DigestError, FetchFailed
from digest.importers import fetch
from digest.importers.fetch import Fetched
from digest.store import Database
from digest.store.sources import Sources
from digest.work.permission import Permissions
from digest.work.poll import poll
from tests.fakes import FixedClock

ROWS = "id,title,url\n1,One,https://a.example/1\n2,Two,https://a.example/2\n"
PAGE = (
    '<html lang="en"><head><link rel="canonical" href="/one"><meta property="og:title" content="The page">'
    '<meta property="og:image" content="/p.jpg"><meta property="og:image:alt" content="A pier">'
    '<meta property="article:section" content="Culture"></head></html>'
)

Run = Callable[..., Result]


class Web:
    """Pages by their address, and what was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.asked: list[str] = []

    def __call__(self, url: str, **how: object) -> Fetched:
        del how
        if not url.endswith("/robots.txt"):
            self.asked.append(url)
        if url not in self.pages:
            raise FetchFailed(url, "the server answered 404 Not Found", status=404)
        return Fetched(url, self.pages[url].encode())


@pytest.fixture
def app(tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.chdir(tmp_path)
    made = App(Settings(root=tmp_path), clock)
    Database(made.settings.database_url()).create_or_upgrade()
    Path("s.csv").write_text(ROWS)
    return made


@pytest.fixture
def run(app: App) -> Run:
    def invoke(*args: str, group: Any = stories.command) -> Result:
        return CliRunner().invoke(group, list(args), obj=app)

    assert invoke("import", "s.csv").exit_code == 0
    return invoke


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    made = Web()
    monkeypatch.setattr(fetch, "fetch", made)
    return made


def failed(result: Result) -> DigestError:
    assert isinstance(result.exception, DigestError), result.output
    return result.exception


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_story_is_added_by_hand(run: Run) -> None:
    options = ("--title", "By hand", "--section", "Arts", "--picture", "/p.jpg", "--alt", "A pier")
    added = told(run("add", "https://a.example/3?utm_source=x", *options, "--json"))
    assert (added["new"], added["url"]) == (True, "https://a.example/3")
    shown = told(run("show", f"#{added['story']}", "--json"))
    assert (shown["source"], shown["section"], shown["picture"]["alt"]) == ("by-hand", "Arts", "A pier")
    assert "is known by this address: One" in run("add", "https://a.example/1", "--title", "Again").stdout
    assert (
        "added: Other" in run("add", "https://a.example/4", "--title", "Other", "--date", "2026-11-12").stdout
    )


def test_an_added_story_gets_its_words_from_its_page(run: Run, web: Web) -> None:
    web.pages["https://a.example/5"] = PAGE
    added = told(run("add", "https://a.example/5", "--json"))
    assert (added["title"], added["url"]) == ("The page", "https://a.example/one")
    assert "Say --title" in failed(run("add", "https://a.example/6")).hint
    assert web.asked == ["https://a.example/5", "https://a.example/6"]


@pytest.mark.parametrize(
    "args",
    [
        ("add", "ftp://x", "--title", "T"),
        ("add", "https://a.example/9", "--title", "T", "--picture", "ftp://x"),
    ],
)
def test_what_cannot_be_added_is_told(run: Run, args: tuple[str, ...]) -> None:
    assert failed(run(*args)).exit_code == 2


def test_an_edit_stays_until_it_is_undone(run: Run) -> None:
    assert (
        "changed: Better"
        in run("edit", "#1", "--title", "Better", "--standfirst", "Why", "--kind", "video").stdout
    )
    Path("s.csv").write_text(ROWS.replace("One", "From the source"))
    run("import", "s.csv")
    shown = told(run("show", "#1", "--json"))
    assert (shown["title"], shown["standfirst"], shown["kind"]) == ("Better", "Why", "video")
    assert shown["edited"] == {"title": "From the source", "standfirst": "", "kind": "article"}
    assert [each["title"] for each in shown["earlier_headings"]] == ["One"]
    assert "From the source" in run("show", "#1").stdout
    assert told(run("edit", "#1", "--undo", "--json"))["title"] == "From the source"
    assert not told(run("edit", "#1", "--undo", "--json"))["changed"]
    assert [each["title"] for each in told(run("show", "#1", "--json"))["earlier_headings"]] == [
        "One",
        "Better",
    ]


def test_a_picture_and_a_body_are_edited_and_cleaned(run: Run) -> None:
    run(
        "edit", "#1", "--picture", "/p.jpg", "--alt", "A pier", "--body", "<p>A<script>x</script></p><p>B</p>"
    )
    run("edit", "#1", "--credit", "Ann", "--language", "en_gb", "--author", "Eva", "--section", "Arts")
    shown = told(run("show", "#1", "--json"))
    assert (shown["picture"]["url"], shown["picture"]["alt"], shown["picture"]["credit"]) == (
        "https://a.example/p.jpg",
        "A pier",
        "Ann",
    )
    assert (shown["body"], shown["language"], shown["author"]) == ("<p>A</p><p>B</p>", "en-GB", "Eva")
    run("edit", "#1", "--picture", "")
    assert told(run("show", "#1", "--json"))["picture"] is None


@pytest.mark.parametrize(
    "args",
    [
        ("edit", "#1"),
        ("edit", "#1", "--title", "x", "--undo"),
        ("edit", "#1", "--title", " "),
        ("edit", "#1", "--alt", "x"),
        ("edit", "#77", "--title", "x"),
        ("hide", "#1"),
        ("hide", "#1", "--reason", "x", "--undo"),
        ("merge", "#1", "#1"),
        ("split", "#1"),
        ("split", "#1", "--name", "nobody"),
        ("split", "#1", "--name", "nobody:x"),
    ],
)
def test_wrong_use_is_told_with_a_way_out(run: Run, args: tuple[str, ...]) -> None:
    error = failed(run(*args))
    assert (error.exit_code, bool(error.hint)) == (2, True)


def test_a_hidden_story_says_why_and_comes_back(run: Run) -> None:
    assert "#1 hidden: One" in run("hide", "#1", "--reason", "a court forbids it").stdout
    assert not told(run("hide", "#1", "--reason", "again", "--json"))["changed"]
    assert told(run("show", "#1", "--json"))["hidden"] == "a court forbids it"
    assert "a court forbids it" in run("show", "#1").stdout
    assert "no longer hidden" in run("hide", "#1", "--undo").stdout
    assert told(run("show", "#1", "--json"))["withdrawn"] is None


def test_two_stories_become_one_and_two_again(run: Run) -> None:
    Path("r.csv").write_text("story,at,value\n1,2026-11-15,5\n2,2026-11-15,7\n")
    run("import", "r.csv", "--metric", "points", "--kind", "total", group=signals.command)
    assert told(run("merge", "#1", "https://a.example/2", "--json"))["merged"] == [2]
    shown = told(run("show", "https://a.example/2?utm_medium=x", "--json"))
    assert (shown["story"], shown["parts"], shown["signals"][0]["last_value"]) == (1, [2], 7.0)
    assert "#2" in run("show", "#1").stdout
    assert told(run("split", "https://a.example/2", "--json")) == {"story": 2, "from": 1, "title": "Two"}
    assert told(run("show", "#1", "--json"))["parts"] == []


def test_names_of_two_sources_are_taken_apart(run: Run) -> None:
    run("import", "s.csv", "--source", "other")
    assert "apart from #1" in run("split", "#1", "--name", "other:1").stdout
    assert told(run("show", "other:1", "--json"))["story"] == 3


# --- pages ----------------------------------------------------------------------------------------


def test_pages_complete_stories_once_and_what_they_told_stays(run: Run, web: Web) -> None:
    web.pages["https://a.example/1"] = PAGE
    result = run("import", "s.csv", "--enrich", "--source", "paper")
    assert "pages that could not be read: 1 (the server answered 404 Not Found)" in result.stderr
    story = told(run("show", "paper:1", "--json"))
    assert story["story"] == 1, "the link was known to another source: its words stay"
    Path("t.csv").write_text("id,title,url\n7,Seven,https://a.example/7\n")
    web.pages["https://a.example/7"] = PAGE.replace("/one", "/seven")
    web.asked.clear()
    for _ in range(2):
        run("import", "t.csv", "--enrich", "--source", "paper")
    run("import", "t.csv", "--source", "paper")
    assert web.asked == ["https://a.example/7"], "a page that told something is not asked again"
    story = told(run("show", "paper:7", "--json"))
    assert (story["title"], story["section"], story["url"]) == ("Seven", "Culture", "https://a.example/seven")
    assert (story["picture"]["url"], story["picture"]["alt"]) == ("https://a.example/p.jpg", "A pier")


def test_a_sitemap_without_headings_is_read_by_its_pages(run: Run, web: Web) -> None:
    Path("m.xml").write_text("<urlset><url><loc>https://a.example/8</loc></url></urlset>")
    assert "nothing of it could be read" in str(failed(run("import", "m.xml")))
    web.pages["https://a.example/8"] = PAGE.replace("/one", "/8")
    assert told(run("import", "m.xml", "--enrich", "--json"))["new"] == 1


def test_a_source_may_ask_for_pages(app: App, web: Web, clock: FixedClock) -> None:
    web.pages["https://a.example/7"] = PAGE
    Path("t.csv").write_text("id,title,url\n7,Seven,https://a.example/7\n8,Eight,https://a.example/8\n")
    source = Source(name="paper", url="t.csv", enrich=True)
    (polled,) = poll(
        [source],
        stories=app.stories,
        signals=app.signals,
        states=Sources(app.database),
        fetch=web,
        clock=clock,
        place=lambda path: path,
        permissions=Permissions(clock, fetch_robots=web),
    )
    assert polled.counts.new == 2
    assert polled.notes == ("pages that could not be read: 1 (the server answered 404 Not Found)",)
    assert app.stories.resolve("paper:7").section == "Culture"
