"""Several signals in one list: one scale, one rule for what is missing, and what is never added up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import Candidate, Metric, MetricKind, RankingSettings, Series
from digest.ranking import rank
from tests.ranking_material import END, READERS, VIEWS, WEEK, candidate, hours, ids, series, story

COMMENTS = Metric("comments", MetricKind.total)
BOTH = RankingSettings(
    count=10, minimum=1, similarity=2, projection=hours(0), weights={"readers": 1.0, "comments": 0.5}
)


def with_figures(number: int, readers: float | None, comments: float | None) -> Candidate:
    of = story(number)
    signals = []
    if readers is not None:
        signals.append(series(READERS, (END - hours(24), readers)))
    if comments is not None:
        signals.append(series(COMMENTS, (of.date + hours(1), 0), (END - hours(1), comments)))
    return candidate(of, *signals)


def test_each_signal_counts_by_how_many_times_the_average_story() -> None:
    week = [with_figures(1, 300, 0), with_figures(2, 200, 40), with_figures(3, 100, 20)]
    ranking = rank(week, WEEK, BOTH)
    # Readers have the average 200, comments 20: (1.5 + 0) / 1.5, (1 + .5 x 2) / 1.5, (.5 + .5 x 1) / 1.5
    assert [round(pick.score.value, 3) for pick in ranking.picks if pick.score] == [1.333, 1.0, 0.667]
    assert ids(ranking.picks) == [2, 1, 3]
    assert ranking.metric == "readers + comments"


def test_the_reasons_have_the_figures_of_each_signal() -> None:
    week = [with_figures(1, 300, 10), with_figures(2, 200, 40), with_figures(3, 100, 20)]
    first = rank(week, WEEK, BOTH).picks[0]
    assert first.reasons == (
        "200 reader-days",
        "40 comments, 2.0x the week's median",
        "together 1.2x the average story (readers 1, comments 0.5)",
    )
    assert first.score is not None
    assert (first.score.gained, first.score.unit) == (200, "reader-days")


def test_a_story_left_out_has_the_figures_of_each_signal_too() -> None:
    week = [with_figures(number, 100 * number, 10) for number in (1, 2, 3)]
    out = rank(week, WEEK, replace(BOTH, count=2)).left_out
    assert [each.reason for each in out] == ["3rd, with 100 reader-days and 10 comments"]


def test_a_missing_signal_is_not_zero() -> None:
    week = [with_figures(1, 300, None), with_figures(2, 200, 30), with_figures(3, 100, 10)]
    ranking = rank(week, WEEK, BOTH)
    assert ids(ranking.picks) == [1, 2, 3]
    assert ranking.picks[0].reasons[-1] == "no comments known: judged by readers alone"


def test_a_story_without_any_figure_is_left_out() -> None:
    week = [with_figures(1, 300, 3), with_figures(2, 200, 30), with_figures(3, None, None)]
    out = rank(week, WEEK, BOTH).left_out
    assert [(each.story.id, each.reason) for each in out] == [
        (3, "no readers or comments known in this window")
    ]


@pytest.mark.parametrize(
    "views",
    [
        VIEWS,
        Metric("visits", MetricKind.total),
        Metric("seitenaufrufe", MetricKind.count),  # in doubt a count is one of views
    ],
)
def test_people_and_page_views_are_never_added_up(views: Metric) -> None:
    week = [
        candidate(story(number), series(READERS, (END - hours(24), 9)), series(views, (END - hours(1), 50)))
        for number in (1, 2, 3)
    ]
    ranking = rank(week, WEEK, replace(BOTH, weights={"readers": 1.0, views.name: 1.0}))
    assert ranking.picks == ()
    assert f'"readers" counts people and "{views.name}" page views' in ranking.hold
    assert "newsletter's signals" in ranking.hold


def test_people_and_what_they_do_may_be_added_up_however_it_is_counted() -> None:
    likes = Metric("likes", MetricKind.count, bucket=hours(1))
    week = [
        candidate(story(number), series(READERS, (END - hours(24), 9)), series(likes, (END - hours(1), 50)))
        for number in (1, 2, 3)
    ]
    assert rank(week, WEEK, replace(BOTH, weights={"readers": 1.0, "likes": 1.0})).hold == ""


def test_a_signal_that_is_not_there_holds_the_list() -> None:
    week = [with_figures(number, 100, None) for number in (1, 2, 3)]
    hold = rank(week, WEEK, BOTH).hold
    assert 'No story has figures of the metric "comments"' in hold


def test_figures_that_are_all_zero_are_no_fault() -> None:
    week = [with_figures(number, 100 * number, 0) for number in (1, 2, 3)]
    assert ids(rank(week, WEEK, BOTH).picks) == [3, 2, 1]


weeks = st.lists(
    st.tuples(st.integers(0, 1000) | st.none(), st.integers(0, 1000) | st.none()), min_size=2, max_size=10
).filter(lambda week: any(one is not None for one, _ in week) and any(two is not None for _, two in week))


def made(week: list[tuple[int | None, int | None]]) -> list[Candidate]:
    return [with_figures(number, *figures) for number, figures in enumerate(week, 1)]


@given(weeks, st.integers(-8, 8))
def test_the_unit_of_a_signal_does_not_matter(week: list[tuple[int | None, int | None]], power: int) -> None:
    def scaled(one: Candidate) -> Candidate:
        comments = one.signals.get("comments")
        if comments is None:
            return one
        values = tuple(value * 2.0**power for value in comments.values)
        return Candidate(one.story, {**one.signals, "comments": Series(COMMENTS, comments.at, values)})

    plain = rank(made(week), WEEK, BOTH)
    assert ids(rank([scaled(one) for one in made(week)], WEEK, BOTH).picks) == ids(plain.picks)


@given(weeks, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(
    week: list[tuple[int | None, int | None]], chance: object
) -> None:
    shuffled = made(week)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random that Hypothesis steers
    assert rank(shuffled, WEEK, BOTH) == rank(made(week), WEEK, BOTH)


@given(weeks, st.data())
def test_more_of_one_signal_never_ranks_a_story_lower(
    week: list[tuple[int | None, int | None]], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(week) - 1))
    readers, comments = week[place]
    more = [*week]
    more[place] = (
        (readers, comments) if readers is None else (readers + data.draw(st.integers(1, 500)), comments)
    )

    def position(of: list[tuple[int | None, int | None]]) -> int:
        order = ids(rank(made(of), WEEK, BOTH).picks)
        return order.index(place + 1) if place + 1 in order else len(order)

    assert position(more) <= position(week)


@given(weeks)
def test_one_weight_alone_is_that_signal_alone(week: list[tuple[int | None, int | None]]) -> None:
    by_weight = rank(made(week), WEEK, replace(BOTH, weights={"readers": 7.0}))
    by_metric = rank(made(week), WEEK, replace(BOTH, weights={}, metric="readers"))
    assert by_weight == by_metric
