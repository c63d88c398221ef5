"""One copy's outcome: its row, whether the run may go on, and how slowly it starts again."""

from __future__ import annotations

import datetime as dt
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.delivery import Claimed, RetryPolicy
from digest.delivery.breaker import Breaker, hard_reasons, wilson_lower
from digest.delivery.health import Health, SlowStart, Verdict
from digest.delivery.judge import about, judge, meaning_of
from digest.model import DeliveryState, Outcome, OutcomeKind, Recipient
from digest.replies import About

Kind = OutcomeKind
State = DeliveryState
NOW = dt.datetime(2026, 11, 17, 9, 0, tzinfo=dt.UTC)
STALE = NOW + dt.timedelta(hours=24)

NO_USER = (550, "5.1.1 user unknown")
FULL = (452, "4.2.2 mailbox full")
CLOSING = (421, "4.3.2 shutting down")
QUOTA = (550, "5.4.5 daily sending limit exceeded")
SPAM = (554, "5.7.1 message rejected as spam")
SPAM_FOR_NOW = (451, "4.7.1 message looks like spam")
SLOW_DOWN = (421, "4.7.28 unusual rate of unsolicited mail")
NOTHING = (0, "the server closed the connection")


def outcome(kind: Kind, reply: tuple[int, str] = NOTHING, number: int = 1, at: str = "") -> Outcome:
    return Outcome(number, kind, reply[0], "", reply[1], at)


def judged(what: Outcome, *, tries: int = 0, going: bool = True) -> State:
    result = judge(
        Claimed(Recipient(1, 1, "r@example.test")),
        what,
        meaning_of(what),
        tries=tries,
        going=going,
        now=NOW,
        stale=STALE,
        retry=RetryPolicy(),
        random=lambda: 0.0,
    )
    assert (result.next_attempt is not None) is (result.state is State.deferred)
    return result.state


# --- the row ------------------------------------------------------------------------------------------

#     what happened                            first     second    third     when the run ends
ROWS = [
    (outcome(Kind.accepted, (250, "ok")), "accepted", "accepted", "accepted", "accepted"),
    (outcome(Kind.uncertain), "uncertain", "uncertain", "uncertain", "uncertain"),
    (outcome(Kind.rejected, NO_USER), "rejected", "rejected", "rejected", "rejected"),
    (outcome(Kind.deferred, FULL), "deferred", "deferred", "deferred", "deferred"),
    (outcome(Kind.unsent), "queued", "queued", "deferred", "queued"),
    (outcome(Kind.unsent, NO_USER), "queued", "queued", "deferred", "queued"),
    (outcome(Kind.deferred, CLOSING), "queued", "queued", "deferred", "queued"),
    (outcome(Kind.deferred, CLOSING, at="text"), "queued", "queued", "deferred", "queued"),
    (outcome(Kind.rejected, QUOTA), "queued", "queued", "deferred", "queued"),
    (outcome(Kind.deferred, SLOW_DOWN), "queued", "queued", "deferred", "queued"),
    (outcome(Kind.unsent, QUOTA), "queued", "queued", "deferred", "queued"),
    (outcome(Kind.rejected, SPAM), "queued", "rejected", "rejected", "queued"),
    (outcome(Kind.deferred, SPAM_FOR_NOW), "queued", "deferred", "deferred", "queued"),
    (outcome(Kind.rejected, (550, "5.1.1 no"), at="MAIL"), "queued", "queued", "deferred", "queued"),
]


@pytest.mark.parametrize(("what", "first", "second", "third", "ending"), ROWS)
def test_what_becomes_of_a_row(what: Outcome, first: str, second: str, third: str, ending: str) -> None:
    assert [judged(what, tries=tries) for tries in range(3)] == [first, second, third]
    assert judged(what, going=False) == ending


REPLIES = [NO_USER, FULL, CLOSING, QUOTA, SPAM, SPAM_FOR_NOW, SLOW_DOWN, NOTHING, (550, "no"), (451, "later")]


def test_every_outcome_ends_in_a_state_that_fits_it() -> None:
    """Accepted and uncertain copies stay that; unsent and deferred ones are never refused for good."""
    stages = ("", "MAIL", "RCPT", "DATA", "text")
    for kind, reply, at, tries, going in itertools.product(Kind, REPLIES, stages, range(4), (True, False)):
        what = outcome(kind, reply, at=at)
        state, whose = judged(what, tries=tries, going=going), about(what, meaning_of(what))
        if kind in (Kind.accepted, Kind.uncertain):
            assert state == State(kind.value)
        elif kind is Kind.rejected:
            assert state in (State.rejected, State.queued, State.deferred)
        else:
            assert state in (State.queued, State.deferred)
        if state is State.rejected:
            assert whose in (About.recipient, About.content)
        if not going and whose is not About.recipient:
            assert state in (State.queued, State.accepted, State.uncertain)


def test_a_copy_deferred_too_late_expires() -> None:
    what = outcome(Kind.deferred, (451, "try again in 2 days"))
    assert judged(what) is State.expired


# --- the run ------------------------------------------------------------------------------------------


class Patient:
    """A run's health, fed by turns; time stands still unless it is moved."""

    def __init__(self, capacity: int = 1, breaker: Breaker | None = None) -> None:
        self.health = Health("relay.test:25", capacity, breaker)
        self.numbers = itertools.count(1)
        self.now = 0.0

    def saw(self, kind: Kind, reply: tuple[int, str] = NOTHING, *, number: int = 0, at: str = "") -> Verdict:
        what = outcome(kind, reply, number or next(self.numbers), at)
        return self.health.saw(what, meaning_of(what), "r@example.test", self.now)

    def until_trouble(
        self, kind: Kind, reply: tuple[int, str] = NOTHING, most: int = 100
    ) -> tuple[int, Verdict]:
        for count in range(1, most + 1):
            verdict = self.saw(kind, reply)
            if verdict.trouble:
                return count, verdict
        return 0, Verdict()


@pytest.mark.parametrize(
    ("kind", "reply", "count", "for_good"),
    [
        (Kind.unsent, NOTHING, 10, False),
        (Kind.deferred, CLOSING, 10, False),
        (Kind.uncertain, NOTHING, 11, True),
        (Kind.rejected, QUOTA, 3, True),
        (Kind.deferred, SLOW_DOWN, 3, False),
        (Kind.unsent, (535, "5.7.8 authentication failed"), 3, True),
        (Kind.rejected, SPAM, 3, True),
        (Kind.rejected, NO_USER, 0, False),
        (Kind.deferred, FULL, 0, False),
        (Kind.accepted, (250, "ok"), 0, False),
    ],
)
def test_how_many_in_a_row_are_trouble(
    kind: Kind, reply: tuple[int, str], count: int, for_good: bool
) -> None:
    counted, verdict = Patient().until_trouble(kind, reply)
    assert counted == count
    if verdict.trouble:
        assert reply[1] in verdict.trouble.message
        assert verdict.trouble.hint
        assert verdict.trouble.for_good is for_good
        assert verdict.trouble.code == (reply[0] or None)


def test_more_copies_in_flight_may_break_together_before_it_is_trouble() -> None:
    assert Patient(capacity=40).until_trouble(Kind.unsent)[0] == 80
    assert Patient(capacity=40).until_trouble(Kind.uncertain)[0] == 50  # all of one crash, and ten


@pytest.mark.parametrize("reply", [NOTHING, QUOTA, SPAM])
def test_a_copy_taken_in_between_starts_the_count_anew(reply: tuple[int, str]) -> None:
    patient = Patient()
    for _ in range(50):
        assert not patient.saw(Kind.unsent, reply).trouble
        assert not patient.saw(Kind.unsent, reply).trouble
        patient.saw(Kind.accepted)


def test_one_copy_refused_again_and_again_is_not_the_relays_word() -> None:
    patient = Patient()
    patient.saw(Kind.accepted)
    for _ in range(5):
        assert not patient.saw(Kind.rejected, QUOTA, number=77).trouble
    patient = Patient()  # unless nothing else was ever taken: the edition has one reader
    verdicts = [patient.saw(Kind.rejected, QUOTA, number=77) for _ in range(3)]
    assert verdicts[2].trouble


def test_a_server_that_closes_more_often_than_it_takes_is_trouble() -> None:
    patient, troubles = Patient(capacity=100), list[Verdict]()
    for _ in range(12):
        patient.now += 3
        troubles.append(patient.saw(Kind.deferred, CLOSING))
        patient.saw(Kind.accepted)
    found = next(verdict.trouble for verdict in troubles if verdict.trouble)
    assert "closed 10 connections within 27 s, and took" in found.message


def test_a_server_that_closes_after_every_hundred_messages_is_none() -> None:
    patient = Patient(capacity=4)
    for _ in range(50):
        assert not patient.saw(Kind.deferred, CLOSING).trouble
        for _ in range(100):
            patient.saw(Kind.accepted)


def test_a_server_that_closes_now_and_then_is_none() -> None:
    patient = Patient(capacity=4)
    for _ in range(50):
        patient.now += 30
        assert not patient.saw(Kind.deferred, CLOSING).trouble
        patient.saw(Kind.accepted)


def test_the_advice_to_go_slow_comes_with_the_first_such_reply() -> None:
    verdict = Patient().saw(Kind.deferred, SLOW_DOWN)
    assert not verdict.trouble
    assert verdict.pause == dt.timedelta(minutes=10)
    assert verdict.slow_start


# --- hard bounces -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "of", "lower"),
    # The first three are the worked figures of textbooks; the others follow from the formula by hand.
    [(1, 10, 0.0179), (50, 100, 0.4038), (9, 10, 0.5958), (0, 100, 0.0), (0, 0, 0.0), (10, 10, 0.7225)],
)
def test_wilsons_lower_bound(found: int, of: int, lower: float) -> None:
    assert wilson_lower(found, of) == pytest.approx(lower, abs=0.0001)


@given(st.integers(0, 5000), st.integers(1, 5000))
def test_the_bound_is_below_the_share_and_rises_with_what_was_found(found: int, more: int) -> None:
    of = found + more
    assert 0.0 <= wilson_lower(found, of) <= found / of
    assert wilson_lower(found, of) <= wilson_lower(found + 1, of)


@pytest.mark.parametrize(("attempts", "bounces"), [(200, 17), (1000, 64), (10_000, 543)])
def test_so_many_hard_bounces_trip_it_and_one_fewer_does_not(attempts: int, bounces: int) -> None:
    assert Breaker(taken=attempts - bounces, hard={"no such mailbox": bounces}).tripped
    assert not Breaker(taken=attempts - bounces + 1, hard={"no such mailbox": bounces - 1}).tripped


def test_nothing_is_judged_by_fewer_than_two_hundred() -> None:
    breaker = Breaker()
    for _ in range(199):
        breaker.bounced("no such mailbox")
        assert not breaker.tripped
    breaker.bounced("no such mailbox")
    assert breaker.tripped


def test_a_list_with_two_in_a_hundred_bad_never_trips_it() -> None:
    luck = random.Random(7)
    for _ in range(20):
        breaker = Breaker()
        for _ in range(5000):
            breaker.bounced("x") if luck.random() < 0.02 else breaker.accepted()
            assert not breaker.tripped


def test_a_run_that_goes_on_knows_the_hard_bounces_of_the_last_one() -> None:
    refused = [(*NO_USER, ""), (550, "5.1.2 domain not found", ""), (550, "no", "5.1.1"), (*SPAM, "")]
    reasons = hard_reasons((code, enhanced, text) for code, text, enhanced in refused)
    assert reasons == {"no such mailbox": 2, "no such domain": 1}
    assert Breaker(taken=197, hard=reasons).attempts == 200


def test_a_limit_of_none_switches_it_off() -> None:
    assert not Breaker(0, hard={"no such mailbox": 1000}).tripped


def test_a_dead_list_pauses_the_run_for_a_person_with_figures() -> None:
    patient = Patient(breaker=Breaker())
    for _ in range(184):
        assert not patient.saw(Kind.accepted).trouble
    for _ in range(10):
        assert not patient.saw(Kind.rejected, NO_USER).trouble
        assert not patient.saw(Kind.rejected, (550, "5.7.1 blocked by policy")).trouble
        assert not patient.saw(Kind.deferred, (450, "4.1.1 user unknown")).trouble
    for _ in range(6):
        assert not patient.saw(Kind.rejected, (550, "5.1.2 domain not found")).trouble
    problem = patient.saw(Kind.rejected, NO_USER).trouble
    assert problem
    assert problem.for_good
    assert "17 of 201 copies" in problem.message
    assert "(8.5 %; the limit is 5 %). no such mailbox: 11, no such domain: 6" in problem.message
    assert "hard_bounce_limit" in problem.hint


# --- slow start ---------------------------------------------------------------------------------------


def test_after_the_pause_one_copy_then_one_more_each_minute_in_which_some_were_taken() -> None:
    slow = SlowStart(4)
    assert (slow.limit(0), slow.wait(0)) == (4, 0)
    slow.begin(100, 600)
    assert (slow.limit(100), slow.wait(100)) == (0, 600)
    assert slow.limit(699) == 0
    assert (slow.limit(700), slow.wait(700)) == (1, 0)
    assert slow.limit(800) == 1  # nothing was taken yet
    slow.accepted()
    assert slow.limit(800) == 2
    slow.accepted()
    assert slow.limit(859) == 2
    assert slow.limit(860) == 3
    slow.accepted()
    assert slow.limit(1000) == 4
    slow.accepted()
    assert slow.limit(5000) == 4


def test_a_second_such_reply_begins_anew_and_never_shortens_the_pause() -> None:
    slow = SlowStart(1)
    slow.begin(0, 600)
    slow.begin(5, 10)
    assert (slow.limit(599), slow.limit(600)) == (0, 1)
    slow.begin(700, 600)
    assert slow.wait(1000) == 300
