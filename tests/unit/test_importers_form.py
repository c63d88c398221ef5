"""The form of a document shows from what is in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.importers.form import Form, detect


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("<rss version='2.0'>", Form.feed),
        ("\ufeff \n<?xml version='1.0'?><!-- hi --><rdf:RDF>", Form.feed),
        ("<!DOCTYPE html><html>", Form.feed),
        ("<?xml version='1.0'?>\n<!-- <feed> --><urlset xmlns='x'>", Form.sitemap),
        ("<sm:sitemapindex xmlns:sm='x'>", Form.sitemap),
        ("[", Form.json),
        ('[{"id": 1}]', Form.json),
        ('{\n "items": []}', Form.json),
        ('{"items": []}', Form.json),
        ('{"items": []}\n', Form.json),
        ('{"items": [' + '{"id": 1},' * 20000, Form.json),
        ('{"id": 1}\n{"id": 2}\n', Form.jsonl),
        ('{"id": 1, broken\n{"id": 2}\n', Form.jsonl),
        ('{"id": 1}\r\n\r\n{"id": 2}', Form.jsonl),
        ("id,title\n1,One", Form.csv),
        ("", Form.csv),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_content_tells_the_form(text: str, form: Form, encoding: str) -> None:
    assert detect(text.encode(encoding)) is form


def test_a_label_decides_only_what_the_content_leaves_open() -> None:
    printed_before = b"Warning: deprecated in /srv/x.php\n<rss version='2.0'><channel>"
    assert detect(printed_before) is Form.csv
    assert detect(printed_before, content_type="application/rss+xml; charset=utf-8") is Form.feed
    assert detect(printed_before, name="https://paper.example/feed.xml?x=1") is Form.feed
    assert detect(b"id,title\n", content_type="text/xml") is Form.csv
    assert detect(b"<rss>", content_type="text/csv", name="a.csv") is Form.feed


@given(st.binary(max_size=300))
def test_anything_has_a_form(start: bytes) -> None:
    assert detect(start) in Form


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20)), min_size=2, max_size=4))
def test_objects_line_by_line_are_told_from_one_document(objects: list[dict[str, str]]) -> None:
    assert detect("\n".join(map(json.dumps, objects)).encode()) is Form.jsonl
    assert detect(json.dumps({"items": objects}, indent=1).encode()) is Form.json
    assert detect(json.dumps(objects).encode()) is Form.json
