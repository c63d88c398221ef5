"""Looking at the configured sources, with a real store."""

from __future__ import annotations

import datetime as dt
import gzip
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from digest.config.settings import Source, SourceType
from digest.errors import FetchFailed, ImportFailed, StoreError
from digest.importers import fetch as fetching
from digest.importers.fetch import Fetched, fetch
from digest.importers.reach import refusal
from digest.store import Database
from digest.store.signals import Signals
from digest.store.sources import Sources, SourceState
from digest.store.stories import Stories
from digest.work.next_poll import mark, next_poll
from digest.work.poll import TOGETHER, Polled, poll
from tests.fakes import FixedClock
from tests.feed_site import feed_site, page

HOUR = dt.timedelta(hours=1)
FEED = "<rss version='2.0'><channel><item><link>/{0}</link><title>Story {0}</title></item></channel></rss>"


class Web:
    """What stands at each address, and how it was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[], Fetched]] = {}
        self.asked: list[tuple[str, str, str]] = []

    def __call__(self, url: str, *, etag: str = "", modified: str = "", internal: bool = False) -> Fetched:
        self.asked.append((url, etag, modified))
        return self.pages[url]()

    def put(self, url: str, body: str | None, **facts: Any) -> None:
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
            random=lambda: 0.0,
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
    paper, then = source("paper"), clock.now() + dt.timedelta(days=300)
    ahead = SourceState("paper", last_poll=then, not_before=then + HOUR, address=mark(paper))
    assert next_poll(paper, ahead, clock.now()) == clock.now()


def refusing(status: int, **facts: str) -> Callable[[], Fetched]:
    def answer() -> Fetched:
        raise FetchFailed(
            "https://paper.example/feed", f"the server answered {status}", status=status, **facts
        )

    return answer


def test_a_source_that_fails_is_asked_later_and_later(
    web: Web, look: Look, database: Database, clock: FixedClock
) -> None:
    paper, waits = source("paper"), []
    web.pages[paper.url] = refusing(500)
    for _ in range(7):
        (polled,) = look(paper)
        assert polled.next_poll is not None
        assert polled.next_poll == next_poll(paper, Sources(database).get("paper"), clock.now())
        waits.append((polled.next_poll - clock.now()) / HOUR)
        clock.set(polled.next_poll - dt.timedelta(seconds=1))
        assert look(paper) == []
        clock.advance(dt.timedelta(seconds=1))
    assert waits == [0.5, 1, 2, 4, 6, 6, 6]
    web.put(paper.url, None)
    assert look(paper)[0].next_poll == clock.now() + HOUR / 2, "an answer begins anew, 304 as well"
    assert Sources(database).get("paper").failures == 0


def test_retry_after_is_obeyed_within_a_day(web: Web, look: Look, clock: FixedClock) -> None:
    paper = source("paper")
    for status, said, hours in (
        (429, "7200", 2),
        (503, "Mon, 16 Nov 2026 11:00:00 GMT", 3),
        (503, "99999999", 24),
        (503, "1", 0.5),  # never sooner than it would be looked at anyway
        (500, "7200", 6),  # says nothing there (RFC 9110 15.6.1): the wait of a fifth failure
    ):
        web.pages[paper.url] = refusing(status, retry_after=said)
        (polled,) = look(paper, force=True)
        assert polled.next_poll == clock.now() + hours * HOUR, (status, said)


def test_a_source_that_is_gone_is_asked_once_a_day(web: Web, look: Look, clock: FixedClock) -> None:
    paper = source("paper")
    web.pages[paper.url] = refusing(410)
    (polled,) = look(paper)
    assert polled.gone
    assert polled.next_poll == clock.now() + 24 * HOUR


def test_a_corrected_address_is_asked_at_once(web: Web, look: Look) -> None:
    web.pages["https://old.example/feed"] = refusing(410)
    look(source("paper", "https://old.example/feed"))
    web.put("https://new.example/feed", FEED.format(1))
    assert look(source("paper", "https://new.example/feed"))[0].counts.new == 1


def test_a_missing_file_is_looked_for_as_often_as_ever(look: Look, clock: FixedClock) -> None:
    for _ in range(5):
        (polled,) = look(source("table", "nowhere.csv", type=SourceType.csv))
        clock.advance(HOUR / 2)
        assert polled.next_poll == clock.now()


class Busy:
    """A web that answers slowly, and notes how many ask it at the same time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def __call__(self, url: str, *, etag: str = "", modified: str = "", internal: bool = False) -> Fetched:
        host = url.split("/")[2]
        with self.lock:
            self.now[host] += 1
            self.now["all"] += 1
            for name, count in self.now.items():
                self.most[name] = max(self.most[name], count)
        time.sleep(0.05 if host != "slow.example" else 0.5)
        with self.lock:
            self.now[host] -= 1
            self.now["all"] -= 1
        return Fetched(url, FEED.format(url[-1]).encode())


def test_sources_are_fetched_together_but_one_at_a_time_from_each_host(
    database: Database, clock: FixedClock
) -> None:
    web, ready = Busy(), []
    sources = [source("slow")]
    sources += [source(f"one{n}", f"https://one.example/{n}") for n in range(5)]
    sources += [source(f"other{n}", f"https://other{n}.example/{n}") for n in range(2 * TOGETHER)]
    results = poll(
        sources, stories=Stories(database), signals=Signals(database), states=Sources(database), fetch=web,
        clock=clock, place=Path, finished=lambda polled: ready.append(polled.source),
    )  # fmt: skip
    assert [polled.source for polled in results] == [each.name for each in sources], "told in their order"
    assert ready[0] != "slow", "nobody waits for a slow one"
    assert sorted(ready) == sorted(each.name for each in sources)
    assert web.most["one.example"] == 1
    assert 1 < web.most["all"] <= TOGETHER


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

        def succeeded(self, name: str, **facts: object) -> None:
            raise StoreError("the disk is full")

        def failed(self, name: str, error: str, **facts: object) -> None:
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


def test_servers_that_misbehave_do_not_keep_a_good_one_from_being_read(
    database: Database, clock: FixedClock
) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"<")
            time.sleep(0.1)

    def headers(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            handler.wfile.write(b"X-More: " + b"x" * 8192 + b"\r\n")

    def large(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(bytes(65536))

    answers = {
        "drip": (drip, "longer than"),
        "headers": (headers, "no connection"),
        "large": (large, "larger than 1 MB"),
        "bomb": (page(gzip.compress(bytes(50 << 20)), Content_Encoding="gzip"), "larger than 1 MB unpacked"),
        "cut": (page(gzip.compress(b"x" * 999)[:-9], Content_Encoding="gzip"), "too early"),
        "circle": (page(status=302, Location="/circle"), "redirects"),
        "html": (page(b"<html>", Content_Type="text/html"), "HTML page"),
        "inside": (page(status=302, Location="http://[::ffff:10.0.0.1]/"), "private network"),
        "busy": (page(status=503, Retry_After="7200"), "503"),
        "good": (page(FEED.format(1).encode()), ""),
    }
    outside = {"127.0.0.1"}  # stands for the internet here

    def get(url: str, *, etag: str = "", modified: str = "", internal: bool = False) -> Fetched:
        return fetch(
            url, internal=internal, resolve=lambda _: ["127.0.0.1"], max_bytes=1 << 20, total_seconds=3
        )

    with feed_site() as site, pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetching, "refusal", lambda place: "" if place in outside else refusal(place))
        sources = []
        for name, (answer, _) in answers.items():
            site.pages[f"/{name}"] = answer
            sources.append(source(name, f"http://{name}.example:{site.server.server_port}/{name}"))
        stories, states, signals = Stories(database), Sources(database), Signals(database)
        started = time.monotonic()
        results = list(
            poll(
                sources, stories=stories, signals=signals, states=states, fetch=get, clock=clock, place=Path
            )
        )  # fmt: skip
        assert time.monotonic() - started < 20
    for polled, (_, words) in zip(results, answers.values(), strict=True):
        assert words in polled.error
        assert bool(words) == bool(polled.error)
    assert results[-1].counts.new == 1
    asked_again = states.get("busy").not_before
    assert asked_again is not None
    assert asked_again >= clock.now() + 2 * HOUR


ROWS = "".join(f"{n},Story {n},https://a.example/{n},2026-11-{n:02}\n" for n in range(1, 11))
HEADER = "id,title,url,date\n"


@pytest.fixture
def listing(tmp_path: Path, look: Look, database: Database) -> Callable[[str], tuple[Polled, list[str]]]:
    """Writes what a source that lists everything has now; what polling came to, and who is withdrawn."""
    everything = source("cms", "all.csv", type=SourceType.csv, withdrawn="gone")

    def run(rows: str) -> tuple[Polled, list[str]]:
        (tmp_path / "all.csv").write_text(HEADER + rows)
        (polled,) = look(everything, force=True)
        gone = [s.external_id for s in Stories(database).list_() if s.withdrawn is not None]
        return polled, sorted(gone)

    return run


Listing = Callable[[str], tuple[Polled, list[str]]]


def without(*numbers: int) -> str:
    return "".join(line + "\n" for line in ROWS.splitlines() if int(line.split(",")[0]) not in numbers)


def test_a_story_that_vanished_from_a_complete_list_is_withdrawn(listing: Listing) -> None:
    assert listing(ROWS)[1] == []
    polled, gone = listing(without(4, 7))
    assert gone == ["4", "7"]
    assert "withdrawn, no longer in it: 2" in polled.notes
    assert listing(ROWS)[1] == ["4", "7"], "only a person takes that back"


def test_what_is_older_than_all_that_is_listed_stays(listing: Listing) -> None:
    listing(ROWS)
    assert listing(without(1, 2, 3))[1] == []


@pytest.mark.parametrize("rows", [without(*range(2, 9)), without(4) + "11,No link and no\n"])
def test_a_list_that_looks_broken_withdraws_nothing(listing: Listing, rows: str) -> None:
    listing(ROWS)
    polled, gone = listing(rows)
    assert gone == []
    assert any("none was withdrawn" in note for note in polled.notes)


def test_a_feed_of_the_newest_withdraws_nothing(web: Web, look: Look, database: Database) -> None:
    paper = source("paper")
    web.put(paper.url, FEED.format(1))
    look(paper)
    web.put(paper.url, FEED.format(2))
    look(paper, force=True)
    assert all(story.withdrawn is None for story in Stories(database).list_())
