"""The list as a whole: who is in it, in which order, why, and why not."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from zoneinfo import ZoneInfo

import pytest

from digest.model import (
    Candidate,
    Choices,
    LeftOut,
    LeftOutBy,
    Order,
    Pick,
    Ranking,
    RankingSettings,
    StoryKind,
    Window,
)
from digest.ranking import rank
from tests.ranking_material import (
    END,
    POINTS,
    READERS,
    START,
    VIEWS,
    WEEK,
    candidate,
    fresh,
    hours,
    ids,
    scored,
    series,
    story,
)

SETTINGS = RankingSettings(count=3, minimum=1, stale_after=dt.timedelta(days=30))


def settings(**changes: object) -> RankingSettings:
    return dataclasses.replace(SETTINGS, **changes)  # type: ignore[arg-type]  # the fields of RankingSettings


def pinned(positions: Mapping[int, int | None]) -> Choices:
    return Choices(pinned=positions)


def left_out(ranking: Ranking) -> dict[int, LeftOut]:
    return {left.story.id: left for left in ranking.left_out}


def pick(ranking: Ranking, number: int) -> Pick:
    return next(pick for pick in ranking.picks if pick.story.id == number)


FIVE = [scored(number, 100 * number) for number in range(1, 6)]


# --- order ----------------------------------------------------------------------------------------


def test_the_most_popular_come_first() -> None:
    ranking = rank(FIVE, WEEK, SETTINGS)
    assert ids(ranking.picks) == [5, 4, 3]
    assert [each.rank for each in ranking.picks] == [1, 2, 3]
    assert ranking.metric == "points"
    assert ranking.hold == ""


def test_equal_scores_go_by_the_later_date_and_then_by_the_story() -> None:
    late, early = scored(9, 50, date=END - hours(48)), scored(2, 50)
    assert ids(rank([scored(3, 50), early, late], WEEK, SETTINGS).picks) == [9, 2, 3]


def test_the_same_story_twice_is_one() -> None:
    assert ids(rank([*FIVE, *FIVE], WEEK, SETTINGS).picks) == [5, 4, 3]


def test_latest_goes_by_date_and_is_never_called_popular() -> None:
    dated = [scored(number, 1000 - number, date=START + hours(number)) for number in (1, 2, 3, 4)]
    ranking = rank(dated, WEEK, settings(order=Order.latest))
    assert ids(ranking.picks) == [4, 3, 2]
    assert ranking.metric == ""
    assert pick(ranking, 4).score is None
    assert pick(ranking, 4).reasons == ("published 9 November, 04:00 UTC",)
    assert left_out(ranking)[1].reason == "4th by date"
    assert "popular" not in str(ranking)


# --- reasons --------------------------------------------------------------------------------------


def test_a_pick_says_its_figure_and_how_unusual_it_is() -> None:
    assert pick(rank(FIVE, WEEK, SETTINGS), 5).reasons == ("500 points, 1.7x the week's median",)


def test_a_figure_near_the_median_is_not_compared() -> None:
    assert pick(rank(FIVE, WEEK, SETTINGS), 3).reasons == ("300 points",)


def test_a_median_of_nothing_is_not_compared_with() -> None:
    stories = [scored(1, 5), scored(2, 0), scored(3, 0)]
    assert pick(rank(stories, WEEK, SETTINGS), 1).reasons == ("5 points",)


@pytest.mark.parametrize(
    ("length", "words"),
    [(hours(24), "the day's median"), (hours(169), "the week's median"), (hours(72), "the period's median")],
)
def test_the_median_is_the_window_s(length: dt.timedelta, words: str) -> None:
    window = Window(END - length, END)
    stories = [scored(number, 100 * number, date=END - hours(20)) for number in range(1, 4)]
    assert pick(rank(stories, window, SETTINGS), 3).reasons == (f"300 points, 1.5x {words}",)


def test_a_story_that_still_rises_says_so() -> None:
    rising = candidate(
        story(1),
        series(POINTS, (END - hours(9), 100), (END - hours(6), 200), (END - hours(3), 300), (END, 405)),
    )
    assert "still rising: 35 points an hour at the end" in pick(rank([rising], WEEK, SETTINGS), 1).reasons


def test_a_daily_count_tells_its_rate_by_the_day() -> None:
    read = candidate(
        story(1, date=END - hours(40)), series(READERS, (END - hours(48), 10), (END - hours(24), 840))
    )
    assert pick(rank([read], WEEK, SETTINGS), 1).reasons == (
        "850 reader-days",
        "still being read: 840 readers a day at the end",
    )


def test_notes_on_the_figures_are_among_the_reasons() -> None:
    reset = candidate(
        story(1),
        series(POINTS, *((START + hours(24 + at), value) for at, value in enumerate([90, 100, 4, 5]))),
    )
    assert "a reset" in pick(rank([reset], WEEK, SETTINGS), 1).reasons[-1]


def test_moments_are_told_in_the_newsletter_s_zone() -> None:
    zone = ZoneInfo("Asia/Tokyo")
    window = Window(START.astimezone(zone), END.astimezone(zone))
    ranking = rank([scored(1, 5)], window, settings(order=Order.latest))
    assert ranking.picks[0].reasons == ("published 10 November, 09:00 JST",)


# --- left out -------------------------------------------------------------------------------------


def test_everyone_left_out_has_a_reason() -> None:
    stories = [
        scored(1, 900, withdrawn=END - hours(5)),
        scored(2, 800, kind=StoryKind.sponsored),
        scored(3, 700),
        scored(4, 600),
        candidate(story(5)),
        scored(6, 10, date=END - hours(1)),
        scored(7, 500),
        scored(8, 400),
        scored(9, 300),
    ]
    ranking = rank(
        stories,
        WEEK,
        settings(count=2, minimum_age=hours(2)),
        choices=Choices(excluded=frozenset({4})),
        used=frozenset({3}),
    )
    assert ids(ranking.picks) == [7, 8]
    assert {number: (row.by, row.reason) for number, row in left_out(ranking).items()} == {
        1: (LeftOutBy.withdrawn, "withdrawn by its source, 15 November, 19:00 UTC"),
        2: (LeftOutBy.sponsored, "sponsored"),
        3: (LeftOutBy.used, "already in an earlier edition"),
        4: (LeftOutBy.excluded, "excluded by the editor"),
        5: (LeftOutBy.no_signal, "no points known in this window"),
        6: (
            LeftOutBy.too_young,
            "only 1 hour old, 2 hours are asked for; stays eligible for the next edition",
        ),
        9: (LeftOutBy.rank, "3rd, with 300 points"),
    }
    assert ids(ranking.left_out) == [1, 2, 3, 4, 9, 6, 5]


def test_a_near_miss_that_still_rises_says_so() -> None:
    rising = candidate(story(7), series(POINTS, (END - hours(1), 10), (END, 40)))
    ranking = rank([*FIVE, rising], WEEK, SETTINGS)
    assert left_out(ranking)[7].reason == "6th, with 40 points, still rising: 13 points an hour at the end"
    assert left_out(ranking)[7].score == 80


def test_a_story_dated_after_the_cut_off_waits_for_its_own_edition() -> None:
    ahead = [scored(7, 900, date=END), scored(8, 900, date=END - hours(10))]
    ranking = rank([*FIVE, *ahead], WEEK, SETTINGS, until=END - hours(12))
    assert ids(ranking.picks) == [5, 4, 3]
    assert (
        left_out(ranking)[7].reason
        == "dated 16 November, 00:00 UTC, after the cut-off; stays eligible for its own edition"
    )
    assert left_out(ranking)[8].by is LeftOutBy.too_young


def test_only_the_near_misses_are_listed() -> None:
    ranking = rank([scored(number, number) for number in range(1, 201)], WEEK, SETTINGS)
    assert len(ranking.left_out) == 25
    assert ids(ranking.left_out) == list(range(197, 172, -1))


def test_the_too_young_are_all_listed_because_they_are_held_over() -> None:
    young = [scored(number, 5, date=END - hours(1)) for number in range(1, 61)]
    ranking = rank(young, WEEK, settings(minimum_age=hours(2)))
    assert len(ranking.left_out) == 60


def test_a_story_without_figures_is_never_ranked_as_zero() -> None:
    assert ids(rank([scored(1, 0), candidate(story(2))], WEEK, SETTINGS).picks) == [1]


def test_one_list_is_ranked_by_one_metric() -> None:
    views = candidate(story(9), series(VIEWS, (START + hours(30), 100_000)))
    ranking = rank([*FIVE, views], WEEK, SETTINGS)
    assert ids(ranking.picks) == [5, 4, 3]
    assert left_out(ranking)[9].by is LeftOutBy.no_signal


# --- near-duplicates ------------------------------------------------------------------------------

SAME = "https://example.org/same"


def test_near_duplicates_fold_into_the_most_popular_one_whose_score_stays_its_own() -> None:
    stories = [scored(1, 500, url=SAME), scored(2, 400, url=SAME), scored(3, 10, url=SAME), *FIVE[3:]]
    ranking = rank(stories, WEEK, SETTINGS)
    lead = pick(ranking, 1)
    assert [each.id for each in lead.folded] == [2, 3]
    assert "2 similar folded" in lead.reasons
    assert lead.score is not None
    assert lead.score.value == 500
    assert left_out(ranking)[2].by is LeftOutBy.folded
    assert left_out(ranking)[2].reason.startswith("similar to “")


def test_a_duplicate_without_figures_is_folded_too() -> None:
    ranking = rank([scored(1, 500, url=SAME), candidate(story(2, url=SAME))], WEEK, SETTINGS)
    assert [each.id for each in ranking.picks[0].folded] == [2]


def test_what_resembles_a_story_of_an_earlier_edition_was_there_already() -> None:
    stories = [scored(1, 5, url=SAME), scored(2, 900, url=SAME, title="The harbour"), scored(3, 7)]
    ranking = rank(stories, WEEK, SETTINGS, used=frozenset({1}))
    assert ids(ranking.picks) == [3]
    assert left_out(ranking)[2].by is LeftOutBy.used
    assert left_out(ranking)[2].reason.endswith("already in an earlier edition")


def test_a_pinned_story_leads_its_duplicates() -> None:
    stories = [scored(1, 5, url=SAME), scored(2, 900, url=SAME)]
    ranking = rank(stories, WEEK, SETTINGS, choices=pinned({1: None}))
    assert ids(ranking.picks) == [1]
    assert [each.id for each in ranking.picks[0].folded] == [2]


def test_two_pinned_duplicates_are_both_kept() -> None:
    stories = [scored(1, 5, url=SAME), scored(2, 900, url=SAME)]
    assert ids(rank(stories, WEEK, SETTINGS, choices=pinned({1: None, 2: None})).picks) == [2, 1]


def test_folded_stories_are_listed_where_their_leader_is() -> None:
    crowd = [scored(number, 1000 + number) for number in range(10, 60)]
    ranking = rank([*crowd, scored(1, 2, url=SAME), scored(2, 1, url=SAME)], WEEK, SETTINGS)
    assert 2 not in left_out(ranking)


# --- caps -----------------------------------------------------------------------------------------


def test_caps_make_room_and_say_for_whom() -> None:
    stories = [
        scored(1, 500, section="Politics", title="The vote"),
        scored(2, 400, section=" politics "),
        scored(3, 300, section="Politics", title="The minister"),
        scored(4, 200, section="Culture"),
        scored(5, 100),
    ]
    ranking = rank(stories, WEEK, settings(per_section=2))
    assert ids(ranking.picks) == [1, 2, 4]
    assert "replaced “The minister”: Politics already has 2" in pick(ranking, 4).reasons
    assert left_out(ranking)[3].by is LeftOutBy.section_cap
    assert left_out(ranking)[3].reason == "Politics already has 2"


def test_authors_are_capped_as_sections_are() -> None:
    stories = [scored(number, 1000 - number, author=name) for number, name in ((6, "Jo Doe"), (7, "jo  doe"))]
    ranking = rank([*FIVE, *stories], WEEK, settings(per_author=1))
    assert ids(ranking.picks) == [6, 5, 4]
    assert left_out(ranking)[7].by is LeftOutBy.author_cap
    assert left_out(ranking)[7].reason == "jo doe already has 1"


def test_stories_without_a_section_are_not_capped() -> None:
    assert ids(rank(FIVE, WEEK, settings(per_section=1, per_author=1)).picks) == [5, 4, 3]


def test_pins_count_for_the_caps_and_are_kept_beyond_them() -> None:
    stories = [scored(number, 100 * number, section="Politics") for number in range(1, 5)]
    ranking = rank(stories, WEEK, settings(per_section=1), choices=pinned({1: None, 2: None}))
    assert ids(ranking.picks) == [2, 1]


# --- pins and exclusions --------------------------------------------------------------------------


def test_a_pinned_story_stands_where_the_editor_put_it() -> None:
    ranking = rank(FIVE, WEEK, SETTINGS, choices=pinned({1: 2}))
    assert ids(ranking.picks) == [5, 1, 4]
    assert pick(ranking, 1).pinned
    assert pick(ranking, 1).reasons == ("100 points", "pinned by the editor at number 2")


def test_a_story_pinned_anywhere_goes_by_its_figures() -> None:
    ranking = rank(FIVE, WEEK, SETTINGS, choices=pinned({1: None}))
    assert ids(ranking.picks) == [5, 4, 1]
    assert pick(ranking, 1).reasons[-1] == "pinned by the editor"


def test_positions_that_clash_or_lie_beyond_the_end_are_settled() -> None:
    assert ids(rank(FIVE, WEEK, SETTINGS, choices=pinned({1: 1, 2: 1})).picks) == [2, 1, 5]
    assert ids(rank(FIVE, WEEK, SETTINGS, choices=pinned({1: 99, 2: 3})).picks) == [5, 1, 2]
    assert ids(rank(FIVE, WEEK, SETTINGS, choices=pinned({1: 0})).picks) == [1, 5, 4]


def test_more_pins_than_places_make_a_longer_list() -> None:
    assert len(rank(FIVE, WEEK, settings(count=2), choices=pinned(dict.fromkeys(range(1, 5)))).picks) == 4


def test_a_pin_overrules_age_and_sponsorship_and_missing_figures() -> None:
    stories = [
        scored(7, 5, kind=StoryKind.sponsored),
        scored(8, 5, date=END - hours(1)),
        candidate(story(9)),
        *FIVE,
    ]
    ranking = rank(stories, WEEK, settings(minimum_age=hours(9)), choices=pinned(dict.fromkeys([7, 8, 9])))
    assert sorted(ids(ranking.picks)) == [7, 8, 9]
    assert pick(ranking, 9).score is None
    assert pick(ranking, 9).reasons == ("pinned by the editor",)


def test_a_hidden_story_is_left_out_with_the_editors_reason() -> None:
    hidden = scored(7, 1, withdrawn=END, hidden="a court forbids it", title="The tunnel")
    ranking = rank([*FIVE, hidden], WEEK, SETTINGS, choices=pinned({7: 1}))
    assert [left.reason for left in ranking.left_out if left.story.id == 7] == [
        "hidden by an editor: a court forbids it"
    ]
    assert "“The tunnel” is pinned, but hidden by an editor." in ranking.hold


def test_a_pin_that_cannot_be_kept_holds_the_list() -> None:
    stories = [*FIVE, scored(7, 1, withdrawn=END, title="The tunnel"), scored(8, 1, title="The ferry")]
    ranking = rank(stories, WEEK, SETTINGS, choices=pinned({7: 1, 8: 1, 77: None}), used=frozenset({8}))
    assert ids(ranking.picks) == [5, 4, 3]
    assert ranking.hold == (
        "Story #77 is pinned, but there is no such story. "
        "“The tunnel” is pinned, but withdrawn by its source. "
        "“The ferry” is pinned, but already in an earlier edition. "
        "Unpin it, or pin another (digest edition pin)."
    )


# --- holds ----------------------------------------------------------------------------------------


def test_no_story_at_all_holds_the_list() -> None:
    assert rank([], WEEK, SETTINGS).hold == (
        "No story was published between 9 November, 00:00 UTC and 16 November, 00:00 UTC. "
        "Check the sources (digest sources poll), or change the newsletter's window."
    )


def test_missing_signals_hold_the_list_and_rank_nothing() -> None:
    ranking = rank([candidate(story(1)), candidate(story(2))], WEEK, SETTINGS)
    assert ranking.picks == ()
    assert ranking.hold == (
        "There are no figures for the 2 stories of this window. Import them (digest signals import), "
        'choose by hand (digest edition pin), or set order to "latest".'
    )


def test_a_metric_that_is_not_there_holds_the_list_and_names_those_that_are() -> None:
    ranking = rank(FIVE, WEEK, settings(metric="readers"))
    assert ranking.picks == ()
    assert ranking.hold == (
        'No story has figures of the metric "readers". Import them (digest signals import), '
        'choose by hand (digest edition pin), or set metric to "auto" or one of points.'
    )


def test_a_metric_without_figures_in_the_window_says_when_its_last_were() -> None:
    old = candidate(story(1), series(POINTS, (START - hours(3), 5)))
    assert rank([old], WEEK, settings(metric="points")).hold.startswith(
        'The metric "points" has no figures in this window; its last are from 8 November, 21:00 UTC.'
    )


def test_stale_signals_hold_the_list_but_show_what_they_give() -> None:
    ranking = rank(FIVE, WEEK, settings(stale_after=hours(36)))
    assert ids(ranking.picks) == [5, 4, 3]
    assert ranking.hold == (
        "The latest points are from 10 November, 02:00 UTC, 6 days before the cut-off; at most 36 hours is "
        "allowed. Import newer ones and build again (digest edition build), use these (digest edition "
        "release), or choose by hand (digest edition pin)."
    )


def test_fresh_signals_hold_nothing() -> None:
    assert rank([fresh(1, 5), scored(2, 4)], WEEK, settings(stale_after=hours(36))).hold == ""


def test_too_few_stories_hold_the_list_and_say_where_the_others_went() -> None:
    ranking = rank(
        FIVE, WEEK, settings(minimum=3), used=frozenset({1, 2, 3}), choices=Choices(excluded=frozenset({4}))
    )
    assert ids(ranking.picks) == [5]
    assert ranking.hold == (
        "Only 1 story of 5 can be in this edition, and it needs 3: 1 excluded by the editor, "
        "3 already in an earlier edition. Add more (digest stories import), "
        "choose by hand (digest edition pin), or lower the newsletter's minimum."
    )


def test_a_list_cannot_need_more_than_it_may_have() -> None:
    assert rank(FIVE, WEEK, settings(count=2, minimum=5)).hold == ""


def test_too_few_for_no_reason_but_a_quiet_week() -> None:
    hold = rank(FIVE[:1], WEEK, settings(minimum=2)).hold
    assert hold.startswith("Only 1 story of 1 can be in this edition, and it needs 2. Add more")


def test_a_list_chosen_by_hand_needs_no_figures() -> None:
    stories: list[Candidate] = [candidate(story(number)) for number in (1, 2, 3)]
    chosen = pinned({1: 1, 2: 2})
    assert rank(stories, WEEK, settings(minimum=2), choices=chosen).hold == ""
    assert rank(stories, WEEK, settings(minimum=3), choices=chosen).hold != ""
    assert (
        rank(FIVE, WEEK, settings(stale_after=hours(1)), choices=pinned(dict.fromkeys([1, 2, 3]))).hold == ""
    )
