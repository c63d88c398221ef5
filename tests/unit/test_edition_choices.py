"""An editor's word on one edition, action by action."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import edition
from digest.model import Choices, RankingSettings
from digest.ranking import rank
from tests.ranking_material import WEEK, ids, scored

NONE = Choices()
FIVE = [scored(number, 100 * number) for number in range(1, 6)]
SETTINGS = RankingSettings(count=5, minimum=1)


def order(choices: Choices) -> list[int]:
    return ids(rank(FIVE, WEEK, SETTINGS, choices=choices).picks)


def test_pinning_and_unpinning() -> None:
    pinned = edition.pin(NONE, 3, 1)
    assert pinned == Choices(pinned={3: 1})
    assert edition.unpin(pinned, 3) == NONE
    assert edition.unpin(NONE, 3) == NONE


def test_pinning_again_moves_the_pin() -> None:
    assert edition.pin(edition.pin(NONE, 3, 1), 3, 2).pinned == {3: 2}
    assert edition.pin(edition.pin(NONE, 3, 1), 3).pinned == {3: None}


def test_who_stood_there_moves_one_down() -> None:
    choices = edition.pin(edition.pin(edition.pin(NONE, 1, 1), 2, 2), 3)
    assert edition.pin(choices, 4, 1).pinned == {4: 1, 1: 2, 2: 3, 3: None}


def test_a_gap_stops_the_moving() -> None:
    choices = edition.pin(edition.pin(NONE, 1, 1), 2, 3)
    assert edition.pin(choices, 4, 1).pinned == {4: 1, 1: 2, 2: 3}


def test_a_pin_takes_back_an_exclusion_and_an_exclusion_a_pin() -> None:
    assert edition.pin(Choices(excluded=frozenset({3})), 3) == Choices(pinned={3: None})
    assert edition.exclude(Choices(pinned={3: 1}), 3) == Choices(excluded=frozenset({3}))
    assert edition.include(Choices(excluded=frozenset({3, 4})), 3) == Choices(excluded=frozenset({4}))


def test_positions_count_from_one() -> None:
    with pytest.raises(ValueError, match="count from 1"):
        edition.pin(NONE, 3, 0)
    with pytest.raises(ValueError, match="count from 1"):
        edition.move(NONE, [3], 3, 0)


def test_only_what_is_in_the_list_can_be_moved() -> None:
    with pytest.raises(ValueError, match="not in the list"):
        edition.move(NONE, [1, 2], 3, 1)


def test_a_pin_of_a_story_that_fell_out_of_the_list_stays_as_it_is() -> None:
    assert edition.move(Choices(pinned={9: 2, 8: None}), [1, 2], 2, 1).pinned == {9: 2, 8: None, 2: 1}


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 7)), max_size=6))
def test_the_list_becomes_what_the_editor_saw_after_each_move(moves: list[tuple[int, int]]) -> None:
    choices, seen = NONE, order(NONE)
    for story, position in moves:
        expected = [other for other in seen if other != story]
        expected.insert(position - 1, story)
        choices = edition.move(choices, seen, story, position)
        seen = order(choices)
        assert seen == expected
