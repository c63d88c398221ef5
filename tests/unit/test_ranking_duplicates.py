"""What is the same story twice, and what only looks like it."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import Story
from digest.ranking import duplicates
from digest.ranking.duplicates import address, fold, neighbours
from tests.ranking_material import SECOND_DAY, hours, story

SIMILARITY = 0.6
NOISE = [story(number) for number in range(100, 140)]
"""So many that a word's rarity means something."""


def alike(one: Story, other: Story) -> bool:
    found = neighbours([one, other, *NOISE], SIMILARITY)
    return other.id in found.get(one.id, set())


def headings(one: str, other: str) -> bool:
    return alike(story(1, title=one), story(2, title=other))


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.org/a", "http://www.example.org/a/"),
        ("https://Example.org/a?id=1", "https://example.org/a?id=1"),
        ("https://example.org", "https://example.org/"),
    ],
)
def test_one_address_in_two_spellings_is_one_story(one: str, other: str) -> None:
    assert address(one) == address(other)
    assert alike(story(1, url=one), story(2, url=other))


@pytest.mark.parametrize(
    "other", ["https://example.org/b", "https://example.org/a?id=2", "https://other.org/a"]
)
def test_different_addresses_are_different_stories(other: str) -> None:
    assert not alike(story(1, url="https://example.org/a"), story(2, url=other))


@pytest.mark.parametrize("url", ["", "/a", "http://[", "https://"])
def test_what_is_no_address_folds_nothing(url: str) -> None:
    assert address(url) == ""
    assert not alike(story(1, url=url), story(2, url=url))


# --- headings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "Uganda bans social media ahead of election",
            "Uganda bans social media ahead of presidential election",
        ),
        ("Fry’s Electronics is closing all stores", "Fry's Electronics Is Closing All of Its Stores"),
        ("Heap-based buffer overflow in Sudo", "CVE-2021-3156: Heap-Based Buffer Overflow in Sudo"),
        (
            "Bill and Melinda Gates divorce after 27 years",
            "Bill and Melinda Gates divorce after 27 years of marriage",
        ),
        ("Café society returns to Vienna", "Cafe\u0301 society returns to Vienna"),
        ("東京で桜が満開になり多くの人が訪れた", "東京で桜が満開になり、多くの人が訪れた"),
        ("北京市今晨发布空气质量红色预警", "北京市发布空气质量红色预警"),
        ("המעבורת חוזרת לנמל אחרי שנים רבות", "המעבורת חוזרת לנמל אחרי שנים רבות"),
        (
            "The minister said on Tuesday that the harbour tunnel would open in spring",
            "The minister said on Tuesday that the harbour tunnel will open in spring",
        ),
    ],
)
def test_an_edited_heading_is_the_same_story(one: str, other: str) -> None:
    assert headings(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ask HN: Who is hiring? (March)", "Ask HN: Who is hiring? (April)"),
        ("Ask HN: Who is hiring? (March 2021)", "Ask HN: Who wants to be hired? (March 2021)"),
        ("Firefox 83 introduces HTTPS-Only Mode for all", "Firefox 84 introduces HTTPS-Only Mode for all"),
        ("Storm in the north leaves 12 dead", "Storm in the north leaves 15 dead"),
        ("Getting started with Brave", "Getting started with Signal"),
        ("What I didn’t know about Ruby numbers", "What I didn't know about Ruby classes"),
        ("In pictures", "In pictures"),
        ("東京で桜が満開", "大阪で紅葉が見頃"),
        ("Weather for Monday", "Weather for Tuesday"),
        (
            "What the morning papers are saying about the election on Monday",
            "What the morning papers are saying about the election on Friday",
        ),
        (
            "Was die Zeitungen am Montag zu der Wahl in Sachsen schreiben",
            "Was die Zeitungen am Freitag zu der Wahl in Sachsen schreiben",
        ),
        (
            "A history of the old harbour in pictures: part I",
            "A history of the old harbour in pictures: part II",
        ),
        ("תולדות הנמל הישן חלק א", "תולדות הנמל הישן חלק ב"),
        ("ראש העיר התפטר אתמול בערב", "הקבוצה ניצחה אתמול בערב"),
        ("北京市周一天气预报以及空气质量指数", "北京市周二天气预报以及空气质量指数"),
        ("长江沿岸城市历史纪录片第一集", "长江沿岸城市历史纪录片第二集"),
        ("市长昨晚宣布辞职", "球队昨晚赢得冠军"),
        ("", ""),
        ("?!", "?!"),
    ],
)
def test_a_series_is_not_one_story(one: str, other: str) -> None:
    assert not headings(one, other)


def test_common_words_say_nothing() -> None:
    week = [
        story(number, title=f"The {name} of the week in the city")
        for number, name in enumerate("abcdefgh", 1)
    ]
    assert neighbours(week, SIMILARITY) == {}


# --- headings and standfirsts ---------------------------------------------------------------------

AGENCY = "Thousands were moved to safety after the river Elster broke its banks near Leipzig on Tuesday night"
COLUMN = "Your questions about gardens, answered every week by our experts"


def test_one_agency_text_under_two_headings_is_one_story() -> None:
    assert alike(
        story(1, title="Flood near Leipzig: thousands leave their homes", standfirst=AGENCY),
        story(2, title="Thousands flee flood near Leipzig", standfirst=f"{AGENCY}, officials said"),
    )


def test_one_standfirst_over_different_headings_is_a_column() -> None:
    assert not alike(
        story(1, title="When to cut roses", standfirst=COLUMN),
        story(2, title="Slugs and how to live with them", standfirst=COLUMN, date=NEXT_DAY),
    )


def test_one_standfirst_under_two_headings_of_a_day_is_a_story_with_a_new_heading() -> None:
    first = story(1, title="Pilot crosses a runway in error", standfirst=AGENCY)
    second = story(2, title="Authority looks into what happened at the airport", standfirst=AGENCY)
    assert alike(first, second)
    assert not alike(first, replace(second, url="https://elsewhere.example/2"))


def test_a_long_heading_is_enough_when_a_site_writes_the_standfirst_anew() -> None:
    title = "Airline to cut up to 12,000 jobs as travel collapses"
    first = story(1, title=title, standfirst="Its head says that recovery will take years")
    second = story(2, title=title, standfirst="A hit to demand hurts the flag carrier, it tells its staff")
    assert alike(first, second)
    assert not alike(first, replace(second, published=NEXT_DAY))
    short = "Airline cuts jobs again"
    assert not alike(replace(first, title=short), replace(second, title=short))


def test_a_site_does_not_repeat_a_story_days_later() -> None:
    title = "Three new cases of the fever reported in the country"
    assert not alike(story(1, title=title), story(2, title=title, date=NEXT_DAY))
    assert alike(
        story(1, title=title), story(2, title=title, date=NEXT_DAY, url="https://elsewhere.example/2")
    )


def test_a_standfirst_that_is_only_a_date_says_nothing_alone() -> None:
    date = "27 April 2026 3.08 pm"
    assert not alike(story(1, standfirst=date), story(2, standfirst=date))


def test_three_times_word_for_word_is_a_habit_of_the_site() -> None:
    title, blurb = (
        "The best photos from around the world today",
        "Chosen by our picture editors from all agencies",
    )
    gallery = [story(number, title=title, standfirst=blurb) for number in (1, 2, 3)]
    assert alike(*gallery[:2])
    assert neighbours([*gallery, *NOISE], SIMILARITY) == {}
    elsewhere = [replace(each, url=f"https://{each.id}.example/") for each in gallery]
    assert neighbours([*elsewhere, *NOISE], SIMILARITY)[1] == {2, 3}


def test_one_heading_over_different_standfirsts_is_a_column() -> None:
    assert not alike(
        story(1, title="The week in four charts", standfirst="Inflation falls, rents do not"),
        story(2, title="The week in four charts", standfirst="Who will mine the seabed of the Pacific"),
    )


def test_a_changed_figure_is_an_update_when_the_standfirst_agrees() -> None:
    assert alike(
        story(1, title="Storm in the north leaves 12 dead", standfirst=AGENCY),
        story(2, title="Storm in the north leaves 15 dead", standfirst=AGENCY),
    )


NEXT_DAY = SECOND_DAY + hours(24)
BLURB = "Our correspondent travels down the river in five parts and talks to those who live by it"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Down the river, part 1", "Down the river, part 2"),
        ("Down the river: part one", "Down the river: part two"),
        ("Down the river on Monday", "Down the river on Tuesday"),
        ("Down the river (March)", "Down the river (April)"),
        ("Down the river in 2025", "Down the river in 2026"),
        ("Down the river, May 1, day by day", "Down the river, May 3, day by day"),
        ("Day 3: down the river", "Day 4: down the river"),
        ("沿河而下第一集", "沿河而下第二集"),
    ],
)
def test_parts_of_a_series_share_a_site_and_a_blurb(one: str, other: str) -> None:
    assert not alike(story(1, title=one, standfirst=BLURB), story(2, title=other, standfirst=BLURB))
    elsewhere = story(2, title=other, standfirst=BLURB, url="https://elsewhere.example/2")
    assert alike(story(1, title=one, standfirst=BLURB), elsewhere)


def test_without_a_standfirst_the_body_speaks() -> None:
    heading = "In the garden this week"
    roses = "<p>Roses want <b>pruning</b> now that frost is near &amp; the soil is still warm.</p>"
    onions = "<p>Onions go in before November ends, says the chairman of the allotment society.</p>"
    one, other = story(1, title=heading), story(2, title=heading)
    assert not alike(replace(one, body=roses), replace(other, body=onions))
    assert alike(replace(one, body=roses), replace(other, body=roses))


@pytest.mark.parametrize(
    ("first", "second", "url", "same"),
    [
        ("Ada", "Bea", "https://example.org/2", False),
        ("Ada", " ada ", "https://example.org/2", True),
        ("Ada", "", "https://example.org/2", True),
        ("Ada", "Reuters", "https://elsewhere.example/2", True),
    ],
)
def test_one_heading_of_two_authors_of_a_site_is_a_column(
    first: str, second: str, url: str, same: bool
) -> None:
    heading = "Letters to the editor this week"
    one = story(1, title=heading, author=first, url="https://example.org/1")
    assert alike(one, story(2, title=heading, author=second, url=url)) is same


def test_boilerplate_says_nothing() -> None:
    week = [story(number, standfirst="Read more on our site, every day") for number in range(1, 30)]
    assert neighbours(week, SIMILARITY) == {}
    columns = [story(number, title="What to watch tonight and tomorrow") for number in range(1, 30)]
    assert neighbours(columns, SIMILARITY) == {}


def test_a_missing_standfirst_does_not_speak_against_a_heading() -> None:
    title = "Uganda bans social media ahead of election"
    assert alike(story(1, title=title, standfirst=AGENCY), story(2, title=title))


# --- folding --------------------------------------------------------------------------------------


def same_address(*numbers: int) -> list[Story]:
    return [story(number, url="https://example.org/same") for number in numbers]


def test_the_first_leads_and_the_others_fold_into_it() -> None:
    assert fold(same_address(5, 3, 9), SIMILARITY) == {3: 5, 9: 5}


def test_stories_kept_apart_lead_but_are_never_folded() -> None:
    assert fold(same_address(5, 3, 9), SIMILARITY, apart=frozenset({3})) == {9: 5}


def test_resemblance_is_no_chain() -> None:
    first = story(1, title="alpha beta gamma delta epsilon zeta eta theta")
    second = story(2, title="alpha beta gamma delta epsilon zeta iota kappa")
    third = story(3, title="alpha beta gamma delta lambda my iota kappa")
    found = neighbours([first, second, third, *NOISE], 0.5)
    assert found[2] == {1, 3}
    assert found[1] == {2}
    assert fold([first, second, third, *NOISE], 0.5) == {2: 1}


def test_nothing_folds_above_a_similarity_of_one_but_equal_addresses() -> None:
    equal = [story(number, title="Uganda bans social media ahead of election") for number in (1, 2)]
    assert fold(equal, 2) == {}
    assert fold(same_address(1, 2), 2) == {2: 1}


words = st.sampled_from(
    ["rain", "snow", "tunnel", "vote", "12", "15", "the", "of", "(march)", "(april)", "king"]
)
texts = st.lists(words, max_size=6).map(" ".join)
weeks = st.lists(st.tuples(texts, texts), max_size=12).map(
    lambda pairs: [
        story(number, title=title, standfirst=standfirst, url="")
        for number, (title, standfirst) in enumerate(pairs, 1)
    ]
)


@given(weeks, st.randoms(use_true_random=False))
def test_what_is_alike_does_not_depend_on_the_order(week: list[Story], chance: object) -> None:
    shuffled = list(week)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random that Hypothesis steers
    assert neighbours(shuffled, SIMILARITY) == neighbours(week, SIMILARITY)


@given(weeks, st.sampled_from([0.3, 0.6, 0.9]))
def test_the_index_misses_no_pair(week: list[Story], similarity: float) -> None:
    words = [duplicates._opening(each) for each in week]
    headings = [duplicates._heading(each, len(text)) for each, text in zip(week, words, strict=True)]
    sites = [heading.site for heading in headings]
    titles = duplicates._weighed(duplicates._telling([heading.words for heading in headings], sites))
    openings = duplicates._weighed(duplicates._telling(words, sites))
    pairs = {
        (week[one].id, week[other].id)
        for one, other in itertools.combinations(range(len(week)), 2)
        if duplicates._same(
            headings[one],
            headings[other],
            titles.agreement(one, other) or 0.0,
            openings.agreement(one, other),
            similarity,
        )
    }
    found = neighbours(week, similarity)
    assert {(one, other) for one, others in found.items() for other in others if one < other} == pairs


@given(weeks)
def test_leaders_are_never_folded_themselves(week: list[Story]) -> None:
    folded = fold(week, SIMILARITY)
    assert not set(folded) & set(folded.values())
    assert all(leader != story for story, leader in folded.items())


def test_few_pairs_of_a_large_week_are_compared() -> None:
    """The cost is in the pairs: of the two million of this week hardly any may be looked at."""
    chance = random.Random(1)
    vocabulary = [f"w{number}" for number in range(20_000)]
    # As words of a language are spread.
    weights = list(itertools.accumulate(1 / (place + 5) for place in range(len(vocabulary))))
    week = [frozenset(chance.choices(vocabulary, cum_weights=weights, k=30)) for _ in range(2000)]
    boilerplate = [frozenset({"every", "day", "on", "our", "site"})] * 500
    texts = duplicates._telling([*week, *boilerplate], [f"site {n}" for n in range(len(week) + 500)])
    assert len(duplicates._weighed(texts).pairs(SIMILARITY)) < 10 * len(week)


def test_beyond_the_first_thousands_addresses_alone_fold() -> None:
    copies = [story(number, title="Uganda bans social media ahead of election") for number in (1, 2)]
    far = [story(number, url="https://example.org/same") for number in (3, 4)]
    assert neighbours([copies[0], *NOISE, copies[1], *far], SIMILARITY, most=10) == {3: {4}, 4: {3}}
