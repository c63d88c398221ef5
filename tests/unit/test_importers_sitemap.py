"""Sitemaps with news."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import ImportFailed
from digest.importers.imported import Imported
from digest.importers.sitemap import MAX_SITEMAP, read_sitemap

SEEN = dt.datetime(2026, 11, 16, 8, 0, tzinfo=dt.UTC)
NEWS = (
    'xmlns:n="http://www.google.com/schemas/sitemap-news/0.9" xmlns:image="http://x" xmlns:video="http://y"'
)


def read(data: str | bytes) -> Imported:
    raw = data.encode() if isinstance(data, str) else data
    return read_sitemap(raw, base_url="https://paper.example/", source="sitemap", seen=SEEN)


def urlset(pages: str) -> str:
    return f"<?xml version='1.0'?><urlset xmlns='http://s' {NEWS}>{pages}</urlset>"


ONE = """<url><loc> https://paper.example/1?utm_source=x </loc><lastmod>2026-11-15</lastmod>
<n:news><n:publication><n:name>Paper</n:name><n:language>nl</n:language></n:publication>
<n:publication_date>2026-11-14T10:00:00+01:00</n:publication_date><n:title>One &amp; all</n:title></n:news>
<image:image><image:loc>https://paper.example/1.jpg</image:loc>
<image:caption>A pier</image:caption></image:image>
<image:image><image:loc>https://paper.example/2.jpg</image:loc></image:image></url>"""


def test_news_becomes_drafts() -> None:
    (draft,) = read(urlset(ONE)).drafts
    assert (draft.title, draft.url, draft.language) == ("One & all", "https://paper.example/1", "nl")
    assert draft.published == dt.datetime(2026, 11, 14, 9, tzinfo=dt.UTC)
    assert draft.picture is not None
    assert (draft.picture.url, draft.picture.caption) == ("https://paper.example/1.jpg", "A pier")


def test_a_page_without_heading_is_rejected_with_its_link() -> None:
    imported = read(urlset(ONE + "<url><loc>https://paper.example/about</loc></url>"))
    assert len(imported.drafts) == 1
    assert imported.rejected[0].item == "https://paper.example/about"
    assert "no heading" in imported.rejected[0].reason


def test_prefixes_that_nobody_declared_are_read() -> None:
    assert len(read(urlset(ONE).replace(NEWS, "")).drafts) == 1


def test_what_came_before_a_fault_is_read() -> None:
    imported = read(urlset(ONE + "<url><loc>https://paper.example/2</loc></wrong>"))
    assert len(imported.drafts) == 1
    assert "not well-formed" in imported.notes[0]


def test_an_index_says_what_is_in_it_and_fetches_nothing() -> None:
    listed = "".join(f"<sitemap><loc>https://paper.example/{n}.xml</loc></sitemap>" for n in range(20))
    with pytest.raises(ImportFailed) as failed:
        read(
            f"<sitemapindex>{listed}<sitemap><loc>https://paper.example/news.xml</loc></sitemap></sitemapindex>"
        )
    assert "21 sitemaps: https://paper.example/news.xml, " in str(failed.value)
    assert str(failed.value).endswith(", ...")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("<rss/>", "no sitemap"),
        ("", "cannot be parsed"),
        ("<!DOCTYPE urlset [<!ENTITY a 'aaaa'>]><urlset>&a;</urlset>", "entities"),
        ("<!DOCTYPE urlset [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><urlset>&a;</urlset>", "entities"),
        ("<?xml version='1.0' encoding='nonsense'?><urlset/>", "encoding"),
    ],
)
def test_what_is_no_sitemap_or_does_harm_is_refused(data: str, reason: str) -> None:
    with pytest.raises(ImportFailed, match=reason):
        read(data)


def test_a_sitemap_that_is_too_large_is_refused() -> None:
    with pytest.raises(ImportFailed, match=r"sitemaps\.org"):
        read(b" " * (MAX_SITEMAP + 1))


def test_an_empty_one_is_told() -> None:
    assert read("<urlset/>").notes == ("the sitemap has no addresses",)


@given(st.binary(max_size=200))
def test_rubbish_never_breaks_the_reader(middle: bytes) -> None:
    whole = urlset(ONE).encode()
    try:
        imported = read(whole[:200] + middle + whole[200:])
    except ImportFailed:
        return
    assert all(rejected.reason for rejected in imported.rejected)
