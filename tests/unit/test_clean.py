"""What sources say is made fit for other people's mailboxes."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.importers.clean import canonical_url, cut, heading, line, looks_like_html, plain, sanitise

# --- links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_url", "canonical"),
    [
        ("HTTPS://Paper.Example:443/News/", "https://paper.example/News/"),
        ("http://paper.example", "http://paper.example/"),
        ("http://paper.example:8080/", "http://paper.example:8080/"),
        ("http://paper.example./a", "http://paper.example/a"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("http://i❤.ws/", "http://xn--i-7iq.ws/"),
        ("https://a.example/%7euser/%e4%b8%ad/%2f", "https://a.example/~user/%E4%B8%AD/%2F"),
        ("https://a.example/a/./b/../c/..", "https://a.example/a/"),
        ("https://a.example/100%/x", "https://a.example/100%25/x"),
        ("https://a.example/?b=2&a=1&b=3", "https://a.example/?b=2&a=1&b=3"),
        ("https://a.example/?utm_source=x&id=7&fbclid=y&UTM_Medium=z", "https://a.example/?id=7"),
        ("https://a.example/?gclid=1&mc_cid=2&mc_eid=3", "https://a.example/"),
        ("https://a.example/?utm%5Fsource=x", "https://a.example/"),
        ("https://a.example/?partner=rss&emc=rss&format=rss", "https://a.example/?format=rss"),
        ("https://a.example/s#section-2", "https://a.example/s"),
        ("https://a.example/s#:~:text=word", "https://a.example/s"),
        ("https://a.example/#!/story/7", "https://a.example/#!/story/7"),
        ("https://a.example/app#/story/7", "https://a.example/app#/story/7"),
        ("https://someone:secret@a.example/", "https://a.example/"),
        ("https://good.example\\@evil.example/", "https://good.example/@evil.example/"),
        ("  https://a.example/\tb\n ", "https://a.example/b"),
        ("//a.example/b", "https://a.example/b"),
        ("www.a.example/b", "https://www.a.example/b"),
        ("http:a.example/b", "http://a.example/b"),
        ("http://[2001:DB8::1]:80/", "http://[2001:db8::1]/"),
    ],
)
def test_one_page_has_one_address(given_url: str, canonical: str) -> None:
    assert canonical_url(given_url) == canonical
    assert canonical_url(canonical) == canonical


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "no link"),
        ("javascript:alert(1)", "javascript:"),
        ("JaVa\nScript:alert(1)", "javascript:"),
        ("data:text/html,x", "data:"),
        ("mailto:a@example.org", "mailto:"),
        ("file:///etc/passwd", "file:"),
        ("item?id=7", "relative"),
        ("/news/7", "relative"),
        ("https://", "host"),
        ("https://a..b/", "host"),
        ("https://a b.example/", "host"),
        ("https://[::1/", "host"),
        ("https://[1.2]/", "host"),
        ("https://a.example:99999/", "port"),
        ("https://a.example:x/", "port"),
        ("https://a.example/" + "x" * 5000, "longer"),
    ],
)
def test_what_is_no_web_address_is_refused_with_a_reason(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        canonical_url(url)


def test_a_relative_address_starts_from_its_base() -> None:
    assert canonical_url("../b?id=1", base="https://a.example/x/y/") == "https://a.example/x/b?id=1"


_pieces = st.lists(
    st.sampled_from(
        [
            *"/?#&=%.:@[]\\;+~ ",
            "%2e",
            "%41",
            "%zz",
            "..",
            "utm_source=",
            "ü",
            "例",
            "a",
            "B",
            "1",
            "\u202e",
            "www.",
        ]
    ),
    max_size=20,
).map("".join)


@given(st.sampled_from(["http://", "https://", "HTTP:", "//", ""]), _pieces | st.text(max_size=30))
def test_the_canonical_form_of_an_address_is_its_own(scheme: str, rest: str) -> None:
    try:
        once = canonical_url(f"{scheme}a.example{rest}")
    except ValueError:
        return
    assert canonical_url(once) == once
    assert once.startswith(("http://", "https://"))
    assert re.fullmatch(r"[!-~]+", once), "printable ASCII"
    assert not set(once) & set('<>"\\^`{|} ')


# --- text -----------------------------------------------------------------------------------------


def test_control_characters_and_lone_surrogates_are_dropped() -> None:
    assert line("a\0b\x1b[31m\x07c\ud800d\ufeff e\ufffe") == "ab[31mcd e"


def test_white_space_is_folded_but_figures_keep_their_unit() -> None:
    assert line(" a\t\n b\u2028c  10\u00a0000\u202f€ ") == "a b c 10\u00a0000\u202f€"


def test_an_override_cannot_turn_a_heading_around() -> None:
    assert line("safe \u202etxt.exe\u202c") == "safe txt.exe"


def test_open_isolates_are_closed_and_stray_ends_dropped() -> None:
    assert line("a \u2067b") == "a \u2067b\u2069"
    assert line("a\u2069 b") == "a b"


def test_emoji_and_scripts_survive() -> None:
    text = "👩\u200d👩\u200d👧 Ürümqi שלום مرحبا 新闻"
    assert line(text) == unicodedata.normalize("NFC", text)


def test_a_long_heading_is_cut_at_a_word_with_an_ellipsis() -> None:
    made = heading("word " * 200)
    assert len(made) <= 500
    assert made.endswith("word…")


def test_a_heading_without_spaces_is_cut_all_the_same() -> None:
    assert heading("新" * 600) == "新" * 499 + "…"


def test_a_heading_is_not_cut_inside_a_character() -> None:
    assert cut("ab\u0301cd", 3) == "a…"
    assert cut("xy👩\u200d👧z!", 5) == "xy…"


@given(st.text(alphabet=st.characters(), max_size=700), st.integers(2, 600))
def test_a_line_is_one_printable_line_within_its_limit(text: str, limit: int) -> None:
    made = line(text, limit)
    assert len(made) <= limit
    assert made == made.strip()
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2028\ud800-\udfff]", made)
    made.encode("utf-8")


@pytest.mark.parametrize(
    "text", ["vector<int> in C++", "AT&T buys", "1 < 2 > 0", "a <- b", "Using <details> well"]
)
def test_a_heading_that_only_looks_odd_is_no_html(text: str) -> None:
    assert not looks_like_html(text)
    assert heading(text) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<b>Bold</b> &amp; more", "Bold & more"),
        ("Fish &#8211; chips", "Fish – chips"),
        ("<script>alert(1)</script>", ""),
        ("Line<br>break", "Line break"),
        ("caf&eacute;", "café"),
    ],
)
def test_a_heading_with_markup_becomes_text(html: str, text: str) -> None:
    assert heading(html) == text


def test_words_of_two_blocks_stay_apart() -> None:
    assert plain("<p>One</p><p>two<b>three</b></p><ul><li>four</li></ul>") == "One twothree four"


def test_styles_and_scripts_leave_no_text() -> None:
    assert plain("<style>p{color:red}</style><p>Text</p><script>x()</script><iframe>y</iframe>") == "Text"


# --- HTML -----------------------------------------------------------------------------------------


def test_only_links_that_may_be_followed_stay() -> None:
    made = sanitise(
        '<a href="https://a.example/">w</a><a href="mailto:a@b.example">m</a><a href="javascript:x()">j</a>'
        '<a href=" jav&#x09;ascript:x()">k</a><a href="data:text/html,x">d</a><a href="/rel">r</a>'
    )
    assert re.findall(r'href="([^"]*)"', made) == ["https://a.example/", "mailto:a@b.example"]


def test_attributes_that_paint_or_act_are_gone() -> None:
    made = sanitise('<p class="x" style="position:fixed" onclick="x()" id="y">a<img src=x onerror=y></p>')
    assert made == "<p>a</p>"


@given(
    st.lists(
        st.sampled_from(
            ["<script>", "</script>", "<svg onload=x>", "<p ", "style=", "onerror=alert(1) ", ">", '"', "'",
             "<a href=", "javascript:x", "<style>", "</style>", "<!--", "-->", "<math>", "<b>", "&lt;",
             "&#0;", "\0", "text", "<iframe "]
        ),
        max_size=25,
    ).map("".join)
)  # fmt: skip
def test_no_soup_of_tags_gets_through(soup: str) -> None:
    made = sanitise(soup)
    assert not re.search(
        r"<(?!/?(?:a|abbr|b|p|br|blockquote|cite|code|em|h[234]|i|li|ol|pre|q|s|strong|su[bp]|u|ul)\b)", made
    )
    assert not re.search(r"<[^>]*\b(?:on\w+|style|class|src)=", made)
    assert sanitise(made) == made
    plain(soup).encode("utf-8")
