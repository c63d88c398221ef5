"""Looking at the configured sources, with a real store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from digest.config.settings import Source, SourceType
from digest.errors import ImportFailed, StoreError
from digest.importers.fetch import Fetched
from digest.store import Database
from digest.store.signals import Signals
from digest.store.sources import Sources, SourceState
from digest.store.stories import Stories
from digest.work.poll import Polled, is_due, poll
from tests.fakes import FixedClock

FEED = "<rss version='2.0'><channel><item><link>/{0}</link><title>Story {0}</title></item></channel></rss>"


class Web:
    """What stands at each address, and how it was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[], Fetched]] = {}
        self.asked: list[tuple[str, str, str]] = []

    def __call__(self, url: str, *, etag: str = "", modified: str = "") -> Fetched:
        self.asked.append((url, etag, modified))
        return self.pages[url]()

    def put(self, url: str, body: str | None, **facts: str) -> None:
        self.pages[url] = lambda: Fetched(url, None if body is None else body.encode(), **facts)


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path / 'digest.db'}")
    made.create_or_upgrade()
    return made


@pytest.fixture
def look(web: Web, database: Database, clock: FixedClock, tmp_path: Path) -> Callable[..., list[Polled]]:
    def run(*sources: Source, force: bool = False) -> list[Polled]:
        found = poll(
            sources,
            stories=Stories(database),
            signals=Signals(database),
            states=Sources(database),
            fetch=web,
            clock=clock,
            place=lambda path: tmp_path / path,
            force=force,
        )
        return list(found)

    return run


Look = Callable[..., list[Polled]]


def source(name: str, url: str = "", **options: object) -> Source:
    return Source.model_validate({"name": name, "url": url or f"https://{name}.example/feed", **options})


def test_new_stories_are_taken_in_once(web: Web, look: Look, database: Database, clock: FixedClock) -> None:
    web.put("https://paper.example/feed", FEED.format(1), etag='"1"', modified="then")
    paper = source("paper", section="News")
    assert look(paper)[0].counts.new == 1
    assert look(paper, force=True)[0].counts.same == 1
    (story,) = Stories(database).list_()
    assert (story.url, story.source, story.section) == ("https://paper.example/1", "paper", "News")
    state = Sources(database).get("paper")
    assert state.last_poll == state.last_success == clock.now()


def test_the_second_look_is_conditional(web: Web, look: Look) -> None:
    web.put("https://paper.example/feed", FEED.format(1), etag='"1"', modified="then")
    look(source("paper"))
    web.put("https://paper.example/feed", None)
    assert look(source("paper"), force=True)[0].unchanged
    assert look(source("paper"), force=True)[0].unchanged, "an answer without an etag does not lose it"
    assert web.asked[1:] == [("https://paper.example/feed", '"1"', "then")] * 2


def test_what_one_address_said_is_not_told_to_its_successor(web: Web, look: Look) -> None:
    web.put("https://old.example/feed", FEED.format(1), etag='"1"', modified="then")
    web.put("https://new.example/feed", FEED.format(1))
    look(source("paper", "https://old.example/feed"))
    look(source("paper", "https://new.example/feed"), force=True)
    assert web.asked[1] == ("https://new.example/feed", "", "")


def test_a_source_is_looked_at_when_its_time_has_come(web: Web, look: Look, clock: FixedClock) -> None:
    web.put("https://paper.example/feed", FEED.format(1))
    paper = source("paper")
    assert len(look(paper)) == 1
    clock.advance(dt.timedelta(minutes=29))
    assert look(paper) == []
    clock.advance(dt.timedelta(minutes=1))
    assert len(look(paper)) == 1


def test_a_clock_set_back_does_not_stop_polling(clock: FixedClock) -> None:
    ahead = SourceState("paper", last_poll=clock.now() + dt.timedelta(days=300))
    assert is_due(source("paper"), ahead, clock.now())


def test_one_sources_trouble_is_its_own(web: Web, look: Look, database: Database) -> None:
    def broken() -> Fetched:
        raise ImportFailed(
            "https://a.example/feed", "the server answered 503", hint="It is asked again later."
        )

    def faulty() -> Fetched:
        raise RecursionError("too deep")

    web.pages["https://a.example/feed"] = broken
    web.pages["https://b.example/feed"] = faulty
    web.put("https://c.example/feed", "<html>")
    web.put("https://d.example/feed", FEED.format(1))
    results = look(*map(source, "abcd"))
    assert [bool(polled.error) for polled in results] == [True, True, True, False]
    assert results[0].error == "the server answered 503. It is asked again later."
    assert "RecursionError" in results[1].error
    assert "HTML page" in Sources(database).get("c").last_error
    assert Stories(database).count() == 1


def test_an_error_is_forgotten_when_the_source_is_well_again(
    web: Web, look: Look, database: Database
) -> None:
    web.put("https://paper.example/feed", "")
    look(source("paper"))
    assert "empty" in Sources(database).get("paper").last_error
    web.put("https://paper.example/feed", FEED.format(1))
    look(source("paper"), force=True)
    assert Sources(database).get("paper").last_error == ""


def test_a_store_that_cannot_be_written_ends_the_round(web: Web, clock: FixedClock, tmp_path: Path) -> None:
    class Full:
        def get(self, name: str) -> SourceState:
            return SourceState(name)

        def succeeded(self, name: str, *, at: dt.datetime, etag: str = "", modified: str = "") -> None:
            raise StoreError("the disk is full")

        def failed(self, name: str, error: str, *, at: dt.datetime) -> None:
            raise AssertionError("not the source's fault")

    web.put("https://paper.example/feed", None)
    store = Database(f"sqlite:///{tmp_path / 'x'}")
    with pytest.raises(StoreError):
        list(
            poll(
                [source("paper")], stories=Stories(store), signals=Signals(store),
                states=Full(), fetch=web, clock=clock, place=Path,
            )
        )  # fmt: skip


def test_a_file_is_read_again_only_when_it_changed(look: Look, tmp_path: Path) -> None:
    file = tmp_path / "stories.csv"
    file.write_text("id,title,url\n1,One,https://a.example/1\n2,Two\n")
    table = source("table", "stories.csv", type=SourceType.csv)
    (first,) = look(table)
    assert (first.counts.new, first.rejected) == (1, 1)
    assert any("cells" in note for note in first.notes)
    assert look(table, force=True)[0].unchanged
    file.write_text("id,title,url\n1,One more,https://a.example/1\n")
    assert look(table, force=True)[0].counts.changed == 1


def test_a_missing_file_is_told(look: Look) -> None:
    assert "cannot be read" in look(source("table", "nowhere.csv", type=SourceType.csv))[0].error


def test_a_document_that_moved_for_good_is_told(web: Web, look: Look) -> None:
    web.put("https://paper.example/feed", FEED.format(1), moved="https://paper.example/new")
    assert any("https://paper.example/new" in note for note in look(source("paper"))[0].notes)
