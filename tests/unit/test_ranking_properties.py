"""Whatever the week was like: what a list never does."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter

import hypothesis
from hypothesis import given
from hypothesis import strategies as st

from digest.model import (
    Candidate,
    Choices,
    LeftOutBy,
    MetricKind,
    Order,
    Ranking,
    RankingSettings,
    Series,
    StoryKind,
    Window,
)
from digest.ranking import rank
from tests.ranking_material import END, POINTS, READERS, START, VIEWS, WEEK, candidate, ids, story

HOUR = dt.timedelta(hours=1)

fewer = hypothesis.settings(max_examples=hypothesis.settings().max_examples // 2)
"""A whole week is drawn for each example: half as many keep the suite quick."""

moments = st.integers(-30, 7 * 24 + 30).map(lambda hour: START + hour * HOUR)
readings = st.dictionaries(st.integers(-30, 7 * 24 + 30), st.integers(0, 500).map(float), max_size=6)
metrics = st.sampled_from([POINTS, VIEWS, READERS])
all_series = st.builds(
    lambda metric, values: Series(
        metric,
        tuple(int((START + hour * HOUR).timestamp()) for hour in sorted(values)),
        tuple(values[hour] for hour in sorted(values)),
    ),
    metrics,
    readings,
)
titles = st.sampled_from(["The vote on the tunnel", "The vote on the old tunnel", "Rain", ""]) | st.none()


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    made = []
    for number in range(1, draw(st.integers(0, 9)) + 1):
        of = story(
            number,
            date=draw(moments),
            title=draw(titles),
            section=draw(st.sampled_from(["", "Politics", "Culture"])),
            author=draw(st.sampled_from(["", "Jo"])),
            url=draw(st.sampled_from(["", "https://example.org/same"]) | st.none()),
            withdrawn=draw(st.sampled_from([None, None, None, END])),
            kind=draw(st.sampled_from([StoryKind.article, StoryKind.article, StoryKind.sponsored])),
        )
        made.append(candidate(of, *draw(st.lists(all_series, max_size=2))))
    return made


some_ids = st.frozensets(st.integers(1, 9), max_size=3)
choices = st.builds(
    Choices, st.dictionaries(st.integers(1, 9), st.none() | st.integers(1, 9), max_size=3), some_ids
)
settings = st.builds(
    RankingSettings,
    count=st.integers(1, 6),
    minimum=st.integers(1, 3),
    order=st.sampled_from(Order),
    metric=st.sampled_from(["auto", "auto", "points", "nothing"]),
    minimum_age=st.sampled_from([dt.timedelta(0), 5 * HOUR]),
    per_section=st.integers(0, 2),
    per_author=st.integers(0, 2),
)
cuts = st.none() | moments.filter(lambda moment: moment > START)


@fewer
@given(
    pool=candidates(),
    chosen=settings,
    by_hand=choices,
    used=some_ids,
    cut=cuts,
    chance=st.randoms(use_true_random=False),
)
def test_the_order_of_the_input_does_not_matter(
    *,
    pool: list[Candidate],
    chosen: RankingSettings,
    by_hand: Choices,
    used: frozenset[int],
    cut: dt.datetime | None,
    chance: object,
) -> None:
    shuffled = list(pool)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random that Hypothesis steers
    one = rank(pool, WEEK, chosen, choices=by_hand, used=used, until=cut)
    assert rank(shuffled, WEEK, chosen, choices=by_hand, used=used, until=cut) == one


@fewer
@given(candidates(), settings, choices, some_ids)
def test_no_story_is_in_two_places(
    pool: list[Candidate], chosen: RankingSettings, by_hand: Choices, used: frozenset[int]
) -> None:
    ranking = rank(pool, WEEK, chosen, choices=by_hand, used=used)
    folded = [each.id for pick in ranking.picks for each in pick.folded]
    picked, out = ids(ranking.picks), ids(ranking.left_out)
    assert not set(picked) & set(folded)
    assert not set(picked) & set(out)
    for place in (picked, folded, out):
        assert len(place) == len(set(place))
    # With so few stories nobody is too far down to be listed; the folded ones are listed with their reason.
    assert {*picked, *out} == set(ids(pool))
    assert set(folded) <= {left.story.id for left in ranking.left_out if left.by is LeftOutBy.folded}
    assert [pick.rank for pick in ranking.picks] == list(range(1, len(picked) + 1))


@fewer
@given(candidates(), settings, choices, some_ids)
def test_pins_are_kept_and_what_must_not_be_in_is_not(
    pool: list[Candidate], chosen: RankingSettings, by_hand: Choices, used: frozenset[int]
) -> None:
    ranking = rank(pool, WEEK, chosen, choices=by_hand, used=used)
    picked = set(ids(ranking.picks))
    barred = by_hand.excluded | used | {each.story.id for each in pool if each.story.withdrawn is not None}
    assert not picked & barred
    keepable = {each.story.id for each in pool if each.story.id in by_hand.pinned} - barred
    assert keepable <= picked
    assert len(picked) <= max(chosen.count, len(keepable))
    assert all(pick.reasons for pick in ranking.picks)
    if set(by_hand.pinned) - keepable:
        assert "is pinned, but" in ranking.hold


@fewer
@given(candidates(), settings, choices)
def test_caps_are_never_exceeded_but_by_pins(
    pool: list[Candidate], chosen: RankingSettings, by_hand: Choices
) -> None:
    picks = rank(pool, WEEK, chosen, choices=by_hand).picks
    for cap, name in ((chosen.per_section, "section"), (chosen.per_author, "author")):
        counts = Counter(getattr(pick.story, name) for pick in picks)
        by_pins = Counter(getattr(pick.story, name) for pick in picks if pick.pinned)
        del counts[""]
        if cap:
            assert all(count <= max(cap, by_pins[key]) for key, count in counts.items())


@fewer
@given(candidates(), settings, moments.filter(lambda moment: moment > START), st.data())
def test_what_comes_after_the_cut_off_changes_nothing(
    pool: list[Candidate], chosen: RankingSettings, cut: dt.datetime, data: st.DataObject
) -> None:
    end = int(min(cut, END).timestamp())
    bare, longer = [], []
    for each in pool:
        short, long = {}, {}
        for name, known in each.signals.items():
            before = [(at, value) for at, value in zip(known.at, known.values, strict=True) if at < end]
            # A bucket that begins at the cut-off is later than it; a total read at it is not.
            first = end if known.metric.kind is MetricKind.count else end + 1
            hours_later = data.draw(st.lists(st.integers(0, 90), unique=True, max_size=3))
            after = [(first + 3600 * hour, 9e6) for hour in sorted(hours_later)]
            short[name], long[name] = _with(known, before), _with(known, before + after)
        bare.append(Candidate(each.story, short))
        longer.append(Candidate(each.story, long))
    assert rank(longer, WEEK, chosen, until=cut) == rank(bare, WEEK, chosen, until=cut)


def _with(known: Series, readings: list[tuple[int, float]]) -> Series:
    return Series(known.metric, tuple(at for at, _ in readings), tuple(value for _, value in readings))


@fewer
@given(candidates(), moments.filter(lambda moment: START < moment < END))
def test_two_windows_that_meet_share_no_story_and_no_count(
    pool: list[Candidate], middle: dt.datetime
) -> None:
    """Half-open: a story or bucket at the very boundary is in the second one only."""
    everything = RankingSettings(count=50, minimum=1, similarity=2, projection=dt.timedelta(0))
    counted = [
        Candidate(
            dataclasses.replace(each.story, kind=StoryKind.article, url=""),
            {name: known for name, known in each.signals.items() if known.metric == VIEWS},
        )
        for each in pool
    ]
    whole = Window(START, END)

    def gained(window: Window) -> Counter[int]:
        ranking: Ranking = rank(counted, window, everything)
        return Counter({pick.story.id: pick.score.gained for pick in ranking.picks if pick.score})

    parts = [gained(Window(START, middle)), gained(Window(middle, END))]
    together = gained(whole)
    for each in counted:
        number = each.story.id
        if each.story.date < START:  # old enough to be in all three
            assert parts[0][number] + parts[1][number] == together[number]
        if middle <= each.story.date < END:
            assert number not in parts[0]
