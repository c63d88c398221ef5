"""Documents that nobody here wrote, where they are at hand: each is read, all that is in it accounted for."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.errors import DigestError, ImportFailed
from digest.importers import Context, Rejected, read_stories
from digest.model import StoryDraft
from digest.store import Database
from digest.store.stories import Stories

SEEN = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
SERIES = ("bbc", "nytimes", "rnz", "smh", "straitstimes", "youtube_aljazeera_views")

ENTRIES, REJECTED = 12_169, 57
"""What is in the 508 files, and how much of it cannot be a story: mostly entries without a link."""


def read(path: Path) -> tuple[list[StoryDraft], list[Rejected], list[str]]:
    rejected: list[Rejected] = []
    notes: list[str] = []
    how = Context(path.name, SEEN, base_url="https://feeds.example/")
    with path.open("rb") as file:
        drafts = list(read_stories(file, how, reject=rejected.append, note=notes.append))
    return drafts, rejected, notes


def index(folder: Path) -> Iterator[tuple[Path, int]]:
    with (folder / "INDEX.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield folder / row["file"], int(row["entries"] or 0)


def difference(path: Path) -> str:
    """Why the index, made by feedparser, counts no entry where there are some. Nothing else may differ."""
    if path.suffix == ".json":
        return "JSON Feed, which feedparser does not read"
    return "UTF-16 without a mark, which feedparser finds empty" if "utf16" in path.name else ""


@pytest.mark.real_data
def test_every_entry_of_every_feed_is_imported_or_rejected_with_a_reason(real_data: Path) -> None:
    differ: Counter[str] = Counter()
    files = entries = refused = 0
    for path, expected in index(real_data / "feeds"):
        files += 1
        try:
            drafts, rejected, _ = read(path)
        except DigestError as failed:
            drafts, rejected = [], []
            differ[type(failed).__name__] += 1
        found = len(drafts) + len(rejected)
        entries, refused = entries + found, refused + len(rejected)
        if found != expected:
            assert expected == 0, path
            assert difference(path), path
            differ[difference(path)] += 1
        assert all(each.reason for each in rejected)
        for draft in drafts:
            assert draft.title
            assert draft.url.startswith(("http://", "https://"))
            assert "<script" not in draft.body
    assert (files, entries, refused) == (508, ENTRIES, REJECTED)
    assert differ == {
        "ImportFailed": 13,  # pages of HTML, empty bodies: nothing in them either way
        "UsageError": 1,  # a line of text
        "JSON Feed, which feedparser does not read": 14,
        "UTF-16 without a mark, which feedparser finds empty": 2,
    }


@pytest.mark.real_data
@pytest.mark.parametrize("name", SERIES)
def test_snapshots_one_after_the_other_give_each_story_once(
    real_data: Path, tmp_path: Path, name: str
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'digest.db'}")
    database.create_or_upgrade()
    stories = Stories(database)
    named: set[str] = set()
    for number, path in enumerate(sorted((real_data / "feeds" / "series" / name).iterdir())):
        try:
            drafts, _, _ = read(path)
        except ImportFailed:
            assert not path.read_bytes(), path
            continue
        stories.import_drafts(name, drafts, seen=SEEN + number * dt.timedelta(minutes=30))
        named |= {draft.external_id for draft in drafts}
    every = stories.list_(limit=None)
    assert len(every) == len(named)
    assert len({story.external_id for story in every}) == len(every)
    assert len({story.url for story in every}) == len(every), "no page is two stories"
