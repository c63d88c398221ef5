"""JSON documents: an array, or the one list of objects in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from digest.errors import ImportFailed, UsageError
from digest.importers.figures import parse_figure
from digest.importers.objects import MAX_JSON, load
from tests.unit.test_importers_table import Outcome

STORY = {"id": 1, "title": "One", "url": "https://a.example/1"}


def read(document: Any, **context: Any) -> Outcome:
    return Outcome(json.dumps(document), **context)


@pytest.mark.parametrize(
    "document",
    [
        [STORY],
        STORY,
        {"articles": [STORY], "days": ["2024-01-08"], "status": "ok"},
        {"data": {"posts": {"edges": [{"node": STORY}]}}},
        {"kind": "Listing", "data": {"children": [{"kind": "t3", "data": STORY}]}},
        {"articles": [STORY], "warnings": [{"code": 1}]},
        {"articles": [STORY], "related": []},
    ],
)
def test_the_list_of_stories_is_found(document: Any) -> None:
    assert read(document).titles == ["One"]


def test_names_as_interfaces_write_them_are_known() -> None:
    (draft,) = read(
        {
            "articles": [
                {
                    "source": {"id": None, "name": "Paper"},
                    "title": "One",
                    "description": "Short",
                    "url": "https://a.example/1",
                    "urlToImage": "https://a.example/1.jpg",
                    "publishedAt": "2026-11-15T10:00:00Z",
                }
            ]
        }
    ).drafts
    assert draft.picture is not None
    assert (draft.picture.url, draft.published and draft.published.day) == ("https://a.example/1.jpg", 15)
    (draft,) = read(
        [
            {
                "id": 3,
                "link": "https://b.example/3",
                "title": {"rendered": "A &amp; B"},
                "excerpt": {"rendered": "<p>Short</p>"},
                "content": {"rendered": "<p>Long</p>", "protected": False},
                "date": "2026-11-15T10:00:00",
                "section": {"id": 4, "name": "Arts"},
                "picture": {"alt": "x", "src": "/3.jpg"},
            }
        ],
        base_url="https://b.example/",
    ).drafts
    assert (draft.title, draft.standfirst, draft.body, draft.section) == (
        "A & B",
        "Short",
        "<p>Long</p>",
        "Arts",
    )
    assert draft.picture is not None
    assert draft.picture.url == "https://b.example/3.jpg"


def test_which_of_several_lists_has_to_be_said() -> None:
    document = {"a": [STORY], "b": {"c": [{**STORY, "title": "Two"}]}}
    with pytest.raises(UsageError, match=r"a \(1\), b\.c \(1\)") as failed:
        read(document)
    assert "--records a" in failed.value.hint
    assert read(document, records="b.c").titles == ["Two"]
    with pytest.raises(UsageError, match="no list at 'b'"):
        read(document, records="b")


def test_a_mapped_heading_tells_the_list() -> None:
    document = {"a": [{"x": 1}], "b": [{"kop": "One", "href": "https://a.example/1"}]}
    assert read(document, mapped={"title": ("kop",)}).titles == ["One"]


def test_what_is_no_object_is_rejected() -> None:
    found = read([STORY, 5, None, "x"])
    assert found.titles == ["One"]
    assert [(r.row, r.reason) for r in found.rejected] == [(n, "it is no JSON object") for n in (2, 3, 4)]


def test_an_empty_list_is_told_and_no_fault() -> None:
    assert read({"status": "ok", "articles": []}).notes == ["the list of objects is empty"]


def test_a_document_without_stories_names_what_it_has() -> None:
    with pytest.raises(UsageError, match=r"no name for title; found: error"):
        read({"error": "no such key"})
    for rubbish in ("[1]", "[{}]"):
        with pytest.raises(ImportFailed, match="JSON"):
            Outcome(rubbish)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": ',
        b"[" * 100_000,
        b'[{"id": ' + b"9" * 5000 + b"}]",
        b'{"a": 1}\n{"a": 2}',
        b'"text',
        b"\xff\xfe[",
    ],
)
def test_broken_json_is_an_error_with_its_place(data: bytes) -> None:
    with pytest.raises(ImportFailed, match="JSON"):
        load(data, "x")


def test_a_document_that_is_too_large_is_refused_with_a_way_out() -> None:
    with pytest.raises(ImportFailed) as failed:
        load(b" " * (MAX_JSON + 1), "x")
    assert "jq" in failed.value.hint


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_in_all_its_forms_is_read(encoding: str) -> None:
    assert load('{"a": "é\u2028\t"}'.encode(encoding), "x") == {"a": "é\u2028\t"}


def test_figures_stand_beside_the_story_or_in_a_list_of_their_own() -> None:
    taken: list[tuple[str, str, float, int]] = []
    daily = [{"date": "2026-11-10", "views": 5}, {"date": "2026-11-11", "views": 7}]
    found = read(
        [{**STORY, "score": "12", "stats": {"daily": daily}}],
        figures=tuple(map(parse_figure, ("points=score", "views:count:1d=stats.daily"))),
        measure=lambda metric, r: taken.append((metric.name, r.story, r.value, r.at.day)),
    )
    assert taken == [("points", "1", 12.0, 16), ("views", "1", 5.0, 10), ("views", "1", 7.0, 11)]
    assert found.drafts[0].first_seen is not None
    assert found.drafts[0].first_seen.day == 10, "when it was first measured"
