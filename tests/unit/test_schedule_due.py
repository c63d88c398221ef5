"""Which step is due: in time, late, held, asked for, and after a week of downtime."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config.settings import Approval, Newsletter
from digest.model import EditionState
from digest.schedule import Due, Facts, Schedule, Step, coming, due, following, missed, next_wake, period
from tests.fakes import FixedClock

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
SCHEDULE = Schedule.of(Newsletter(name="W", sender="n@example.org", zone="Europe/London"))
WEEK = period(SCHEDULE, dt.date(2026, 11, 9))
SECOND = dt.timedelta(seconds=1)

DRAFT = Facts(EditionState.draft, told=True)
APPROVED = Facts(EditionState.approved, told=True)


def step(facts: Facts, now: dt.datetime, approval: Approval = Approval.automatic) -> Due:
    return due(WEEK, facts, now, lateness=DAY, approval=approval)


def test_nothing_is_due_before_the_build() -> None:
    assert step(Facts(), WEEK.build_at - SECOND) == Due(Step.wait, WEEK.build_at)


def test_the_build_is_due_at_its_time_and_for_a_day() -> None:
    assert step(Facts(), WEEK.build_at) == Due(Step.build, WEEK.build_at)
    assert step(Facts(), WEEK.build_at + DAY - SECOND).step is Step.build
    assert step(Facts(), WEEK.build_at + DAY) == Due(Step.late, WEEK.build_at, Step.build)


def test_editors_are_told_before_anything_else_but_never_keep_the_lock_waiting() -> None:
    fresh = Facts(EditionState.draft)
    assert step(fresh, WEEK.build_at).step is Step.tell
    assert step(dataclasses.replace(fresh, held=True), WEEK.build_at).step is Step.tell
    assert step(fresh, WEEK.lock_at).step is Step.lock


def test_a_draft_is_locked_by_policy() -> None:
    assert step(DRAFT, WEEK.lock_at - SECOND) == Due(Step.wait, WEEK.lock_at)
    assert step(DRAFT, WEEK.lock_at) == Due(Step.lock, WEEK.lock_at)
    assert step(DRAFT, WEEK.lock_at + DAY) == Due(Step.late, WEEK.lock_at, Step.lock)


def test_a_draft_that_needs_an_editor_waits_for_one() -> None:
    assert step(DRAFT, WEEK.lock_at - SECOND, Approval.editor) == Due(Step.wait, WEEK.lock_at)
    assert step(DRAFT, WEEK.lock_at, Approval.editor) == Due(Step.ask, WEEK.lock_at)
    assert step(DRAFT, WEEK.send_at + DAY - SECOND, Approval.editor).step is Step.ask
    assert step(DRAFT, WEEK.send_at + DAY, Approval.editor) == Due(Step.late, WEEK.send_at, Step.send)


def test_an_approved_edition_waits_for_its_time_and_is_sent() -> None:
    assert step(APPROVED, WEEK.build_at) == Due(Step.wait, WEEK.send_at)
    assert step(APPROVED, WEEK.send_at) == Due(Step.send, WEEK.send_at)
    assert step(APPROVED, WEEK.send_at + DAY) == Due(Step.late, WEEK.send_at, Step.send)


@pytest.mark.parametrize("state", [EditionState.fanning, EditionState.sending])
def test_a_send_that_was_begun_goes_on_however_late(state: EditionState) -> None:
    assert step(Facts(state, told=True), WEEK.send_at + 30 * DAY) == Due(Step.send, WEEK.send_at)


@pytest.mark.parametrize("state", [EditionState.approved, EditionState.fanning, EditionState.sending])
def test_held_and_paused_editions_wait_for_a_person(state: EditionState) -> None:
    assert step(Facts(state, told=True, held=True), WEEK.send_at).step is Step.person
    assert step(Facts(state, told=True, paused=True), WEEK.send_at).step is Step.person
    assert step(dataclasses.replace(DRAFT, held=True), WEEK.lock_at).step is Step.person


@pytest.mark.parametrize(
    "state", [EditionState.finished, EditionState.skipped, EditionState.cancelled, EditionState.failed]
)
def test_a_settled_edition_needs_nothing(state: EditionState) -> None:
    assert step(Facts(state), WEEK.send_at) == Due(Step.done)


def test_an_outage_from_before_the_lock_until_after_the_send_is_caught_up_in_order(clock: FixedClock) -> None:
    clock.set(WEEK.send_at + 2 * HOUR)
    assert step(DRAFT, clock.now()).step is Step.lock
    assert step(APPROVED, clock.now()).step is Step.send


def test_a_week_goes_through_its_steps_once() -> None:
    facts, taken, now = Facts(), [], WEEK.window.end
    for _ in range(12):
        this = step(facts, now)
        taken.append(this.step)
        match this.step:
            case Step.wait:
                assert this.at is not None
                now = this.at
            case Step.build:
                facts = Facts(EditionState.draft)
            case Step.tell:
                facts = DRAFT
            case Step.lock:
                facts = APPROVED
            case Step.send:
                facts = Facts(EditionState.finished)
            case _:
                break
    assert " ".join(taken[:8]) == "wait build tell wait lock wait send done"


def test_lateness_counts_from_the_moment_at_which_a_person_let_it_go() -> None:
    released = dataclasses.replace(APPROVED, released=WEEK.send_at + 30 * DAY)
    assert step(released, WEEK.send_at + 31 * DAY - SECOND).step is Step.send
    assert step(released, WEEK.send_at + 31 * DAY) == Due(Step.late, WEEK.send_at, Step.send)


def test_a_release_before_the_time_of_a_step_does_not_excuse_an_outage() -> None:
    released = dataclasses.replace(DRAFT, released=WEEK.build_at)
    assert step(released, WEEK.lock_at + DAY - SECOND).step is Step.lock
    assert step(released, WEEK.lock_at + DAY) == Due(Step.late, WEEK.lock_at, Step.lock)


# --- downtime -------------------------------------------------------------------------------------


def test_after_a_week_of_downtime_the_missed_week_is_listed_and_the_next_is_built() -> None:
    monday = WEEK.build_at + 7 * DAY + HOUR
    gone = missed(SCHEDULE, period(SCHEDULE, dt.date(2026, 11, 2)), WEEK.window.start, monday)
    assert (gone.count, [one.start_date for one in gone.periods]) == (1, [dt.date(2026, 11, 9)])
    now = coming(SCHEDULE, period(SCHEDULE, dt.date(2026, 11, 2)), WEEK.window.start, monday)
    assert now.start_date == dt.date(2026, 11, 16)
    assert due(now, Facts(), monday, lateness=DAY, approval=Approval.automatic).step is Step.build


def test_a_short_outage_misses_nothing() -> None:
    before = period(SCHEDULE, dt.date(2026, 11, 2))
    assert missed(SCHEDULE, before, WEEK.window.start, WEEK.build_at + 23 * HOUR).count == 0
    assert coming(SCHEDULE, before, WEEK.window.start, WEEK.build_at + 23 * HOUR) == WEEK


def test_a_new_newsletter_has_missed_nothing() -> None:
    since = WEEK.build_at + HOUR
    assert missed(SCHEDULE, None, since, since + DAY).count == 0
    assert coming(SCHEDULE, None, since, since).start_date == dt.date(2026, 11, 16)


def test_an_old_week_that_was_made_by_hand_owes_nothing() -> None:
    old = period(SCHEDULE, dt.date(2019, 3, 4))
    since = WEEK.build_at - HOUR
    assert missed(SCHEDULE, old, since, WEEK.build_at).count == 0
    assert coming(SCHEDULE, old, since, WEEK.build_at) == WEEK


def test_years_of_downtime_are_counted_and_the_newest_listed() -> None:
    gone = missed(SCHEDULE, WEEK, WEEK.window.start, WEEK.send_at + 3 * 364 * DAY, limit=10)
    assert (gone.count, len(gone.periods)) == (156, 10)
    assert gone.periods[-1].start_date == WEEK.start_date + dt.timedelta(weeks=156)


def test_a_changed_schedule_misses_no_time() -> None:
    wednesday = Schedule.of(
        Newsletter(
            name="W",
            sender="n@example.org",
            zone="Europe/London",
            window_start="wed 00:00",
            build="wed 06:00",
        )
    )
    found = coming(wednesday, WEEK, WEEK.window.start, WEEK.send_at)
    assert found == following(wednesday, WEEK)
    assert found.window.start == WEEK.window.end


# --- waking ---------------------------------------------------------------------------------------

OFFSETS = st.timedeltas(-DAY, 5 * DAY)
FACTS = st.builds(
    Facts,
    st.none() | st.sampled_from(EditionState),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.none() | OFFSETS.map(lambda offset: WEEK.build_at + offset),
)


@given(FACTS, OFFSETS, OFFSETS, st.sampled_from(Approval), st.sampled_from([HOUR, DAY, 3 * DAY]))
def test_the_answer_changes_only_at_the_moments_that_are_announced(
    facts: Facts, one: dt.timedelta, other: dt.timedelta, approval: Approval, lateness: dt.timedelta
) -> None:
    now, later = sorted((WEEK.build_at + one, WEEK.build_at + other))
    wake = next_wake(WEEK, now, lateness=lateness, released=facts.released)
    if wake is None or later < wake:
        answers = {due(WEEK, facts, at, lateness=lateness, approval=approval) for at in (now, later)}
        assert len(answers) == 1


@given(FACTS, OFFSETS, st.sampled_from(Approval))
def test_waiting_is_always_for_a_moment_to_come(
    facts: Facts, offset: dt.timedelta, approval: Approval
) -> None:
    now = WEEK.build_at + offset
    found = due(WEEK, facts, now, lateness=DAY, approval=approval)
    if found.step is Step.wait:
        assert found.at is not None
        assert found.at > now
    elif found.at is not None:
        assert (
            found.at <= now
            or found.step is Step.tell
            or facts.state in {EditionState.fanning, EditionState.sending}
        )


def test_nothing_wakes_a_week_whose_times_have_all_passed() -> None:
    assert next_wake(WEEK, WEEK.window.end, lateness=DAY) == WEEK.build_at
    assert next_wake(WEEK, WEEK.build_at, lateness=DAY) == WEEK.build_at + DAY
    assert next_wake(WEEK, WEEK.send_at + DAY, lateness=DAY) is None
