"""Figures, excerpts, wrapped text and colours: what a reader reads, and that it can be read."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import Score, Window
from digest.render.colours import HOUSE_ACCENT, LEAST_CONTRAST, contrast, palette
from digest.render.excerpt import count_words, excerpt, prose, shortened
from digest.render.figures import Figures, rounded_down
from digest.render.wrapping import WIDTH, columns, underlined, wrap

# --- figures ----------------------------------------------------------------------------------------


def readers(gained: float, *, metric: str = "readers", distinct: bool = True) -> Score:
    return Score(metric, value=gained + 1000, gained=gained, projected=1000, distinct=distinct)


@pytest.mark.parametrize(
    ("value", "shown"), [(12_413, 12_400), (999, 999), (1_239, 1_230), (123_456, 123_000), (0, 0)]
)
def test_figures_are_rounded_down_to_three_digits(value: int, shown: int) -> None:
    assert rounded_down(value) == shown


@given(st.floats(0, 1e9))
def test_a_shown_figure_never_claims_more_than_was_measured(value: float) -> None:
    assert 0 <= value - rounded_down(value) <= value * 0.01 + 1


@pytest.mark.parametrize(
    ("score", "shown"),
    [
        (readers(12_413.7), "12,400 readers"),
        (readers(500), "500 readers"),
        (readers(499), ""),
        (readers(1_234, metric="points", distinct=False), "1,230 points"),
        (readers(25, metric="points", distinct=False), "25 points"),
        (readers(19, metric="points", distinct=False), ""),
        (readers(2_000, metric="page_views", distinct=False), "2,000 page views"),
        (readers(3_000, metric="reader-days"), "3,000 reads"),
        (replace(readers(3_000), unit="reader-days"), "3,000 reads"),
        (replace(readers(3_000), unit="unique visitor-days"), "3,000 reads"),
        (replace(readers(3_000), unit="reads"), "3,000 reads"),
        (replace(readers(499), unit="reads"), ""),
        (None, ""),
    ],
)
def test_popularity_is_said_in_the_metrics_own_word_or_not_at_all(score: Score | None, shown: str) -> None:
    assert Figures().popularity(score) == shown


def test_numbers_follow_the_language() -> None:
    assert Figures("de").popularity(readers(12_413)) == "12.400 readers"
    assert Figures("fr").number(1_234_567) == "1\u202f234\u202f567"
    assert Figures("xx-such-language").number(1_234) == "1,234"


def test_reading_time_is_at_least_a_minute_and_unknown_without_words() -> None:
    figures = Figures()
    assert [figures.minutes(words) for words in (0, 10, 230, 500)] == [0, 1, 1, 2]
    assert (figures.short_minutes(0), figures.short_minutes(2)) == ("", "2 min")
    assert (figures.long_minutes(1), figures.long_minutes(9)) == ("1 minute", "9 minutes")
    assert (figures.stories(1), figures.stories(5)) == ("1 story", "5 stories")


def week(start: tuple[int, int, int], days: int = 7, offset: int = 0) -> Window:
    begin = dt.datetime(*start, tzinfo=dt.timezone(dt.timedelta(hours=offset)))
    return Window(begin, begin + dt.timedelta(days=days))


@pytest.mark.parametrize(
    ("language", "window", "shown"),
    [
        ("en", week((2026, 10, 14)), "14–20 October"),
        ("en", week((2026, 10, 28)), "28 October\u2009–\u20093 November"),
        ("en", week((2026, 12, 28)), "28 December 2026\u2009–\u20093 January 2027"),
        ("en-US", week((2026, 10, 14)), "October 14\u2009–\u200920"),
        ("de", week((2026, 10, 14)), "14.–20. Oktober"),
        ("ar", week((2026, 10, 14)), "14–20 أكتوبر"),
        ("ja", week((2026, 10, 14)), "10月14日～20日"),
        ("en", week((2026, 10, 14), days=1), "Wednesday, 14 October"),
    ],
)
def test_dates_are_the_days_that_the_window_touches(language: str, window: Window, shown: str) -> None:
    assert Figures(language).dates(window) == shown


def test_dates_are_those_of_the_newsletters_zone() -> None:
    # Midnight in Sydney is the day before in UTC.
    assert Figures("en", "Australia/Sydney").dates(week((2026, 10, 12), offset=11)) == "12–18 October"


# --- excerpts ---------------------------------------------------------------------------------------

_SENTENCE = "Ten words stand in this one sentence, counted by hand. "


def test_an_excerpt_is_whole_paragraphs_of_sixty_to_ninety_words() -> None:
    paragraphs = [(_SENTENCE * 3).strip()] * 5
    assert excerpt(paragraphs) == tuple(paragraphs[:2])


def test_a_first_paragraph_that_is_too_long_ends_with_a_sentence() -> None:
    (only,) = excerpt([_SENTENCE * 20])
    assert count_words(only) == 90
    assert only.endswith("by hand.")


def test_a_long_paragraph_without_sentences_ends_with_a_word_and_an_ellipsis() -> None:
    (only,) = excerpt(["word " * 200])
    assert only == "word " * 89 + "word…"


@pytest.mark.parametrize(
    "furniture",
    [
        "<figure><img src='x'><figcaption>A caption of some words here.</figcaption></figure>",
        "<p>A caption of some words here.</p>",
        "<p>Photo: Ines Marlow</p>",
        "<p>Explore further: Title one Title two</p>",
        "<p>Explore further</p>",
        "<p><a href='/x'>Another story entirely, as a link</a></p>",
        "<p>Read more</p>",
        "<p>Continue reading →</p>",
        "<p>Advertisement</p>",
        "<p>- Our channel: https://video.example/channel</p>",
        "<p>Subscribe to our newsletter for more of this.</p>",
        "<p>The post The title appeared first on The Blog.</p>",
        "<p>© 2026 The Harbour Post</p>",
        "<h2>A heading between</h2>",
        "<ul><li>one</li><li>two</li></ul>",
        "<script>alert(1)</script><style>p { color: red }</style>",
        "<aside><p>Related</p></aside>",
        "<table><tr><td>x</td></tr></table>",
        "<p>The standfirst, once more.</p>",
        "<p>   </p>",
    ],
)
def test_furniture_is_never_part_of_an_excerpt(furniture: str) -> None:
    body = f"{furniture}<p>The story begins here.</p>{furniture}<p>And goes on.</p>{furniture}"
    known = ["A caption of some words here.", "The standfirst, once more."]
    assert prose(body, known=known) == ("The story begins here.", "And goes on.")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("A caption of some words here. The story begins.", "The story begins."),
        ("It ended there. Read more", "It ended there."),
        ("It ended there… Continue reading »", "It ended there"),
        ("It ended there [...]", "It ended there"),
        ("She wanted to read more", "She wanted to read more"),
        ("By noon it was over.", "By noon it was over."),
        ("Watching the sea is work.", "Watching the sea is work."),
    ],
)
def test_furniture_run_into_a_paragraph_is_cut_off_and_sentences_stay(text: str, left: str) -> None:
    assert prose(f"<p>{text}</p>", known=["A caption of some words here."]) == (left,)


def test_a_body_of_plain_text_has_paragraphs_too() -> None:
    assert prose("One.\n\nTwo\nand more.<br><br>Three.") == ("One.", "Two and more.", "Three.")


def test_words_of_scripts_without_spaces_are_counted_by_characters() -> None:
    assert count_words("港の新聞を読む人々") == 5
    assert count_words("three plain words") == 3


def test_text_without_spaces_is_cut_too() -> None:
    assert len(shortened("港" * 1000, 45)) <= 91


@given(st.text(max_size=300))
def test_any_body_gives_clean_paragraphs(body: str) -> None:
    for text in prose(body):
        assert text == " ".join(text.split())


@given(st.text(st.sampled_from("ab .!…港\n"), max_size=200), st.integers(1, 40))
def test_a_shortened_text_is_never_longer_than_asked(text: str, longest: int) -> None:
    assert count_words(shortened(text, longest)) <= longest


# --- plain text -------------------------------------------------------------------------------------

_LINK = "https://example.org/" + "a" * 90


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_wrapped_lines_keep_the_width_and_every_character(text: str) -> None:
    lines = wrap(text, "  ", first="- ").split("\n")
    whole = "".join(text.split())
    if not any(mark in text for mark in ("://", "SLOT-", "@")):
        assert all(columns(line) <= WIDTH for line in lines)
    assert "".join("".join(lines).split()) == "-" + whole


def test_links_and_slots_are_never_broken() -> None:
    token = "SLOT-0123456789abcdef-leave.url-text-TOLS" + "x" * 60
    assert wrap(f"before {_LINK} after {token}").split("\n") == ["before", _LINK, "after", token]


def test_endless_words_and_wide_letters_are_broken() -> None:
    assert wrap("x" * 100).split("\n") == ["x" * 72, "x" * 28]
    assert [columns(line) for line in wrap("港" * 50).split("\n")] == [72, 28]


def test_a_heading_is_underlined_as_wide_as_it_is() -> None:
    assert underlined("Wide 港", "=") == "Wide 港\n======="


# --- colours ----------------------------------------------------------------------------------------


def test_the_house_colours_are_those_of_the_look() -> None:
    house = palette()
    assert (house.light.accent, house.dark.accent, house.warnings) == ("#9E1B32", "#FF9AA8", ())
    assert round(contrast(house.light.text, house.light.card)) == 17
    assert round(contrast(house.light.accent, house.light.card), 1) == 7.8


@given(st.integers(0, 0xFFFFFF))
def test_any_accent_can_be_read_on_every_ground_in_both_schemes(number: int) -> None:
    chosen = palette(f"#{number:06x}")
    for scheme in (chosen.light, chosen.dark):
        for ground in (scheme.page, scheme.card, scheme.tint):
            for text in (scheme.accent, scheme.text, scheme.muted):
                assert contrast(text, ground) >= LEAST_CONTRAST


def test_a_weak_accent_is_adjusted_in_its_own_hue_and_reported() -> None:
    chosen = palette("#f7c948")
    assert chosen.light.accent == "#8C6806"
    assert chosen.dark.accent == "#F7C948"
    assert "too weak to read (1.4:1" in chosen.warnings[0]


def test_an_accent_that_is_no_colour_is_reported() -> None:
    assert palette("red").light.accent == HOUSE_ACCENT
    assert "is not a colour" in palette("red").warnings[0]
    assert palette("#05a").light.accent == "#0055AA"
