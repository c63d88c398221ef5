"""From a ranking to what an edition keeps, and the words for the inbox."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import edition
from digest.model import Edition, EditionState, EditionStory, Period, RankingSettings
from digest.ranking import rank
from tests.ranking_material import END, WEEK, hours, ids, scored, story

EDITION = Edition(
    1,
    "weekly",
    1,
    Period(WEEK.start.date(), WEEK, END + hours(6), END + hours(32), END + hours(33)),
    EditionState.draft,
)


def lead(*titles: str) -> list[EditionStory]:
    return [
        EditionStory(position, story(position, title=title), ()) for position, title in enumerate(titles, 1)
    ]


def test_an_edition_keeps_the_picks_with_their_reasons() -> None:
    ranking = rank(
        [scored(1, 5, url="https://example.org/a"), scored(2, 9, url="https://example.org/a")],
        WEEK,
        RankingSettings(),
    )
    frozen = edition.freeze(ranking)
    assert ids(frozen) == [2]
    assert frozen[0].reasons == ranking.picks[0].reasons
    assert frozen[0].score == ranking.picks[0].score
    assert [each.id for each in frozen[0].folded] == [1]
    assert frozen[0].position == 1
    assert not frozen[0].pinned


def test_the_subject_is_the_lead_s_heading() -> None:
    assert edition.default_subject(lead("The  tunnel\nopens", "Rain")) == "The tunnel opens"
    assert edition.default_subject([]) == ""


@pytest.mark.parametrize(
    ("heading", "subject"),
    [
        ("Re: your letters", "your letters"),
        ("RE: Fwd: aw: The tunnel", "The tunnel"),
        ("Re[2]: The tunnel", "The tunnel"),
        ("Re: ", "Re:"),
        ("Reading: a week without", "Reading: a week without"),
        ("The tunnel re: opened", "The tunnel re: opened"),
    ],
)
def test_a_subject_is_never_that_of_an_answer(heading: str, subject: str) -> None:
    assert edition.default_subject(lead(heading)) == subject


def test_positions_decide_who_leads_not_the_order_of_the_sequence() -> None:
    assert edition.default_subject(lead("First", "Second")[::-1]) == "First"


def test_a_long_subject_is_cut_at_a_word() -> None:
    subject = edition.default_subject(
        lead("Whistleblower: the breach was catastrophic, and everybody in the company knew")
    )
    assert subject == "Whistleblower: the breach was catastrophic, and everybody…"
    assert len(subject) <= 60


def test_a_cut_leaves_no_comma_hanging() -> None:
    assert edition.cut("One, two, three", 9) == "One, two…"
    assert edition.cut("exactly nine", 12) == "exactly nine"


def test_words_without_spaces_are_cut_between_characters() -> None:
    assert edition.cut("東" * 70, 60) == "東" * 59 + "…"
    family = "👨‍👩‍👧"
    assert edition.cut(family * 3, 8) == family + "…"
    assert edition.cut("e\u0301" * 9, 8) == "e\u0301" * 3 + "…"


@given(st.text(max_size=90), st.integers(2, 60))
def test_a_cut_is_never_longer_than_asked(text: str, width: int) -> None:
    cut = edition.cut(text, width)
    assert len(cut) <= width
    assert "\n" not in cut


def test_the_preheader_is_headings_two_and_three() -> None:
    assert edition.default_preheader(lead("One", "Two", "Three", "Four")) == "Two · Three"
    assert edition.default_preheader(lead("One", "Two")) == "Two"
    assert edition.default_preheader(lead("One")) == ""


def test_a_pin_stays_visible_in_the_edition() -> None:
    pinned = dataclasses.replace(lead("One")[0], pinned=True)
    assert edition.decode_story(edition.encode_story(pinned)).pinned


@pytest.mark.parametrize(
    ("left_after", "dated_after"),
    [(None, 0), (0, 0), (59, 0), (60, 0), (61, 61), (7 * 24 * 60, 7 * 24 * 60), (-1, -1), (-600, -600)],
)
def test_a_copy_has_the_planned_date_or_that_of_its_departure(
    left_after: int | None, dated_after: int
) -> None:
    planned = dt.datetime(2026, 11, 17, 9, tzinfo=dt.UTC)
    departed = None if left_after is None else planned + dt.timedelta(minutes=left_after)
    made = dataclasses.replace(EDITION, date=planned, departed=departed)
    assert edition.date_of(made) == planned + dt.timedelta(minutes=dated_after)


def test_an_edition_without_content_has_no_date() -> None:
    assert edition.date_of(EDITION) is None
