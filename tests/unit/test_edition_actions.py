"""What may be done with an edition in which state, and what is said when it may not."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest

from digest.edition import ACTIONS, Action, allowed, check
from digest.errors import EditionError
from digest.model import Edition, EditionState, EditionStory, Period
from tests.ranking_material import END, WEEK, hours, story

PERIOD = Period(WEEK.start.date(), WEEK, END + hours(6), END + hours(32), END + hours(33))


def in_state(state: EditionState, **facts: Any) -> Edition:
    edition = Edition(3, "weekly", 41, PERIOD, state, stories=(EditionStory(1, story(1), ()),))
    return dataclasses.replace(edition, **facts)


DRAFT = in_state(EditionState.draft)


def refusal(edition: Edition, action: Action) -> EditionError:
    assert not allowed(edition, action)
    with pytest.raises(EditionError) as caught:
        check(edition, action)
    return caught.value


@pytest.mark.parametrize("action", [Action.pin, Action.exclude, Action.move, Action.set])
def test_an_edit_takes_back_an_approval(action: Action) -> None:
    assert check(DRAFT, action) is EditionState.draft
    assert check(in_state(EditionState.approved), action) is EditionState.draft
    assert "cannot be changed" in str(refusal(in_state(EditionState.sending), action))


def test_a_draft_is_approved_and_then_sent() -> None:
    assert check(DRAFT, Action.approve) is EditionState.approved
    error = refusal(DRAFT, Action.send)
    assert str(error) == "edition weekly/2026-11-09: is still a draft and cannot be sent"
    assert error.hint == "Approve it first: digest edition approve weekly/2026-11-09"
    approved = in_state(EditionState.approved)
    assert check(approved, Action.send) is EditionState.approved
    assert refusal(approved, Action.approve).hint.startswith(
        "Nothing needs to be done; it leaves by schedule"
    )


def test_a_held_edition_neither_is_approved_nor_leaves() -> None:
    held = dataclasses.replace(DRAFT, held="Only 1 story")
    error = refusal(held, Action.approve)
    assert str(error) == "edition weekly/2026-11-09: is held and cannot be approved: Only 1 story"
    assert error.hint == "Settle it, then release it: digest edition release weekly/2026-11-09"
    refusal(in_state(EditionState.approved, held="Only 1 story"), Action.send)
    assert check(held, Action.release) is EditionState.draft
    assert check(held, Action.pin) is EditionState.draft
    assert str(refusal(DRAFT, Action.release)).endswith("is not held")


def test_a_paused_edition_goes_on_only_when_resumed() -> None:
    paused = in_state(EditionState.sending, paused="The relay refuses us")
    assert refusal(paused, Action.send).hint == "Go on with: digest send weekly/2026-11-09 --resume"
    assert check(paused, Action.resume) is EditionState.sending
    refusal(paused, Action.pause)
    sending = in_state(EditionState.sending)
    assert check(sending, Action.pause) is EditionState.sending
    assert check(sending, Action.send) is EditionState.sending


def test_an_empty_edition_is_not_approved() -> None:
    error = refusal(in_state(EditionState.draft, stories=()), Action.approve)
    assert "has no stories" in str(error)
    assert error.hint.startswith("Pin a story")


@pytest.mark.parametrize(
    "state",
    [
        EditionState.draft,
        EditionState.approved,
        EditionState.fanning,
        EditionState.sending,
        EditionState.skipped,
        EditionState.failed,
    ],
)
def test_what_is_not_over_can_be_cancelled(state: EditionState) -> None:
    assert check(in_state(state), Action.cancel) is EditionState.cancelled


def test_only_a_draft_or_a_cancelled_period_is_built_again() -> None:
    assert check(DRAFT, Action.build) is EditionState.draft
    assert check(in_state(EditionState.cancelled), Action.build) is EditionState.draft
    assert "Cancel it first" in refusal(in_state(EditionState.approved), Action.build).hint


@pytest.mark.parametrize("action", Action)
def test_every_refusal_is_a_sentence_with_a_way_out(action: Action) -> None:
    facts: tuple[dict[str, Any], ...] = ({}, {"held": "why"}, {"paused": "why"}, {"stories": ()})
    for state, changed in itertools.product(EditionState, facts):
        edition = in_state(state, **changed)
        if allowed(edition, action):
            assert check(edition, action) in EditionState
        else:
            error = refusal(edition, action)
            assert str(error).startswith("edition weekly/2026-11-09: ")
            assert error.hint


def test_every_action_has_a_rule() -> None:
    assert set(ACTIONS) == set(Action)
