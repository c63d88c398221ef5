"""The ledger keeps its promises on both databases, whatever breaks between two of its transactions."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable, Sequence

import pytest
import sqlalchemy as sa

from digest.delivery import Result, SendingStopped
from digest.errors import EditionError, StoreError
from digest.model import DeliveryState, Edition, EditionState, Outcome, OutcomeKind, Period, Window
from digest.store import Database
from digest.store.fanout import SAME_MAILBOX
from digest.store.leased import LEASE, LeasedEdition
from digest.store.ledger import SqlLedger
from digest.store.tables import delivery, edition, event, newsletter, people, source, story, story_use
from subscribers import Entry, Subscribers, SuppressionReason
from tests.fakes import FixedClock

State = DeliveryState
SECRET = b"s" * 32
HOUR = dt.timedelta(hours=1)


def never(owner: str) -> bool:
    return False


class Sending:
    """An edition in the middle of things, and everything that touches it."""

    def __init__(self, database: Database, clock: FixedClock, *, people_count: int = 5) -> None:
        self.database, self.clock = database, clock
        self.ledger = SqlLedger(database)
        now = clock.now()
        window = Window(now - dt.timedelta(days=7), now)
        self.edition = Edition(
            0, "weekly", 1, Period(window.start.date(), window, now, now, now), EditionState.fanning
        )
        with database.write() as connection:
            connection.execute(newsletter.insert(), {"slug": "weekly", "since": now})
            number = connection.execute(
                edition.insert().values(
                    newsletter="weekly",
                    number=1,
                    start_date=window.start.date().isoformat(),
                    window_start=window.start,
                    window_end=window.end,
                    build_at=now,
                    lock_at=now,
                    send_at=now,
                    state="fanning",
                    created=now,
                    started=now,
                )
            ).inserted_primary_key
            assert number is not None
        self.number = number[0]
        self.edition = Edition(self.number, "weekly", 1, self.edition.period, EditionState.fanning, date=now)
        self.subscribers = Subscribers(database, people, address_secret=SECRET, now=clock.now)
        self.subscribe(f"reader{n}@example.test" for n in range(1, people_count + 1))

    def subscribe(self, addresses: Iterable[str]) -> None:
        self.subscribers.import_confirmed(
            [Entry(address, name="R") for address in addresses], "weekly", source="test", basis="test"
        )

    def take(self, owner: str = "one", gone: object = never) -> LeasedEdition:
        return self.ledger.take(
            self.edition,
            owner,
            clock=self.clock,
            gone=gone,  # type: ignore[arg-type]
            audience=self.subscribers.audience("weekly"),
            do_not_send=self.subscribers.do_not_send(),
        )

    def fanned(self, owner: str = "one") -> LeasedEdition:
        leased = self.take(owner)
        leased.fan_out()
        self.set_edition(state="sending")
        return leased

    def set_edition(self, **values: object) -> None:
        with self.database.write() as connection:
            connection.execute(sa.update(edition).where(edition.c.id == self.number).values(**values))

    def rows(self) -> dict[str, sa.Row[tuple[object, ...]]]:
        with self.database.read() as connection:
            return {row.address: row for row in connection.execute(sa.select(delivery))}

    def edition_row(self) -> sa.Row[tuple[object, ...]]:
        with self.database.read() as connection:
            return connection.execute(sa.select(edition).where(edition.c.id == self.number)).one()

    def states(self) -> dict[str, str]:
        return {address.partition("@")[0]: row.state for address, row in self.rows().items()}


def result(number: int, kind: OutcomeKind, state: State, code: int = 250, text: str = "ok") -> Result:
    return Result(Outcome(number, kind, code, "", text), state)


def accepted(number: int) -> Result:
    return result(number, OutcomeKind.accepted, State.accepted)


def offer(leased: LeasedEdition, count: int = 1) -> list[int]:
    """Claims and offers; the rows' ids."""
    ids = [claimed.recipient.delivery for claimed in leased.claim(count).claimed]
    assert leased.commit([], ids).deliveries == frozenset(ids)
    return ids


@pytest.fixture
def sending(database: Database, clock: FixedClock) -> Sending:
    return Sending(database, clock)


# --- fan-out ----------------------------------------------------------------------------------------


def test_every_confirmed_subscription_becomes_a_row(sending: Sending) -> None:
    made = sending.take().fan_out()
    assert (made.candidates, made.queued, dict(made.skipped)) == (5, 5, {})
    row = sending.rows()["reader1@example.test"]
    assert (row.domain, row.name, row.variant, row.state) == ("example.test", "R", "default", "queued")


def test_people_of_other_newsletters_and_those_who_left_are_no_candidates(sending: Sending) -> None:
    sending.subscribers.leave(1, source="test")
    made = sending.take().fan_out()
    assert made.candidates == 4
    assert "reader1@example.test" not in sending.rows()


def test_two_spellings_of_one_mailbox_get_one_copy(sending: Sending) -> None:
    sending.subscribe(["twin@example.test"])
    with sending.database.write() as connection:  # a second row of the same mailbox, as imports may leave it
        person, series = people.subscriber, people.subscription
        row = connection.execute(sa.select(person).where(person.c.address == "twin@example.test")).one()
        added = connection.execute(
            person.insert().values(
                address="TWIN@example.test",
                domain=row.domain,
                address_key=row.address_key,
                key_version=row.key_version,
                created=row.created,
            )
        ).inserted_primary_key
        assert added is not None
        connection.execute(
            series.insert().values(
                subscriber=added[0], newsletter="weekly", state="confirmed", changed=row.created
            )
        )
    made = sending.take().fan_out()
    assert (made.candidates, made.queued, dict(made.skipped)) == (7, 6, {SAME_MAILBOX: 1})
    twin = sending.rows()["TWIN@example.test"]
    assert (twin.state, twin.skip_reason, twin.address_key) == ("skipped", SAME_MAILBOX, None)


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_twins_in_different_chunks_are_found(sending: Sending, chunk: int) -> None:
    with sending.database.write() as connection:
        person = people.subscriber
        first = sa.select(person.c.address_key).where(person.c.address == "reader1@example.test")
        connection.execute(
            sa.update(person)
            .where(person.c.address == "reader5@example.test")
            .values(address_key=first.scalar_subquery())
        )
    made = sending.take().fan_out(chunk=chunk)
    assert (made.queued, dict(made.skipped)) == (4, {SAME_MAILBOX: 1})
    assert sending.states()["reader5"] == "skipped"


def test_a_mailbox_gets_one_copy_though_its_first_row_is_erased_between_two_chunks(sending: Sending) -> None:
    """Rows of erased people keep their address key, and with it the mailbox of their twins."""
    person = people.subscriber
    with sending.database.write() as connection:
        first = sa.select(person.c.address_key).where(person.c.address == "reader1@example.test")
        connection.execute(
            sa.update(person)
            .where(person.c.address == "reader5@example.test")
            .values(address_key=first.scalar_subquery())
        )

    def erase(_chunk: int) -> None:
        with sending.database.write() as connection:
            connection.execute(
                sa.update(person).where(person.c.address == "reader1@example.test").values(address=None)
            )

    made = sending.take().fan_out(chunk=2, told=erase)
    assert (made.queued, dict(made.skipped)) == (4, {SAME_MAILBOX: 1})


def test_suppressed_mailboxes_are_skipped_with_the_reason(sending: Sending) -> None:
    sending.subscribers.import_suppressions([Entry("reader2@example.test")], SuppressionReason.manual)
    made = sending.take().fan_out()
    assert (made.candidates, made.queued, dict(made.skipped)) == (5, 4, {"suppressed": 1})


def test_a_fan_out_that_was_interrupted_goes_on_where_it_was(sending: Sending) -> None:
    class Killed(BaseException):
        pass

    def kill(_: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        sending.take().fan_out(chunk=2, told=kill)
    assert len(sending.rows()) == 2
    sending.subscribe(["late@example.test"])
    made = sending.take().fan_out(chunk=2)
    assert (made.candidates, made.queued) == (6, 6)


def test_a_fan_out_of_an_edition_that_is_not_fanning_is_refused(sending: Sending) -> None:
    leased = sending.take()
    sending.set_edition(state="cancelled")
    with pytest.raises(SendingStopped, match="cancelled"):
        leased.fan_out()
    assert sending.rows() == {}


def test_an_audience_that_does_not_add_up_is_not_kept(sending: Sending) -> None:
    audience = sending.subscribers.audience("weekly")
    twice = sa.union_all(audience, audience).subquery()
    leased = sending.ledger.take(
        sending.edition,
        "one",
        clock=sending.clock,
        gone=never,
        audience=sa.select(twice),
        do_not_send=sending.subscribers.do_not_send(),
    )
    with pytest.raises(StoreError):
        leased.fan_out()
    assert sending.rows() == {}


# --- claim ------------------------------------------------------------------------------------------


def test_claims_take_the_queue_in_order_and_say_when_it_is_empty(sending: Sending) -> None:
    leased = sending.fanned()
    first, second = leased.claim(3), leased.claim(3)
    assert [c.recipient.address for c in first.claimed] == [f"reader{n}@example.test" for n in (1, 2, 3)]
    assert not first.last
    assert [c.recipient.address for c in second.claimed] == [f"reader{n}@example.test" for n in (4, 5)]
    assert second.last
    assert leased.claim(3).claimed == ()


def test_unsubscribed_reader_is_skipped(sending: Sending) -> None:
    leased = sending.fanned()
    sending.subscribers.leave(2, source="test")
    page = leased.claim(5)
    assert [c.recipient.address[6] for c in page.claimed] == ["1", "3", "4", "5"]
    assert page.skipped == 1
    row = sending.rows()["reader2@example.test"]
    assert (row.state, row.skip_reason) == ("skipped", "unsubscribed")


def test_reader_suppressed_after_the_fan_out_is_skipped(sending: Sending) -> None:
    leased = sending.fanned()
    sending.subscribers.import_suppressions([Entry("READER3@example.test")], SuppressionReason.complaint)
    assert leased.claim(5).skipped == 1
    assert sending.rows()["reader3@example.test"].skip_reason == "suppressed"


def test_leaving_by_the_second_row_of_a_mailbox_stops_the_copy_of_the_first(sending: Sending) -> None:
    with sending.database.write() as connection:
        person = people.subscriber
        first = sa.select(person.c.address_key).where(person.c.address == "reader1@example.test")
        connection.execute(
            sa.update(person)
            .where(person.c.address == "reader5@example.test")
            .values(address_key=first.scalar_subquery())
        )
    leased = sending.fanned()
    skipped = sending.rows()["reader5@example.test"]
    assert skipped.state == "skipped"
    sending.subscribers.leave(skipped.subscription, source="one-click")
    assert "reader1@example.test" not in {c.recipient.address for c in leased.claim(9).claimed}
    assert sending.rows()["reader1@example.test"].skip_reason == "unsubscribed"


def test_a_reader_who_leaves_while_a_copy_waits_for_another_attempt_gets_none(sending: Sending) -> None:
    leased = sending.fanned()
    (one,) = offer(leased)
    again = sending.clock.now() + dt.timedelta(seconds=30)
    deferred = Result(Outcome(one, OutcomeKind.deferred, 451, "4.7.1", "later"), State.deferred, again)
    leased.commit([deferred], [])
    sending.subscribers.leave(1, source="one-click")
    sending.clock.set(again)
    assert one not in {c.recipient.delivery for c in leased.claim(9).claimed}
    row = sending.rows()["reader1@example.test"]
    assert (row.state, row.skip_reason, row.next_attempt) == ("skipped", "unsubscribed", None)


def test_a_copy_that_came_back_to_the_queue_is_claimed_again(sending: Sending) -> None:
    leased = sending.fanned()
    ids = offer(leased, 2)
    leased.claim(2)
    leased.commit([result(ids[0], OutcomeKind.unsent, State.queued, 0, "")], [])
    page = leased.claim(5)
    assert {c.recipient.delivery for c in page.claimed} == {ids[0], ids[0] + 4}
    assert [c.attempts for c in page.claimed] == [0, 0]
    assert page.last


def test_deferred_copy_is_claimable_when_it_is_due_and_not_before(sending: Sending) -> None:
    leased = sending.fanned()
    (one,) = offer(leased)
    again = sending.clock.now() + dt.timedelta(minutes=30)
    deferred = Result(Outcome(one, OutcomeKind.deferred, 451, "4.7.1", "later"), State.deferred, again)
    leased.commit([deferred], [])
    assert sending.ledger.next_attempt(sending.number) == again
    assert one not in {c.recipient.delivery for c in leased.claim(9).claimed}
    sending.clock.set(again)
    leased = sending.take("one")
    leased.recover()
    claimed = leased.claim(9).claimed[0]
    assert (claimed.recipient.delivery, claimed.attempts) == (one, 1)
    assert sending.ledger.next_attempt(sending.number) is None


@pytest.mark.parametrize("values", [{"held": "wrong picture"}, {"paused": "quota"}, {"state": "cancelled"}])
def test_nothing_is_claimed_or_offered_once_the_edition_is_stopped(
    sending: Sending, values: dict[str, str]
) -> None:
    leased = sending.fanned()
    ids = [c.recipient.delivery for c in leased.claim(2).claimed]
    sending.set_edition(**values)
    assert leased.commit([], ids).deliveries == frozenset()
    for step in (lambda: leased.claim(1), leased.renew):
        with pytest.raises(SendingStopped, match=next(iter(values.values()))):
            step()


# --- offer and record -------------------------------------------------------------------------------


def test_results_and_the_next_offers_are_one_transaction(sending: Sending) -> None:
    leased = sending.fanned()
    one, two = (c.recipient.delivery for c in leased.claim(2).claimed)
    leased.commit([], [one])
    assert leased.commit([accepted(one)], [two]).deliveries == {two}
    assert sending.states() == {
        "reader1": "accepted",
        "reader2": "offered",
        "reader3": "queued",
        "reader4": "queued",
        "reader5": "queued",
    }
    row = sending.rows()["reader1@example.test"]
    assert (row.attempts, row.code, row.reply, row.settled) == (1, 250, "ok", sending.clock.now())


def test_the_first_offer_makes_the_stories_used(sending: Sending) -> None:
    now = sending.clock.now()
    with sending.database.write() as connection:
        connection.execute(source.insert(), {"id": 1, "name": "feed"})
        connection.execute(
            story.insert(),
            {
                "id": 1,
                "source": 1,
                "external_id": "a",
                "url": "https://example.test/a",
                "title": "A",
                "related": [],
                "kind": "article",
                "full_text": False,
                "first_seen": now,
                "date": now,
            },
        )
        connection.execute(
            story_use.insert(), {"newsletter": "weekly", "story": 1, "edition": sending.number, "used": False}
        )
    sending.set_edition(started=None)
    leased = sending.fanned()

    def used() -> bool:
        with sending.database.read() as connection:
            return bool(connection.execute(sa.select(story_use.c.used)).scalar_one())

    ids = [claimed.recipient.delivery for claimed in leased.claim(2).claimed]
    assert not used()
    leased.commit([], ids[:1])
    assert used()
    leased.commit([], ids[1:])
    with sending.database.read() as connection:
        assert connection.execute(sa.select(newsletter.c.last_number)).scalar_one() == 1
        assert connection.execute(sa.select(edition.c.started)).scalar_one() == now


def test_only_claimed_rows_can_be_offered(sending: Sending) -> None:
    leased = sending.fanned()
    one, two = (c.recipient.delivery for c in leased.claim(2).claimed)
    assert leased.commit([], [one]).deliveries == {one}
    assert leased.commit([], [one, two, two + 1]).deliveries == {two}


def test_an_offer_says_until_when_it_may_be_used(sending: Sending) -> None:
    leased = sending.fanned()
    one = leased.claim(1).claimed[0].recipient.delivery
    assert leased.commit([], [one]).until == sending.clock.now() + LEASE


def test_a_copy_that_was_not_handed_over_costs_no_attempt(sending: Sending) -> None:
    leased = sending.fanned()
    (one,) = offer(leased)
    leased.commit([result(one, OutcomeKind.unsent, State.queued, 0, "closed")], [])
    row = sending.rows()["reader1@example.test"]
    assert (row.state, row.attempts, row.settled) == ("queued", 0, None)


def test_results_of_others_change_nothing(sending: Sending) -> None:
    leased = sending.fanned()
    (one,) = offer(leased)
    sending.clock.advance(LEASE)
    other = sending.take("two")
    other.commit([accepted(one)], [])
    assert sending.states()["reader1"] == "offered"


# --- leases, crashes, take-over ---------------------------------------------------------------------


def test_two_processes_cannot_send_one_edition(sending: Sending) -> None:
    sending.fanned("one")
    with pytest.raises(EditionError, match=r"being sent by another process \(one\)"):
        sending.take("two")


def test_a_dead_process_need_not_be_waited_for(sending: Sending) -> None:
    first = sending.fanned("one")
    offer(first)
    second = sending.take("two", gone=lambda owner: owner == "one")
    assert second.held.epoch > first.held.epoch


def test_claimed_goes_back_and_offered_becomes_uncertain(sending: Sending) -> None:
    first = sending.fanned("one")
    offer(first, 2)
    first.claim(1)
    sending.clock.advance(LEASE)
    recovered = sending.take("two").recover()
    assert (recovered.requeued, recovered.uncertain) == (1, 2)
    assert sorted(sending.states().values()) == ["queued"] * 3 + ["uncertain"] * 2
    row = sending.rows()["reader1@example.test"]
    assert row.attempts == 1
    assert "before the server's answer" in row.reply


def test_a_process_that_was_suspended_past_its_lease_can_offer_nothing(sending: Sending) -> None:
    first = sending.fanned("one")
    ids = [c.recipient.delivery for c in first.claim(3).claimed]
    sending.clock.advance(LEASE)
    assert first.commit([], ids).deliveries == frozenset()
    with pytest.raises(SendingStopped):
        first.claim(1)
    second = sending.take("two")
    second.recover()
    assert {c.recipient.delivery for c in second.claim(9).claimed} >= set(ids)
    assert first.commit([], ids).deliveries == frozenset()


def test_a_late_result_of_the_same_owner_settles_what_was_uncertain(sending: Sending) -> None:
    first = sending.fanned("one")
    one, two, three = offer(first, 3)
    sending.clock.advance(LEASE)
    sending.take("two").recover()
    first.commit(
        [
            accepted(one),
            result(two, OutcomeKind.rejected, State.rejected, 550, "no such user"),
            result(three, OutcomeKind.unsent, State.queued, 0, ""),
        ],
        [],
    )
    rows = sending.rows()
    found = [
        (rows[f"reader{n}@example.test"].state, rows[f"reader{n}@example.test"].attempts) for n in (1, 2, 3)
    ]
    assert found == [("accepted", 1), ("rejected", 1), ("queued", 0)]


@pytest.mark.parametrize("state", [State.queued, State.deferred])
def test_a_late_word_that_a_copy_was_not_taken_opens_a_finished_edition_again(
    sending: Sending, state: State
) -> None:
    """Otherwise its reader would get nothing, with nobody knowing."""
    first = sending.fanned("one")
    one, two = offer(first, 2)
    sending.clock.advance(LEASE)
    sending.take("two").recover()
    sending.set_edition(state="finished", finished=sending.clock.now())
    first.commit([accepted(one)], [])
    assert sending.edition_row().state == "finished"
    first.commit([result(two, OutcomeKind.unsent, state, 0, "")], [])
    assert (sending.edition_row().state, sending.edition_row().finished) == ("sending", None)


def test_a_copy_of_a_cancelled_edition_that_was_not_taken_is_cancelled(sending: Sending) -> None:
    leased = sending.fanned()
    (one,) = offer(leased)
    sending.set_edition(state="cancelled")
    sending.ledger.cancel(sending.number, now=sending.clock.now())
    leased.commit([result(one, OutcomeKind.unsent, State.queued, 0, "")], [])
    assert set(sending.states().values()) == {"cancelled"}


def test_a_late_result_does_not_undo_a_decision(sending: Sending) -> None:
    first = sending.fanned("one")
    (one,) = offer(first)
    sending.clock.advance(LEASE)
    sending.take("two").recover()
    sending.ledger.resolve(sending.number, resend=False, now=sending.clock.now(), actor="op")
    first.commit([accepted(one)], [])
    assert sending.states()["reader1"] == "skipped"


def test_a_released_lease_is_free_at_once(sending: Sending) -> None:
    sending.fanned("one").release()
    assert sending.take("two").held.epoch == 2


def test_renewing_keeps_the_lease(sending: Sending) -> None:
    leased = sending.fanned("one")
    for _ in range(5):
        sending.clock.advance(LEASE * 0.9)
        leased.renew()
    with pytest.raises(EditionError):
        sending.take("two")


def test_the_lease_of_a_paused_edition_can_be_kept_while_copies_are_in_flight(sending: Sending) -> None:
    leased = sending.fanned()
    offer(leased)
    sending.set_edition(paused="a wrong picture")
    for _ in range(4):
        sending.clock.advance(LEASE / 2)
        with pytest.raises(SendingStopped, match="a wrong picture") as caught:
            leased.renew()
        assert caught.value.until == sending.clock.now() + LEASE
    with pytest.raises(EditionError):
        sending.take("two")


def test_a_lease_that_is_lost_is_not_kept(sending: Sending) -> None:
    leased = sending.fanned()
    sending.clock.advance(LEASE)
    with pytest.raises(SendingStopped) as caught:
        leased.renew()
    assert caught.value.until is None


def test_concurrent_claims_share_no_row(sending: Sending) -> None:
    """Not meant to happen (one lease), but the rows would still be safe."""
    sending.subscribe(f"more{n}@example.test" for n in range(200))
    leased = sending.fanned()
    again = sending.take("one")
    again.held = leased.held
    with sending.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE lease SET epoch = {leased.held.epoch}")
    claimed: list[int] = []

    def work(mine: LeasedEdition) -> None:
        while (page := mine.claim(10)).claimed:
            claimed.extend(c.recipient.delivery for c in page.claimed)

    threads = [threading.Thread(target=work, args=(each,)) for each in (leased, again)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 205


# --- too late, in doubt, cancelled ------------------------------------------------------------------


def test_deferred_copies_of_a_stale_edition_expire(sending: Sending) -> None:
    leased = sending.fanned()
    (one,) = offer(leased)
    again = sending.clock.now() + HOUR
    leased.commit([Result(Outcome(one, OutcomeKind.deferred, 451), State.deferred, again)], [])
    assert leased.expire() == 1
    row = sending.rows()["reader1@example.test"]
    assert (row.state, row.next_attempt, row.settled) == ("expired", None, sending.clock.now())


def uncertain(sending: Sending, count: int = 2) -> list[int]:
    leased = sending.fanned("one")
    ids = offer(leased, count)
    sending.clock.advance(LEASE)
    sending.take("two").recover()
    return ids


def test_uncertain_copies_can_be_sent_again_by_decision(sending: Sending) -> None:
    ids = uncertain(sending)
    sending.set_edition(state="finished", finished=sending.clock.now())
    assert (
        sending.ledger.resolve(
            sending.number, resend=True, now=sending.clock.now(), actor="op", deliveries=ids[:1]
        )
        == 1
    )
    assert sorted(sending.states().values()) == ["queued"] * 4 + ["uncertain"]
    with sending.database.read() as connection:
        row = connection.execute(sa.select(edition)).one()
        trail = connection.execute(sa.select(event)).all()
    assert (row.state, row.finished) == ("sending", None)
    assert [(e.action, e.actor, e.detail) for e in trail] == [("resend uncertain", "op", {"copies": 1})]


def test_uncertain_copies_can_be_left_as_they_are(sending: Sending) -> None:
    uncertain(sending)
    assert sending.ledger.resolve(sending.number, resend=False, now=sending.clock.now(), actor="op") == 2
    assert sending.ledger.counts(sending.number)[State.skipped] == 2
    assert sending.ledger.resolve(sending.number, resend=False, now=sending.clock.now(), actor="op") == 0


def test_the_policy_resend_sends_once_more_and_only_after_the_server_gave_up(sending: Sending) -> None:
    uncertain(sending, 1)
    offered = sending.rows()["reader1@example.test"].offered
    leased = sending.take("two")
    assert leased.resend_uncertain(offered, [""]) == 0
    assert leased.resend_uncertain(offered + dt.timedelta(seconds=1), [""]) == 1
    offer(leased)
    sending.clock.advance(LEASE)
    third = sending.take("three")
    third.recover()
    assert third.resend_uncertain(sending.clock.now() + HOUR, [""]) == 0
    assert sending.states()["reader1"] == "uncertain"


def test_cancelling_stops_everything_that_was_not_offered(sending: Sending) -> None:
    leased = sending.fanned()
    (one,) = offer(leased)
    two = leased.claim(1).claimed[0].recipient.delivery
    assert sending.ledger.cancel(sending.number, now=sending.clock.now()) == 4
    assert leased.commit([accepted(one)], [two]).deliveries == frozenset()
    assert sorted(sending.states().values()) == ["accepted"] + ["cancelled"] * 4


# --- looking ----------------------------------------------------------------------------------------


def test_what_a_dead_process_had_offered_of_a_cancelled_edition_is_in_doubt(sending: Sending) -> None:
    ids = offer(sending.fanned("one"), 2)
    sending.set_edition(state="cancelled")
    assert sending.ledger.cancel(sending.number, now=sending.clock.now()) == 3
    assert sending.ledger.counts(sending.number)[State.offered] == 2  # it may be at work still
    sending.clock.advance(LEASE)
    assert sending.ledger.cancel(sending.number, now=sending.clock.now()) == 0
    listed = sending.ledger.deliveries(sending.number, str, state=State.uncertain)
    assert [each.id for each in listed] == ids


def test_counts_name_every_state(sending: Sending) -> None:
    sending.fanned()
    counts = sending.ledger.counts(sending.number)
    assert set(counts) == set(State)
    assert counts[State.queued] == 5
    assert sending.ledger.left(sending.number) == 5


def test_deliveries_are_listed_by_state_and_page(sending: Sending, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.store.ledger._PAGE", 2)
    leased = sending.fanned()
    (one,) = offer(leased)
    leased.commit([result(one, OutcomeKind.rejected, State.rejected, 550, "no such user")], [])

    def listed(**options: object) -> Sequence[str]:
        found = sending.ledger.deliveries(sending.number, lambda n: f"<{n}@x>", **options)  # type: ignore[arg-type]
        return [each.address[6] for each in found]

    assert listed() == ["1", "2", "3", "4", "5"]
    assert listed(state=State.rejected) == ["1"]
    assert listed(limit=3) == ["1", "2", "3"]
    assert listed(after=one + 2) == ["4", "5"]
    (row,) = sending.ledger.deliveries(sending.number, lambda n: f"<{n}@x>", state=State.rejected)
    assert (row.message_id, row.reply, row.attempts) == (f"<{one}@x>", "550 no such user", 1)
