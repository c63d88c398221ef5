"""Feeds as newsrooms write them, and as nobody should."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import ImportFailed
from digest.importers.feed import MAX_FEED, read_feed
from digest.importers.imported import Imported
from digest.model import StoryDraft

SEEN = dt.datetime(2026, 11, 16, 8, 0, tzinfo=dt.UTC)
BASE = "https://paper.example/feeds/news.xml"


def read(data: str | bytes, **options: Any) -> Imported:
    raw = data.encode() if isinstance(data, str) else data
    return read_feed(raw, base_url=options.pop("base_url", BASE), source="paper", seen=SEEN, **options)


def rss(items: str, channel: str = "<link>https://paper.example/</link>", attributes: str = "") -> str:
    return (
        f'<?xml version="1.0"?><rss version="2.0" {attributes}><channel><title>Paper</title>{channel}{items}'
        "</channel></rss>"
    )


def one(items: str, **channel: Any) -> StoryDraft:
    imported = read(rss(items, **channel))
    assert imported.rejected == ()
    (draft,) = imported.drafts
    return draft


MEDIA = 'xmlns:media="http://search.yahoo.com/mrss/"'
CONTENT = 'xmlns:content="http://purl.org/rss/1.0/modules/content/"'


def test_an_rss_item_becomes_a_draft() -> None:
    draft = one(
        "<item><guid isPermaLink='false'>a-1</guid><link>https://paper.example/1?utm_source=rss</link>"
        "<title>Fish &amp; chips</title><description>What it costs now.</description>"
        "<category>Food</category>"
        "<author>desk@paper.example (Jane Doe)</author>"
        "<pubDate>Mon, 16 Nov 2026 06:00:00 +0100</pubDate></item>",
        channel="<link>https://paper.example/</link><language>en-gb</language>",
    )
    assert (draft.external_id, draft.url, draft.title) == ("a-1", "https://paper.example/1", "Fish & chips")
    assert (draft.standfirst, draft.body, draft.section, draft.author) == (
        "What it costs now.",
        "",
        "Food",
        "Jane Doe",
    )
    assert draft.published == dt.datetime(2026, 11, 16, 5, 0, tzinfo=dt.UTC)
    assert draft.language == "en-GB"


def test_an_atom_entry_becomes_a_draft() -> None:
    imported = read(
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://paper.example/x/" xml:lang="de"><entry>'
        '<id>urn:1</id><title type="text">Use the &lt;b&gt; tag</title><link href="../7"/>'
        "<updated>2026-11-15T10:00:00Z</updated>"
        "<summary>Kurz.</summary>"
        '<content type="html">&lt;p&gt;Lang &lt;a href="../8"&gt;und&lt;/a&gt; breit.&lt;/p&gt;</content>'
        "<author><name>Eva</name></author><author><name>Jo</name></author></entry></feed>"
    )
    (draft,) = imported.drafts
    assert (draft.external_id, draft.url, draft.title) == (
        "urn:1",
        "https://paper.example/7",
        "Use the <b> tag",
    )
    assert draft.standfirst == "Kurz."
    assert draft.body == '<p>Lang <a href="https://paper.example/8">und</a> breit.</p>'
    assert (draft.author, draft.language) == ("Eva, Jo", "de")
    assert draft.published == draft.updated == dt.datetime(2026, 11, 15, 10, 0, tzinfo=dt.UTC)


def test_rdf_is_read_too() -> None:
    imported = read(
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><item rdf:about="https://paper.example/1">'
        "<title>One</title>"
        "<link>https://paper.example/1</link><dc:date>2026-11-15T10:00:00Z</dc:date>"
        "<dc:creator>Eva</dc:creator></item></rdf:RDF>"
    )
    (draft,) = imported.drafts
    assert (draft.title, draft.author) == ("One", "Eva")
    assert draft.published is not None


def test_the_summary_introduces_and_the_content_is_the_body() -> None:
    draft = one(
        "<item><link>https://paper.example/1</link><title>One</title><description>In short.</description>"
        f"<content:encoded><![CDATA[<p>In full.</p><p>{'word ' * 200}</p>]]></content:encoded></item>",
        attributes=CONTENT,
    )
    assert draft.standfirst == "In short."
    assert draft.body.startswith("<p>In full.</p>")
    assert draft.full_text


def test_a_summary_that_is_a_cut_of_the_text_gives_way_to_its_first_paragraph() -> None:
    draft = one(
        "<item><link>https://paper.example/1</link><title>One</title>"
        "<description>It began on Monday when the […]"
        "</description><content:encoded><![CDATA[<p>It began on Monday when the river rose.</p>"
        "<p>Then it fell.</p>]]>"
        "</content:encoded></item>",
        attributes=CONTENT,
    )
    assert draft.standfirst == "It began on Monday when the river rose."
    assert draft.body == "<p>Then it fell.</p>"
    assert not draft.full_text


def test_scripts_and_styles_do_not_get_in() -> None:
    draft = one(
        "<item><link>https://paper.example/1</link>"
        "<title>&lt;script&gt;x()&lt;/script&gt;Safe &lt;b&gt;title&lt;/b&gt;</title>"
        "<description><![CDATA[<style>p{}</style><p onclick='x()' style='color:red'>Hi</p><p>there"
        "<a href='javascript:x()'>x</a></p><iframe src='https://evil.example'></iframe>]]>"
        "</description></item>"
    )
    assert draft.title == "Safe title"
    assert draft.standfirst == "Hi"
    assert draft.body == "<p>there<a>x</a></p>"


# --- pictures -------------------------------------------------------------------------------------


def test_the_widest_media_content_is_the_picture() -> None:
    draft = one(
        "<item><link>https://paper.example/1</link><title>One</title><media:thumbnail url='/t.jpg'/>"
        "<media:content url='https://paper.example/s.jpg' medium='image' width='140'/>"
        "<media:content url='https://paper.example/l.jpg' medium='image' width='1200' height='800'/>"
        "<media:content url='https://paper.example/v.mp4' medium='video' width='1920'/>"
        "<media:credit>Jo Doe</media:credit><media:description>The pier at dawn.</media:description>"
        "<description>The text.</description></item>",
        attributes=MEDIA,
    )
    assert draft.picture is not None
    assert draft.picture.url == "https://paper.example/l.jpg"
    assert (draft.picture.width, draft.picture.height) == (1200, 800)
    assert (draft.picture.credit, draft.picture.caption) == ("Jo Doe", "The pier at dawn.")
    assert draft.standfirst == "The text.", "a picture's text is not the story's, in whatever order they come"


def test_a_media_description_before_the_text_is_no_standfirst() -> None:
    draft = one(
        "<item><link>https://paper.example/1</link><title>One</title>"
        "<media:description>About the picture.</media:description>"
        "<description>About the story.</description></item>",
        attributes=MEDIA,
    )
    assert draft.standfirst == "About the story."
    assert draft.body == ""


def test_a_video_has_only_its_media_description() -> None:
    draft = one(
        "<item><link>https://paper.example/1</link><title>One</title><media:group>"
        "<media:description>All there is."
        "</media:description></media:group></item>",
        attributes=MEDIA,
    )
    assert draft.standfirst == "All there is."


@pytest.mark.parametrize(
    ("item", "url"),
    [
        (
            "<enclosure url='https://paper.example/e.jpg' type='image/jpeg' length='1'/>",
            "https://paper.example/e.jpg",
        ),
        ("<media:thumbnail url='https://paper.example/t.jpg'/>", "https://paper.example/t.jpg"),
        (
            "<description>&lt;p&gt;x &lt;img src='/i.jpg' alt='A pier'&gt;&lt;/p&gt;</description>",
            "https://paper.example/i.jpg",
        ),
    ],
)
def test_a_picture_is_found_where_there_is_one(item: str, url: str) -> None:
    draft = one(
        f"<item><link>https://paper.example/1</link><title>One</title>{item}</item>", attributes=MEDIA
    )
    assert draft.picture is not None
    assert draft.picture.url == url


def test_the_words_of_a_picture_in_the_text_go_with_the_same_picture_of_the_feed() -> None:
    draft = one(
        "<item><link>https://paper.example/1</link><title>One</title>"
        "<media:content url='https://paper.example/p.jpg?w=100' medium='image'/>"
        ""
        "<description>&lt;p&gt;Text&lt;/p&gt;&lt;img src='https://paper.example/p.jpg' alt='A pier'&gt;"
        "</description></item>",
        attributes=MEDIA,
    )
    assert draft.picture is not None
    assert draft.picture.alt == "A pier"


# --- what is missing ------------------------------------------------------------------------------


def test_an_entry_without_id_is_known_by_its_link() -> None:
    first = one("<item><link>https://paper.example/1?utm_source=a</link><title>One</title></item>")
    again = one("<item><link>https://paper.example/1?utm_source=b</link><title>One, edited</title></item>")
    assert first.external_id == again.external_id == "https://paper.example/1"


def test_a_guid_that_is_an_address_serves_as_the_link() -> None:
    assert (
        one("<item><guid>https://paper.example/1</guid><title>One</title></item>").url
        == "https://paper.example/1"
    )


def test_an_entry_without_link_is_rejected_with_its_place_and_reason() -> None:
    imported = read(
        rss("<item><title>One</title></item><item><title>Two</title><link>javascript:x()</link></item>")
    )
    assert imported.drafts == ()
    assert [(r.row, r.item) for r in imported.rejected] == [(1, "One"), (2, "Two")]
    assert imported.rejected[0].reason == "no link"
    assert "javascript" in imported.rejected[1].reason


def test_an_entry_without_heading_gets_its_first_words() -> None:
    imported = read(
        rss("<item><link>https://paper.example/1</link><description>Just a note.</description></item>")
    )
    assert imported.drafts[0].title == "Just a note."
    assert any("no heading" in note for note in imported.notes)


def test_an_entry_without_heading_and_text_is_rejected() -> None:
    imported = read(rss("<item><link>https://paper.example/1</link></item>"))
    assert imported.rejected[0].reason == "no heading"


def test_a_missing_date_is_noted() -> None:
    imported = read(rss("<item><link>https://paper.example/1</link><title>One</title></item>"))
    assert imported.drafts[0].published is None
    assert any("no date" in note for note in imported.notes)


def test_a_date_far_ahead_counts_as_missing_and_is_noted() -> None:
    items = "".join(
        f"<item><link>https://paper.example/{n}</link><title>{n}</title><pubDate>{date}</pubDate></item>"
        for n, date in enumerate(["Mon, 16 Nov 2026 20:00:00 GMT", "Wed, 18 Nov 2026 20:00:00 GMT"])
    )
    imported = read(rss(items))
    assert [draft.published is None for draft in imported.drafts] == [False, True]
    assert any("ahead" in note for note in imported.notes)


def test_a_relative_link_starts_from_the_channel() -> None:
    assert one("<item><link>/news/1</link><title>One</title></item>").url == "https://paper.example/news/1"


def test_a_link_through_a_counter_gives_way_to_the_page() -> None:
    draft = one(
        "<item><link>http://feedproxy.example/~r/1</link><title>One</title>"
        "<feedburner:origLink>https://paper.example/1</feedburner:origLink></item>",
        attributes='xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0"',
    )
    assert draft.url == "https://paper.example/1"


def test_an_entry_that_comes_twice_is_taken_once() -> None:
    item = "<item><guid>a</guid><link>https://paper.example/1</link><title>{}</title><pubDate>{}</pubDate></item>"
    imported = read(
        rss(
            item.format("Old", "Mon, 16 Nov 2026 01:00:00 GMT")
            + item.format("New", "Mon, 16 Nov 2026 02:00:00 GMT")
        )
    )
    assert [draft.title for draft in imported.drafts] == ["New"]
    assert len(imported.rejected) == 1


def test_an_id_that_different_pages_share_names_none_of_them() -> None:
    item = "<item><guid isPermaLink='false'>same</guid><link>https://paper.example/{0}</link><title>{0}</title></item>"
    imported = read(rss(item.format(1) + item.format(2)))
    assert {draft.external_id for draft in imported.drafts} == {
        "https://paper.example/1",
        "https://paper.example/2",
    }


def test_a_section_is_a_category_and_not_a_keyword() -> None:
    draft = one(
        "<item><link>https://paper.example/1</link><title>One</title>"
        "<category domain='https://paper.example/keywords/person'>Doe, Jane</category>"
        "<category>Uncategorized</category>"
        "<category>Politics</category></item>"
    )
    assert draft.section == "Politics"


def test_sections_and_language_of_the_source_serve_where_there_is_none() -> None:
    imported = read(
        rss("<item><link>https://paper.example/1</link><title>1</title></item>"),
        section="World",
        language="fr",
    )
    assert (imported.drafts[0].section, imported.drafts[0].language) == ("World", "fr")


# --- what is no feed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\0", "empty"),
        (b"<!DOCTYPE html><html><head><title>x</title></head><body><p>Hello</p></body></html>", "HTML page"),
        (b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><body/></html>', "HTML page"),
        (b'{"version": "https://jsonfeed.org/version/1.1", "items": []}', "JSON"),
        (b"Not found", "no feed"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "neither RSS"),
        (b"\x1f\x8b\x08\x00rubbish", "no feed"),
        (b"<rss>" + b" " * MAX_FEED, "at most"),
    ],
)
def test_what_is_no_feed_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(ImportFailed, match=reason) as failed:
        read(data)
    assert failed.value.source == "paper"


def test_a_feed_without_entries_is_read_and_noted() -> None:
    imported = read(rss(""))
    assert imported.drafts == ()
    assert "the feed has no entries" in imported.notes


LAUGHS = (
    '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">'
)
BODY = "<rss version='2.0'><channel><item><link>https://a.example/</link><title>&c;</title></item></channel></rss>"


@pytest.mark.parametrize(
    "declared",
    [
        LAUGHS,
        LAUGHS.replace("<!ENTITY", "\n<!ENTITY"),
        f'<!ENTITY c "{"x" * 10000}">',
        '<!ENTITY c SYSTEM "file:///etc/passwd">',
        '<!ENTITY % p SYSTEM "http://127.0.0.1/x"> %p;',
        "<!ENTITY c '&#60;script&#62;'>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "before", ["", "<!-- <a hides the declaration -->", "<?xml-stylesheet href='<a'?>\n"]
)
def test_a_feed_whose_entities_expand_is_refused(declared: str, encoding: str, before: str) -> None:
    document = f"<?xml version='1.0' encoding='{encoding}'?>{before}<!DOCTYPE rss [{declared}]>{BODY}"
    with pytest.raises(ImportFailed, match="entities"):
        read(document.encode(encoding))


def test_entities_for_single_characters_are_fine() -> None:
    document = "<!DOCTYPE rss [<!ENTITY nbsp '&#160;'>\n<!ENTITY copy \"(C)\">]>" + BODY.replace(
        "&c;", "One&nbsp;two"
    )
    assert read(document).drafts[0].title == "One\u00a0two"


def test_a_text_that_speaks_of_entities_is_fine() -> None:
    draft = one(
        "<item><link>https://paper.example/1</link><title>One</title>"
        '<description><![CDATA[<p>Write &lt;!DOCTYPE x [&lt;!ENTITY a "&b;"&gt;]&gt;</p>]]>'
        "</description></item>"
    )
    assert "ENTITY" in draft.standfirst


# --- encodings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_the_declared_encoding_is_used(encoding: str) -> None:
    name = encoding.removesuffix("-sig")
    document = rss("<item><link>https://paper.example/1</link><title>Zürich über alles</title></item>")
    data = document.replace("?>", f' encoding="{name}"?>').encode(encoding)
    assert read(data).drafts[0].title == "Zürich über alles"


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le"])
def test_utf_16_that_says_so_nowhere_is_recognised(encoding: str) -> None:
    document = rss("<item><link>https://paper.example/1</link><title>Zürich</title></item>").partition("?>")[
        2
    ]
    assert read(document.encode(encoding)).drafts[0].title == "Zürich"


def test_a_wrong_encoding_is_mended_and_noted() -> None:
    document = rss("<item><link>https://paper.example/1</link><title>Zürich</title></item>")
    data = document.replace("?>", ' encoding="utf-8"?>').encode("windows-1252")
    imported = read(data)
    assert imported.drafts[0].title == "Zürich"
    assert any("encoding" in note for note in imported.notes)


def test_the_charset_of_the_server_counts() -> None:
    document = rss("<item><link>https://paper.example/1</link><title>Привет</title></item>").partition("?>")[
        2
    ]
    imported = read(document.encode("koi8-r"), content_type="application/rss+xml; charset=koi8-r")
    assert imported.drafts[0].title == "Привет"


def test_a_feed_that_breaks_off_gives_what_came_before() -> None:
    whole = rss("<item><link>https://paper.example/1</link><title>One</title></item><item><title>Tw")
    imported = read(whole[: whole.index("<title>Tw") + 9])
    assert imported.drafts[0].title == "One"
    assert any("well-formed" in note for note in imported.notes)


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: rss(f"<item>{text}</item>").encode()))
def test_rubbish_is_a_feed_or_fails_with_a_reason(data: bytes) -> None:
    try:
        imported = read(data)
    except ImportFailed:
        return
    assert isinstance(imported, Imported)


_values = st.text(max_size=40).map(lambda text: text.replace("]]>", ""))


@given(st.lists(st.tuples(_values, _values, _values, _values), max_size=5))
def test_every_entry_ends_as_a_draft_or_rejected(entries: list[tuple[str, str, str, str]]) -> None:
    items = "".join(
        f"<item><guid><![CDATA[{guid}]]></guid><link><![CDATA[https://paper.example/{link}]]></link>"
        f"<title><![CDATA[{title}]]></title><pubDate><![CDATA[{date}]]></pubDate></item>"
        for guid, link, title, date in entries
    )
    data = rss(items).encode("utf-8", "surrogatepass")
    try:
        imported = read(data)
    except ImportFailed:
        return
    if not any("well-formed" in note or "encoding" in note for note in imported.notes):
        assert len(imported.drafts) + len(imported.rejected) == len(entries)
    for draft in imported.drafts:
        assert draft.title
        assert draft.url.startswith("https://")
