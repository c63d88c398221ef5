"""A copy in doubt names the server that may have it, and is given to no other one; on both databases."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from digest.delivery import Result
from digest.model import DeliveryState, Outcome, OutcomeKind
from digest.store import Database
from digest.store.leased import LEASE, LeasedEdition
from digest.store.tables import delivery, event
from tests.contract.test_ledger import Sending, accepted, result
from tests.fakes import FixedClock

State = DeliveryState
ONE, TWO = "one.test:25", "two.test:587"
MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)


@pytest.fixture
def room(database: Database, clock: FixedClock) -> Sending:
    return Sending(database, clock)


def claim(leased: LeasedEdition, server: str, count: int = 9) -> list[int]:
    return [each.recipient.delivery for each in leased.claim(count, server).claimed]


def offer(leased: LeasedEdition, server: str, count: int = 1) -> list[int]:
    numbers = claim(leased, server, count)
    assert leased.commit([], numbers, server).deliveries == frozenset(numbers)
    return numbers


def doubt(number: int) -> Result:
    return result(number, OutcomeKind.uncertain, State.uncertain, 0, "")


def row_of(room: Sending, number: int) -> Any:
    with room.database.read() as connection:
        return connection.execute(sa.select(delivery).where(delivery.c.id == number)).one()


def resend(room: Sending, **options: Any) -> int:
    return room.ledger.resolve(room.number, resend=True, now=room.clock.now(), actor="op", **options)


def bound(room: Sending, server: str = ONE) -> tuple[LeasedEdition, int]:
    """A lease, and a copy that this server may have and that is to be sent again."""
    leased = room.fanned()
    (number,) = offer(leased, server)
    leased.commit([doubt(number)], [])
    assert resend(room) == 1
    return leased, number


def offer_again(leased: LeasedEdition, number: int) -> None:
    assert number in claim(leased, ONE)
    assert leased.commit([], [number], ONE).deliveries == {number}


# --- who may have it --------------------------------------------------------------------------------


def test_an_offer_names_its_server(room: Sending) -> None:
    leased = room.fanned()
    (first,) = offer(leased, ONE)
    (second,) = offer(leased, TWO)
    leased.commit([accepted(first), doubt(second)], [])
    assert [row_of(room, each).server for each in (first, second)] == [ONE, TWO]
    assert room.rows()["reader3@example.test"].server == ""
    listed = {each.id: each.server for each in room.ledger.deliveries(room.number, str)}
    assert (listed[first], listed[second]) == (ONE, TWO)


def test_after_a_crash_a_copy_in_doubt_names_the_server_that_it_was_offered_to_last(room: Sending) -> None:
    leased = room.fanned("one")
    numbers = offer(leased, ONE, 2)
    leased.commit([result(each, OutcomeKind.unsent, State.queued, 0, "") for each in numbers], [])
    assert offer(leased, TWO, 1) == numbers[:1]
    (third,) = offer(leased, ONE, 1)
    room.clock.advance(LEASE)
    room.take("two").recover()
    assert room.ledger.may_have(room.number) == {ONE: 1, TWO: 1}
    assert room.ledger.may_have(room.number, [third]) == {ONE: 1}


def test_a_copy_that_was_certainly_not_handed_over_may_go_to_another_server(room: Sending) -> None:
    leased = room.fanned()
    numbers = offer(leased, ONE, 5)
    leased.commit([result(each, OutcomeKind.unsent, State.queued, 0, "") for each in numbers], [])
    assert offer(leased, TWO, 5) == numbers


def test_a_copy_that_was_deferred_may_go_to_another_server(room: Sending) -> None:
    leased = room.fanned()
    (number,) = offer(leased, ONE)
    later = Result(Outcome(number, OutcomeKind.deferred, 451), State.deferred, room.clock.now() + MINUTE)
    leased.commit([later], [])
    room.clock.advance(2 * MINUTE)
    assert claim(room.take("one"), TWO, 1) == [number]


# --- it alone is given it ---------------------------------------------------------------------------


def test_a_copy_that_is_sent_again_is_claimed_for_no_other_server(room: Sending) -> None:
    leased, number = bound(room)
    others = claim(leased, TWO)
    assert (len(others), number in others) == (4, False)
    assert row_of(room, number).state == "queued"
    assert claim(leased, ONE) == [number]


def test_a_canary_whose_copy_is_for_another_server_is_not_claimed(room: Sending) -> None:
    leased, number = bound(room)
    only = [row_of(room, number).address_key]
    assert leased.claim(9, TWO, only=only).claimed == ()
    assert [each.recipient.delivery for each in leased.claim(9, ONE, only=only).claimed] == [number]


def test_a_copy_that_is_deferred_after_it_was_sent_again_keeps_its_server(room: Sending) -> None:
    leased, number = bound(room)
    offer_again(leased, number)
    later = Result(Outcome(number, OutcomeKind.deferred, 451), State.deferred, room.clock.now())
    leased.commit([later], [])
    assert number not in claim(leased, TWO)
    assert claim(leased, ONE) == [number]


def test_what_was_claimed_before_the_server_changed_is_not_offered_to_the_other_one(room: Sending) -> None:
    leased, number = bound(room)
    numbers = claim(leased, ONE)
    assert number in numbers
    offered = leased.commit([], numbers, TWO)
    assert offered.deliveries == frozenset(numbers) - {number}
    assert offered.skipped == frozenset()
    assert (row_of(room, number).state, row_of(room, number).server) == ("claimed", ONE)
    assert leased.give_back() == 1
    assert claim(leased, ONE) == [number]


def test_a_copy_that_was_sent_again_and_not_handed_over_keeps_its_server(room: Sending) -> None:
    leased, number = bound(room)
    offer_again(leased, number)
    leased.commit([result(number, OutcomeKind.unsent, State.queued, 0, "")], [])
    assert number not in claim(leased, TWO)


def test_a_copy_that_no_server_has_as_a_person_found_out_may_go_to_any(room: Sending) -> None:
    leased = room.fanned()
    (number,) = offer(leased, ONE)
    leased.commit([doubt(number)], [])
    assert resend(room, servers=[TWO]) == 0
    assert resend(room, anew=True) == 1
    row = row_of(room, number)
    assert (row.state, row.server, row.resends) == ("queued", "", 0)
    assert number in claim(leased, TWO)
    with room.database.read() as connection:
        (trail,) = connection.execute(sa.select(event)).all()
    assert trail.detail == {"copies": 1, "any_server": True}


def test_the_policy_sends_again_only_what_a_known_server_may_have(room: Sending) -> None:
    leased = room.fanned()
    numbers = [*offer(leased, ONE), *offer(leased, TWO), *offer(leased, "")]
    leased.commit([doubt(each) for each in numbers], [])
    now = room.clock.now()
    assert room.ledger.first_in_doubt(room.number, [TWO]) == now
    assert room.ledger.first_in_doubt(room.number, ["three.test:25"]) is None
    assert leased.resend_uncertain(now + MINUTE, [TWO]) == 1
    assert [row_of(room, each).state for each in numbers] == ["uncertain", "queued", "uncertain"]
    assert room.ledger.first_in_doubt(room.number, [TWO]) is None


def test_an_edition_waits_only_for_copies_that_will_be_sent_again(room: Sending) -> None:
    leased = room.fanned()
    numbers = offer(leased, ONE, 5)
    leased.commit([doubt(each) for each in numbers], [])
    assert not leased.finish(by="test", resends=[ONE, TWO])
    assert leased.finish(by="test", resends=[TWO])


# --- when its server cannot be used -----------------------------------------------------------------


def test_copies_that_wait_for_another_server_are_told_by_server(room: Sending) -> None:
    leased = room.fanned()
    numbers = [*offer(leased, ONE, 2), *offer(leased, TWO)]
    leased.commit([doubt(each) for each in numbers], [])
    resend(room)
    keys = [row_of(room, each).address_key for each in numbers]
    assert (leased.bound(ONE), leased.bound(TWO), leased.bound("")) == ({TWO: 1}, {ONE: 2}, {ONE: 2, TWO: 1})
    assert leased.call_up(TWO) == {ONE: keys[:2]}
    assert leased.call_up(ONE) == {TWO: keys[2:]}


def test_a_copy_that_waits_is_asked_for_again_when_its_time_has_come(room: Sending) -> None:
    leased, number = bound(room)
    assert leased.put_off(TWO, room.clock.now() + MINUTE, "down") == 0
    assert leased.put_off(ONE, room.clock.now() + MINUTE, "down") == 1
    row = row_of(room, number)
    assert (row.state, row.reply, row.attempts) == ("deferred", "down", 1)
    assert (leased.call_up(TWO), leased.bound(TWO)) == ({}, {ONE: 1})
    assert number not in claim(leased, ONE)
    room.clock.advance(MINUTE / 2)
    leased.renew()
    room.clock.advance(MINUTE / 2)
    assert leased.call_up(TWO) == {ONE: [row.address_key]}
    assert claim(leased, ONE) == [number]


def test_its_server_is_given_a_copy_that_waits_when_it_is_in_use_again(room: Sending) -> None:
    leased, number = bound(room)
    leased.put_off(ONE, room.clock.now(), "down")
    assert number not in claim(leased, TWO)
    assert claim(leased, ONE) == [number]


def test_a_copy_that_waited_until_the_edition_was_stale_is_in_doubt_again(room: Sending) -> None:
    leased, number = bound(room)
    leased.put_off(ONE, room.clock.now(), "down")
    (other,) = offer(leased, TWO)
    later = Result(Outcome(other, OutcomeKind.deferred, 451), State.deferred, room.clock.now() + HOUR)
    leased.commit([later], [])
    assert leased.expire() == 2
    assert (row_of(room, number).state, row_of(room, other).state) == ("uncertain", "expired")
    assert room.ledger.may_have(room.number) == {ONE: 1}
    assert room.ledger.first_in_doubt(room.number, [ONE]) is None  # once by itself, and not again


def test_a_copy_that_its_server_puts_off_for_too_long_is_in_doubt_and_not_expired(room: Sending) -> None:
    leased, number = bound(room)
    (other,) = offer(leased, TWO)
    offer_again(leased, number)
    gone = [Result(Outcome(each, OutcomeKind.deferred, 451), State.expired) for each in (number, other)]
    leased.commit(gone, [])
    assert (row_of(room, number).state, row_of(room, other).state) == ("uncertain", "expired")
    counts = room.ledger.counts(room.number)
    assert (counts[State.uncertain], counts[State.expired], counts[State.offered]) == (1, 1, 0)
