"""JSON Feed 1.0 and 1.1."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from digest.importers.imported import Imported
from digest.importers.jsonfeed import is_json_feed, read_json_feed

SEEN = dt.datetime(2026, 11, 16, 8, 0, tzinfo=dt.UTC)


def read(*items: Any, **top: Any) -> Imported:
    document = {"version": "https://jsonfeed.org/version/1.1", "title": "Paper", "items": list(items), **top}
    return read_json_feed(document, base_url="https://paper.example/feed.json", seen=SEEN)


def test_an_item_becomes_a_draft() -> None:
    imported = read(
        {
            "id": 7,
            "url": "/7?utm_source=feed",
            "title": "1 < 2 & <b>",
            "content_html": "<p>First.</p><p>Second.</p>",
            "summary": "In short",
            "image": "/7.jpg",
            "date_published": "2026-11-15T10:00:00+01:00",
            "authors": [{"name": "Eva"}, {"name": "Ada"}, {"url": "x"}],
            "tags": ["Culture", "Music"],
            "language": "en_gb",
        },
        home_page_url="https://paper.example/",
    )
    (draft,) = imported.drafts
    assert (draft.external_id, draft.url) == ("7", "https://paper.example/7")
    assert draft.title == "1 < 2 & <b>"
    assert (draft.standfirst, draft.body) == ("In short", "<p>First.</p><p>Second.</p>")
    assert (draft.author, draft.section, draft.language) == ("Eva, Ada", "Culture", "en-GB")
    assert draft.published == dt.datetime(2026, 11, 15, 9, tzinfo=dt.UTC)
    assert draft.picture is not None
    assert draft.picture.url == "https://paper.example/7.jpg"
    assert imported.notes == ()


def test_version_1_0_and_short_posts_are_read() -> None:
    imported = read(
        {"id": "https://blog.example/1", "content_text": "A < b.\n\nMore.", "author": {"name": "Eva"}},
        {"id": "2", "external_url": "https://elsewhere.example/2", "title": "Two"},
        version="https://jsonfeed.org/version/1",
        language="nl",
        author={"name": "The paper"},
    )
    first, second = imported.drafts
    assert (first.title, first.url, first.author) == ("A < b.", "https://blog.example/1", "Eva")
    assert (second.url, second.author, second.language) == (
        "https://elsewhere.example/2",
        "The paper",
        "nl",
    )


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("text", "no JSON object"),
        ({"id": "1", "title": "One"}, "no link"),
        ({"id": "1", "url": "javascript:alert(1)", "title": "One"}, "not http"),
        ({"id": "1", "url": "https://a.example/1"}, "no heading"),
    ],
)
def test_what_is_no_story_is_rejected_with_a_reason(item: Any, reason: str) -> None:
    imported = read(item)
    assert imported.drafts == ()
    assert reason in imported.rejected[0].reason


def test_wrong_types_count_as_missing() -> None:
    imported = read(
        {
            "id": True, "url": "https://a.example/1", "title": "One", "summary": 3, "tags": "a",
            "authors": "Eva", "attachments": {"url": 1}, "date_published": 5, "image": ["x"],
        }
    )  # fmt: skip
    (draft,) = imported.drafts
    assert (draft.external_id, draft.author, draft.published) == ("https://a.example/1", "", None)
    assert read_json_feed({"items": None}, base_url="", seen=SEEN).notes == ("the feed has no entries",)


def test_a_json_feed_is_known_by_its_version() -> None:
    assert is_json_feed({"version": "https://jsonfeed.org/version/1"})
    assert not is_json_feed({"version": 2})
    assert not is_json_feed([])
