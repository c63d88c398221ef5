"""What a page says of itself."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.importers.draft import Fields, draft
from digest.importers.page import Page, fill, read_page
from digest.model import Picture, StoryKind

URL = "https://www.paper.example/news/1"


def page(head: str, body: str = "", *, url: str = URL, html: str = "<html lang='en-gb'>") -> Page:
    return read_page(f"<!doctype html>{html}<head>{head}</head><body>{body}</body>".encode(), url=url)


def ld(*nodes: Any) -> str:
    return "".join(f'<script type="application/ld+json">{json.dumps(node)}</script>' for node in nodes)


ARTICLE = {
    "@context": "https://schema.org",
    "@type": "NewsArticle",
    "headline": "From JSON",
    "description": "Short",
    "author": [{"@type": "Person", "name": "Eva"}, {"name": "By Ada"}],
    "articleSection": ["Culture", "Music"],
    "datePublished": "2026-11-15T10:00:00+01:00",
    "dateModified": "2026-11-15T12:00:00Z",
    "image": {
        "@type": "ImageObject",
        "url": "/1.jpg?w=9",
        "caption": "A pier",
        "creditText": "Ann/Agency",
        "width": 800,
    },
    "inLanguage": "nl",
    "articleBody": "word " * 200,
}


def test_opengraph_meta_and_link_are_read() -> None:
    found = page(
        """<link rel="shortlink canonical" href="/news/1?utm_source=x"><title>T</title>
        <meta property="og:title" content="A &amp; B"><meta name="description" content="Less">
        <meta property="og:description" content="Short">
        <meta property="og:image" content="//cdn.example/p.jpg">
        <meta property="og:image:alt" content="A pier">
        <meta property="og:image:width" content="1200"><meta property="og:image:height" content="1">
        <meta name="author" content="By Eva"><meta property="article:author" content="https://x.example/eva">
        <meta property="article:section" content="Culture">
        <meta property="article:published_time" content="2026-11-15T10:00:00+01:00">"""
    )
    assert (found.url, found.title, found.standfirst) == (
        "https://www.paper.example/news/1",
        "A & B",
        "Short",
    )
    assert (found.author, found.section, found.language) == ("Eva", "Culture", "en-GB")
    assert found.published == dt.datetime(2026, 11, 15, 9, tzinfo=dt.UTC)
    assert found.picture == Picture("https://cdn.example/p.jpg", "A pier", width=1200)


@pytest.mark.parametrize(
    "scripts",
    [
        ld(ARTICLE),
        ld({"@graph": [{"@type": "WebPage", "name": "x"}, ARTICLE]}),
        ld([{"@type": "BreadcrumbList"}], {"@type": "WebPage", "mainEntity": ARTICLE}),
        f"<script type='application/ld+json'>//<![CDATA[\n{json.dumps(ARTICLE)};\n//]]></script>",
        "<script type='application/ld+json'>{broken</script>" + ld(ARTICLE),
    ],
)
def test_json_ld_is_read_wherever_it_stands(scripts: str) -> None:
    found = page("", scripts, html="<html>")
    assert (found.title, found.standfirst, found.author) == (
        "From JSON",
        "Short",
        "Eva, By Ada".replace("By ", ""),
    )
    assert (found.section, found.language) == ("Culture", "nl")
    assert (found.published and found.published.hour, found.updated and found.updated.hour) == (9, 12)
    assert found.picture == Picture(
        "https://www.paper.example/1.jpg?w=9", None, "A pier", "Ann/Agency", width=800
    )
    assert len(found.text.split()) == 200


def test_words_for_the_picture_come_from_wherever_it_stands() -> None:
    head = '<meta property="og:image" content="https://cdn.example/big/p.jpg">'
    found = page(head, '<img src="/small/P.jpg?x=1" alt="Children on a pier">' + ld(ARTICLE))
    assert found.picture == Picture(
        "https://cdn.example/big/p.jpg", "Children on a pier", "A pier", "Ann/Agency", width=800
    )
    for name in ("p.jpg", "P", "img_1234.png"):
        picture = page(head, f'<img src="/small/p.jpg" alt="{name}">').picture
        assert picture is not None
        assert picture.alt is None, "the name of a file is no description"


@pytest.mark.parametrize(
    ("stated", "url"),
    [
        ("https://paper.example/a", "https://paper.example/a"),
        ("https://m.paper.example/a", "https://m.paper.example/a"),
        ("https://other.example/a", ""),
        ("https://www.paper.example/", ""),
        ("javascript:alert(1)", ""),
        ("", ""),
    ],
)
def test_a_canonical_address_counts_on_the_same_site_and_for_one_page(stated: str, url: str) -> None:
    assert page(f'<link rel="canonical" href="{stated}">').url == url


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (ld({"@type": "LiveBlogPosting", "headline": "x"}, ARTICLE), StoryKind.live),
        (ld({"@type": ["Thing", "VideoObject"], "name": "x"}), StoryKind.video),
        (ld(ARTICLE, {"@type": "VideoObject"}), StoryKind.article),
        (ld({"@type": "AdvertiserContentArticle"}), StoryKind.sponsored),
        ('<meta property="og:type" content="video.other">', StoryKind.video),
        ('<meta property="article:section" content="Anzeige">', StoryKind.sponsored),
        ("", StoryKind.article),
    ],
)
def test_the_kind_shows_from_what_the_page_says_it_is(head: str, kind: StoryKind) -> None:
    assert page(head).kind is kind


@pytest.mark.parametrize(
    ("data", "header"),
    [
        ("<title>Été</title>".encode(), ""),
        ("<title>Été</title>".encode("cp1252"), ""),
        ("<meta charset=iso-8859-1><title>Été</title>".encode("cp1252"), ""),
        ("<title>Été</title>".encode("utf-16"), ""),
        ("<meta charset=utf-8><title>Été</title>".encode("cp1252"), "text/html; charset=windows-1252"),
        ("<meta charset=klingon><title>Été</title>".encode(), ""),
    ],
)
def test_a_page_is_decoded_as_it_says_or_as_it_is(data: bytes, header: str) -> None:
    assert read_page(data, url=URL, content_type=header).title == "Été"


def test_a_page_completes_what_the_source_left_out_and_nothing_else() -> None:
    told = page('<link rel="canonical" href="/news/one">', ld(ARTICLE))
    fields = Fields(url=f"{URL}?utm_source=x", title="Ours", section="Arts")
    fill(fields, told)
    made = draft(fields)
    assert (made.title, made.section, made.author) == ("Ours", "Arts", "Eva, Ada")
    assert (made.url, made.external_id) == ("https://www.paper.example/news/one", URL)
    assert (made.standfirst, made.full_text) == ("Short", True)
    assert set(made.from_page) == {
        "author", "body", "full_text", "kind", "language", "picture", "standfirst", "url",
    }  # fmt: skip


def test_a_page_describes_the_picture_of_the_source() -> None:
    fields = Fields(url=URL, title="x", pictures=[Picture("https://cdn.example/1.jpg")])
    fill(fields, page("", ld(ARTICLE)))
    assert fields.pictures == [Picture("https://cdn.example/1.jpg", None, "A pier", "Ann/Agency")]


@given(st.binary(max_size=300))
def test_rubbish_says_nothing_and_breaks_nothing(data: bytes) -> None:
    found = read_page(b"<meta property='og:title' content='T'><![" + data, url=URL)
    assert found.title == "T"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["@type", "@graph", "mainEntity", "image", "author", "url", "headline", "datePublished"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_in_a_page_is_survived(value: Any) -> None:
    page("", ld({"@type": "Article", "image": value, "author": value, "datePublished": value}, value))
