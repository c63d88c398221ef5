"""A story's text without the furniture of its page."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.importers.body import read_body
from digest.importers.clean import sanitise
from digest.model import Link

LONG = "The river rose overnight and the town woke to water in its streets."


def test_paragraphs_lists_and_quotations_stay() -> None:
    html = (
        "<h1>Top</h1><p>One <b>bold</b></p><ul><li>a</li><li>b</li></ul><blockquote><p>Said</p></blockquote>"
    )
    assert read_body(html).html == (
        "<h2>Top</h2><p>One <b>bold</b></p><ul><li>a</li><li>b</li></ul><blockquote><p>Said</p></blockquote>"
    )


def test_loose_text_and_divisions_become_paragraphs() -> None:
    assert read_body("First<div>Second</div>third<br><br>fourth").html == (
        "<p>First</p><p>Second</p><p>third</p><p>fourth</p>"
    )


def test_an_inline_element_goes_on_across_paragraphs() -> None:
    assert read_body("<b>one<p>two</p></b>").html == "<p><b>one</b></p><p><b>two</b></p>"


def test_plain_text_becomes_paragraphs() -> None:
    assert read_body("One & two\n\nThree <int>").html == "<p>One &amp; two</p><p>Three &lt;int&gt;</p>"


def test_links_and_pictures_are_made_absolute() -> None:
    body = read_body(
        '<p><a href="../x?utm_source=f">x</a></p><img src="/p.jpg" alt="A pier">',
        base="https://a.example/s/t/",
    )
    assert '<a href="https://a.example/s/x">' in body.html
    assert body.pictures[0].url == "https://a.example/p.jpg"
    assert body.pictures[0].alt == "A pier"


def test_an_alternative_text_that_nobody_wrote_is_not_an_empty_one() -> None:
    first, second = read_body(
        '<img src="https://a.example/1.jpg"><img src="https://a.example/2.jpg" alt="">'
    ).pictures
    assert first.alt is None
    assert second.alt == ""


@pytest.mark.parametrize(
    "tag",
    [
        '<img src="https://a.example/p.gif" width="1" height="1">',
        '<img src="https://stats.wordpress.com/b.gif">',
        '<img src="https://s.w.org/images/core/emoji/1.png" alt="x">',
        '<img src="data:image/png;base64,x">',
        '<img src="https://a.example/icon.png" width="16">',
    ],
)
def test_counting_pixels_and_icons_are_no_pictures(tag: str) -> None:
    assert read_body(f"<p>{LONG}</p>{tag}").pictures == ()


def test_a_caption_is_kept_with_its_picture_and_not_in_the_text() -> None:
    body = read_body(
        f'<figure><img src="https://a.example/p.jpg"><figcaption>The pier at dawn</figcaption>'
        f"</figure><p>{LONG}</p>"
    )
    assert body.pictures[0].caption == "The pier at dawn"
    assert body.text == LONG


def test_a_caption_run_into_the_text_is_taken_out() -> None:
    caption = "Rescue boats on the high street on Monday"
    body = read_body(f"<p>{caption} {LONG}</p><p>More.</p>", captions=[caption])
    assert body.paragraphs[0].text == LONG


def test_a_story_that_begins_like_its_caption_is_left_alone() -> None:
    caption = "Rescue boats on the high street"
    body = read_body(f"<p>{caption} were out again, and {LONG}</p>", captions=[caption])
    assert body.text.startswith(caption)


def test_the_only_paragraph_is_never_taken_for_a_caption() -> None:
    assert read_body(f"<p>{LONG}</p>", captions=[LONG]).text == LONG


@pytest.mark.parametrize(
    "credit", ["Photo: Jane Doe/Agency", "Credit: Unsplash/CC0 Public Domain", "© Someone 2026"]
)
def test_a_line_of_credit_is_no_text(credit: str) -> None:
    assert read_body(f"<p>{credit}</p><p>{LONG}</p>").text == LONG


def test_a_line_of_titles_to_explore_further_is_left_out() -> None:
    body = read_body(f"<p>{LONG}</p><p>Explore further: A first title; A second title</p><p>It went on.</p>")
    assert body.text == f"{LONG} It went on."


def test_links_to_explore_further_become_related_stories() -> None:
    body = read_body(
        f'<p>{LONG}</p><h3>Related stories</h3><ul><li><a href="https://a.example/1">One</a></li>'
        f'<li><a href="https://a.example/2">Two</a></li></ul><p>It went on.</p>'
    )
    assert body.related == (Link("One", "https://a.example/1"), Link("Two", "https://a.example/2"))
    assert body.html == f"<p>{LONG}</p><p>It went on.</p>"


@pytest.mark.parametrize(
    "ending",
    [
        "<p>Read more</p>",
        '<p><a href="https://a.example/">Continue reading &rarr;</a></p>',
        '<a href="https://a.example/">Read more</a>',
        "<p>[&#8230;]</p>",
        "<p>Weiterlesen</p>",
        "<p>Read the full story at The Paper</p>",
    ],
)
def test_a_trailing_read_more_is_left_out_and_says_that_there_is_more(ending: str) -> None:
    body = read_body(f"<p>{LONG}</p>{ending}")
    assert body.text == LONG
    assert body.cut_short


def test_read_more_run_into_the_last_paragraph_is_taken_off() -> None:
    body = read_body(f'<p>{LONG} <a href="https://a.example/">Read more</a></p>')
    assert body.html == f"<p>{LONG}</p>"
    assert read_body(f"<p>{LONG} Read more...</p>").text == LONG


def test_an_ellipsis_stays_where_a_sentence_breaks_off() -> None:
    assert read_body("<p>The river rose over [&hellip;]</p>").text == "The river rose over…"


@pytest.mark.parametrize(
    "sentence",
    [
        "You can read more in the library.",
        "Children should read more",
        "He shared more",
        "See more of the sea.",
    ],
)
def test_a_sentence_that_speaks_of_reading_stays(sentence: str) -> None:
    assert sentence in read_body(f"<p>{LONG}</p><p>{sentence} {LONG}</p>").text


def test_a_blog_footer_is_no_part_of_the_story() -> None:
    body = read_body(f"<p>{LONG}</p><p>The post The river appeared first on The Paper.</p>")
    assert body.text == LONG
    assert not body.cut_short


def test_buttons_for_sharing_are_left_out_by_their_class() -> None:
    assert read_body(f'<p>{LONG}</p><div class="sharedaddy sd-block"><p>Share this</p></div>').text == LONG


def test_the_opening_moves_into_the_standfirst_once() -> None:
    standfirst, rest = read_body(f"<p>{LONG}</p><p>Then more.</p>").opening(400)
    assert standfirst == LONG
    assert rest.html == "<p>Then more.</p>"


def test_a_long_opening_stays_in_the_body() -> None:
    standfirst, rest = read_body(f"<p>{LONG * 10}</p>").opening(400)
    assert standfirst == ""
    assert rest.text == LONG * 10


def test_an_endless_body_ends_at_a_paragraph() -> None:
    made = read_body(f"<p>{LONG}</p>" * 5000).html
    assert len(made) <= 200_000
    assert made.endswith("</p>")


@pytest.mark.parametrize("soup", ["<div>" * 100_000 + "deep", "<p>a" + " " * 300_000 + "b", "<br>x" * 30_000])
def test_a_text_made_to_stall_us_is_read_in_good_time(soup: str) -> None:
    started = time.process_time()
    read_body(soup)
    assert time.process_time() - started < 5


def test_deep_nesting_is_read() -> None:
    assert read_body("<div>" * 5000 + "<b>" * 500 + "deep").text == "deep"


_fragments = st.lists(
    st.sampled_from(
        ["<p>", "</p>", "<ul>", "<ol>", "<li>", "</ul>", "<blockquote>", "</blockquote>", "<b>", "</b>",
         "<a href='/x'>", "</a>", "<br>", "<figure>", "<figcaption>", "</figcaption>", "</figure>",
         "<img src=/p>", "<table class=data>", "</table>", "text ", "Read more", "See also: x", "&amp;",
         "<script>", "</script>", "<div class=caption>", "</div>", "<h5>", "</h5>", "…", "Photo: x"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(_fragments)
def test_any_soup_of_tags_becomes_clean_html(soup: str) -> None:
    body = read_body(soup, base="https://a.example/")
    assert sanitise(body.html) == body.html
    assert "<script" not in body.html
