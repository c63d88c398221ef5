"""What is kept of access logs, on both databases: days open and close, pages wait for their stories."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from digest.errors import StoreBusy
from digest.model import StoryDraft
from digest.store import Database, tables
from digest.store import logs as kept
from digest.store.logs import KEEP, KEEP_FILES, KEEP_PAGES, LogFile, Logs, OpenDay, PageDay
from digest.store.stories import Stories

DAY = dt.timedelta(days=1)
START = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
NOW = START + dt.timedelta(hours=8)
SALT = b"0123456789abcdef"


def opened(logs: Logs, source: str = "web", *, now: dt.datetime = NOW) -> OpenDay:
    day = logs.open_day(source, START, START + DAY, now=now, salt=SALT)
    assert day is not None
    return day


def add_story(database: Database, url: str, name: str = "") -> None:
    Stories(database).import_drafts(
        "news", [StoryDraft(name or url, url, "A story", published=START)], seen=NOW
    )


def test_a_day_is_kept_as_it_was_left(database: Database) -> None:
    logs = Logs(database)
    day = opened(logs)
    assert (day.salt, day.pages, day.records) == (SALT, (), ())
    version = logs.add(day.id, day.version, records=b"one", pages=["/a", "/b"], readers=[2, 1])
    logs.add(day.id, version, records=b"two", pages=["/a", "/b", "/c"], readers=[3, 0, 1])
    again = logs.open_day("web", START, START + DAY, now=NOW, salt=b"another salt, not taken")
    assert again == OpenDay(day.id, SALT, 2, ("/a", "/b", "/c"), (3, 0, 1), (b"one", b"two"))
    assert opened(logs, "other").id != day.id


def test_of_two_programs_that_read_at_once_one_gives_in(database: Database) -> None:
    logs = Logs(database)
    day = opened(logs)
    logs.add(day.id, day.version, records=b"one", pages=["/a"], readers=[1])
    with pytest.raises(StoreBusy):
        logs.add(day.id, day.version, records=b"two", pages=["/b"], readers=[1])
    assert opened(logs).pages == ("/a",)


def test_a_day_is_closed_after_its_end_and_nothing_of_the_visitors_is_left(database: Database) -> None:
    logs = Logs(database)
    day = opened(logs)
    logs.add(day.id, day.version, records=b"hashes", pages=["/a"], readers=[1])
    assert logs.close_due(START + DAY + KEEP - dt.timedelta(seconds=1)) == 0
    assert logs.close_due(START + DAY + KEEP) == 1
    assert logs.close_due(START + DAY + KEEP) == 0
    assert logs.open_day("web", START, START + DAY, now=NOW, salt=SALT) is None
    with database.read() as connection:
        assert connection.execute(sa.select(tables.log_visits)).all() == []
        assert connection.execute(sa.select(tables.log_day.c.salt)).scalars().all() == [None]
    with pytest.raises(StoreBusy):
        logs.add(day.id, 1, records=b"", pages=["/a"], readers=[2])


def test_a_day_of_the_past_stays_open_long_enough_for_the_rest_of_its_lines(database: Database) -> None:
    logs, later = Logs(database), START + 30 * DAY
    opened(logs, now=later)
    assert logs.close_due(later + KEEP - dt.timedelta(seconds=1)) == 0
    assert logs.close_due(later + KEEP) == 1


def test_pages_wait_until_their_story_is_known(database: Database) -> None:
    logs = Logs(database)
    day = opened(logs)
    pages = ["https://a.example/1", "https://a.example/2", "https://a.example/3"]
    version = logs.add(day.id, day.version, records=b"", pages=pages, readers=[5, 7, 9])
    assert logs.pending("web") == []
    assert logs.unknown("web", limit=2) == [(pages[2], 9), (pages[1], 7)]
    add_story(database, pages[0])
    add_story(database, "https://a.example/other", name=pages[1])  # its source calls it by this address
    assert logs.pending("other") == []
    found = logs.pending("web")
    assert found == [PageDay(day.id, 0, pages[0], START, 5), PageDay(day.id, 1, pages[1], START, 7)]
    logs.recorded(found)
    assert (logs.pending("web"), logs.unknown("web", limit=9)) == ([], [(pages[2], 9)])
    logs.add(day.id, version, records=b"", pages=pages, readers=[4, 7, 9])  # one turned out to be a machine
    assert logs.pending("web") == [PageDay(day.id, 0, pages[0], START, 4)]


def test_old_pages_and_files_are_forgotten(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_UNKNOWN", 2)
    logs = Logs(database)
    day = opened(logs)
    logs.add(day.id, day.version, records=b"", pages=["/a", "/b", "/c"], readers=[1, 3, 1])
    logs.note("web", LogFile("d" * 64, 100, "access.log", seen=NOW))
    logs.close_due(START + DAY + KEEP)
    assert logs.unknown("web", limit=9) == [("/b", 3), ("/a", 1)], "the most read ones"
    logs.close_due(START + DAY + KEEP + KEEP_PAGES + dt.timedelta(seconds=1))
    assert logs.unknown("web", limit=9) == []
    assert len(logs.files("web")) == 1
    logs.close_due(NOW + KEEP_FILES + dt.timedelta(seconds=1))
    assert logs.files("web") == []


def test_a_file_is_known_by_how_it_begins(database: Database) -> None:
    logs = Logs(database)
    logs.note("web", LogFile("a" * 64, 100, "access.log", 500, 5, "mark", NOW, NOW))
    logs.note("other", LogFile("b" * 64, 200, "other.log", seen=NOW))
    assert logs.lengths() == {100, 200}
    (found,) = logs.readers_of({100: "a" * 64, 200: "c" * 64})
    assert found.source == "web"
    assert logs.readers_of({200: "a" * 64}) == []
    logs.note("web", LogFile("e" * 64, 4096, "access.log.1", 900, 9, "later", NOW + DAY, NOW, found.id))
    (grown,) = logs.files("web")
    assert (grown.length, grown.name, grown.offset, grown.lines) == (4096, "access.log.1", 900, 9)
    assert logs.latest() == {"web": NOW + DAY}


def test_the_sites_of_the_stories_are_known(database: Database) -> None:
    for url in ("https://a.example/1", "https://a.example/2", "http://b.example:81/3"):
        add_story(database, url)
    assert Logs(database).origins() == {"https://a.example": 2, "http://b.example:81": 1}
