"""What the ledger does beyond its first promises: asks again at the offer, counts, gives back, finishes, and
keeps both when the database is full, locked, or cuts the connection."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.delivery import Result, SendingStopped
from digest.errors import StoreError
from digest.model import DeliveryState, Outcome, OutcomeKind
from digest.store import Database
from digest.store.fanout import Pace
from digest.store.leased import LEASE, LeasedEdition
from digest.store.piles import true_up
from digest.store.tables import delivery, sending
from subscribers import Entry, SuppressionReason
from tests.contract.test_ledger import Sending, accepted, offer, result
from tests.fakes import FixedClock

State = DeliveryState
MINUTE = dt.timedelta(minutes=1)
SERVERS = ("one.test:25", "two.test:25")


@pytest.fixture
def room(database: Database, clock: FixedClock) -> Sending:
    return Sending(database, clock)


def ids(leased: LeasedEdition, count: int = 9, server: str = "") -> list[int]:
    return [claimed.recipient.delivery for claimed in leased.claim(count, server).claimed]


def unsent(number: int) -> Result:
    return result(number, OutcomeKind.unsent, State.queued, 0, "")


def by_state(database: Database) -> dict[State, int]:
    """Counted from the rows."""
    by = sa.select(delivery.c.state, sa.func.count()).group_by(delivery.c.state)
    with database.read() as connection:
        found = {State(state): int(rows) for state, rows in connection.execute(by)}
    return {state: found.get(state, 0) for state in State}


# --- who left between the claim and the offer -------------------------------------------------------


def test_a_reader_who_leaves_between_the_claim_and_the_offer_gets_nothing(room: Sending) -> None:
    leased = room.fanned()
    one, two, three = ids(leased, 3)
    room.subscribers.leave(1, source="one-click")
    room.subscribers.import_suppressions([Entry("reader2@example.test")], SuppressionReason.complaint)
    offered = leased.commit([], [one, two, three])
    assert offered.deliveries == {three}
    assert offered.skipped == {one, two}
    rows = room.rows()
    found = [
        (rows[f"reader{n}@example.test"].state, rows[f"reader{n}@example.test"].skip_reason) for n in (1, 2)
    ]
    assert found == [("skipped", "unsubscribed"), ("skipped", "suppressed")]


def test_those_who_left_are_found_also_when_others_are_offered_first(room: Sending) -> None:
    leased = room.fanned()
    one, two, three = ids(leased, 3)
    leased.commit([], [one])
    room.subscribers.leave(3, source="one-click")
    assert leased.commit([accepted(one)], [two]).deliveries == {two}
    assert leased.commit([accepted(two)], [three]).skipped == {three}


def test_leaving_before_a_second_claim_is_not_forgotten_for_the_first(room: Sending) -> None:
    leased = room.fanned()
    one, two = ids(leased, 2)
    leased.commit([], [one])
    room.subscribers.leave(2, source="one-click")
    later = ids(leased, 2)
    assert leased.commit([], [two, *later]).skipped == {two}


def test_who_came_back_gets_the_copy(room: Sending) -> None:
    leased = room.fanned()
    (one,) = ids(leased, 1)
    room.subscribers.leave(1, source="one-click")
    room.subscribers.undo(1, source="page")
    assert leased.commit([], [one]).deliveries == {one}


def test_a_claim_says_the_domain(room: Sending) -> None:
    assert room.fanned().claim(1).claimed[0].domain == "example.test"


# --- giving back, a canary --------------------------------------------------------------------------


def test_claimed_copies_that_will_not_be_offered_go_back_at_once(room: Sending) -> None:
    leased = room.fanned()
    claimed = ids(leased, 4)
    leased.commit([], claimed[:1])
    assert leased.give_back() == 3
    assert leased.give_back() == 0
    assert ids(leased) == [*claimed[1:], claimed[3] + 1]
    assert room.rows()["reader2@example.test"].attempts == 0


def test_some_claimed_copies_can_go_back(room: Sending) -> None:
    leased = room.fanned()
    one, two, three = ids(leased, 3)
    leased.commit([], [one])
    assert leased.give_back([one, two]) == 1
    assert leased.commit([], [two, three]).deliveries == {three}


def test_many_results_that_give_back_are_found_by_the_next_claim(room: Sending) -> None:
    room.subscribe(f"more{n}@example.test" for n in range(1000))
    leased = room.fanned()
    claimed = ids(leased, 900)
    leased.commit([], claimed[:450])
    leased.commit([unsent(number) for number in claimed], [])
    assert room.ledger.counts(room.number)[State.queued] == 1005
    assert ids(leased, 2000) == list(range(claimed[0], claimed[0] + 1005))


def test_a_canary_is_claimed_alone_and_the_rest_after_it(room: Sending) -> None:
    leased = room.fanned()
    keys = [room.subscribers.key_of(f"{name}@example.test") for name in ("Reader4", "nobody", "reader2")]
    page = leased.claim(9, only=keys)
    assert [claimed.recipient.address[6] for claimed in page.claimed] == ["2", "4"]
    assert leased.claim(9, only=keys).claimed == ()
    assert [claimed.recipient.address[6] for claimed in leased.claim(9).claimed] == ["1", "3", "5"]


def test_what_was_claimed_before_the_lease_was_lost_is_not_lost_with_it(room: Sending) -> None:
    """A claim is several transactions when copies are due again."""
    leased: Any = room.fanned()
    (one,) = offer(leased)
    again = room.clock.now()
    deferred = Result(Outcome(one, OutcomeKind.deferred, 451), State.deferred, again)
    leased.commit([deferred], [])
    real = leased._moves.claim

    def claim(driver: Any, what: Any, when: Any) -> Any:
        if not what.due:
            raise StoreError("gone")
        return real(driver, what, when)

    leased._moves.claim = claim
    page = leased.claim(3)
    assert ([claimed.recipient.delivery for claimed in page.claimed], page.last) == ([one], False)
    with pytest.raises(StoreError):
        leased.claim(3)


# --- counting ---------------------------------------------------------------------------------------


def test_offered_copies_are_counted_by_the_minute_over_all_runs(room: Sending) -> None:
    start = room.clock.now().replace(second=0)
    room.clock.set(start)
    leased = room.fanned("one")
    offer(leased, 2)
    room.clock.advance(dt.timedelta(seconds=59))
    offer(leased, 1)
    room.clock.set(start + 2 * MINUTE)
    second = room.take("two")
    second.recover()
    offer(second, 1)
    assert room.ledger.offered_by_minute(start) == {start: 3, start + 2 * MINUTE: 1}
    assert room.ledger.offered_since(start) == 4
    assert room.ledger.offered_since(start + MINUTE) == 1
    assert room.ledger.offered_since(start + 3 * MINUTE) == 0


def test_minutes_that_no_limit_counts_any_more_are_forgotten(room: Sending) -> None:
    start = room.clock.now()
    offer(room.fanned("one"), 2)
    room.clock.advance(MINUTE)
    second = room.take("one")
    second.recover()
    offer(second, 1)
    room.clock.advance(dt.timedelta(days=9))
    third = room.take("one")
    third.recover()
    offer(third, 1)
    assert sum(room.ledger.offered_by_minute(start).values()) == 2


def test_domains_are_told_by_size_with_the_rest_in_one(room: Sending) -> None:
    room.subscribe(["a@big.test", "b@big.test", "c@small.test", "d@tiny.test"])
    leased = room.fanned()
    (one,) = offer(leased)
    leased.commit([accepted(one)], [])
    told = room.ledger.domains(room.number, limit=2)
    assert [(each.domain, each.total) for each in told] == [("example.test", 5), ("big.test", 2), ("", 2)]
    assert told[0].counts == {State.accepted: 1, State.queued: 4}
    assert [each.domain for each in room.ledger.domains(room.number)][-1] == "tiny.test"


def test_progress_is_there_for_other_processes(room: Sending) -> None:
    assert room.ledger.progress(room.number) is None
    room.fanned("one").release()
    leased = room.take("one")
    leased.recover()
    (one,) = offer(leased)
    started = room.clock.now()
    room.clock.advance(MINUTE)
    leased.note(12.5, 30.0)
    leased.commit([accepted(one)], [])
    seen = room.ledger.progress(room.number)
    assert seen is not None
    assert (seen.started, seen.updated, seen.rate, seen.seconds_left) == (
        started,
        started + MINUTE,
        12.5,
        30.0,
    )
    assert (seen.counts[State.accepted], seen.left) == (1, 4)


def test_a_wrong_count_is_set_right_when_a_run_begins(room: Sending) -> None:
    room.fanned("one").release()
    with room.database.write() as connection:
        connection.execute(sa.update(sending).values(queued=0, accepted=7))
    assert room.ledger.counts(room.number)[State.accepted] == 7
    room.take("one").recover()
    assert room.ledger.counts(room.number) == by_state(room.database)


def test_counts_of_an_edition_without_its_row_are_made_anew(room: Sending) -> None:
    room.fanned("one")
    with room.database.write() as connection:
        connection.execute(sa.delete(sending))
    true_up(room.database, room.number)
    assert room.ledger.counts(room.number) == by_state(room.database)


class Player:
    """Does to one edition whatever can be done, in any order."""

    def __init__(self, room: Sending) -> None:
        self.room, self.leased = room, room.fanned("one")
        self.old: LeasedEdition | None = None
        self.claimed: list[int] = []
        self.flying: list[int] = []
        self.first = min(row.subscription for row in room.rows().values())
        self.server = SERVERS[0]
        self.offered_to: dict[int, str] = {}
        self.may_have: dict[int, str] = {}

    def turn(self, number: int) -> None:
        self.server = SERVERS[number % 2]

    def claim(self, number: int) -> None:
        self.claimed += ids(self.leased, number, self.server)

    def canary(self, number: int) -> None:
        only = [self.room.subscribers.key_of(f"reader{number}@example.test")]
        page = self.leased.claim(9, self.server, only=only)
        self.claimed += [each.recipient.delivery for each in page.claimed]

    def offer(self, number: int) -> None:
        offered = self.leased.commit([], self.claimed[:number], self.server).deliveries
        for each in offered:
            assert self.may_have.get(each, self.server) == self.server
        self.offered_to.update(dict.fromkeys(offered, self.server))
        self.flying += offered
        self.claimed = self.claimed[number:]

    def hand_over(self, number: int) -> None:
        self.turn(number)
        self.claim(9)
        self.offer(9)

    def accept(self, number: int) -> None:
        self._end(number, accepted)

    def defer(self, number: int) -> None:
        now = self.room.clock.now()
        self._end(number, lambda n: Result(Outcome(n, OutcomeKind.deferred, 451), State.deferred, now))

    def reject(self, number: int) -> None:
        self._end(number, lambda n: result(n, OutcomeKind.rejected, State.rejected, 550))

    def unsent(self, number: int) -> None:
        self._end(number, unsent)

    def doubt(self, number: int) -> None:
        self._end(number, lambda n: result(n, OutcomeKind.uncertain, State.uncertain, 0, ""))

    def late(self, number: int) -> None:
        if self.old is not None:
            self.old.commit([unsent(each) for each in self.flying[:number]], [])
            self._nobody_has("queued")

    def give_back(self, number: int) -> None:
        self.leased.give_back(None if number else self.claimed[:1])

    def crash(self, _: int) -> None:
        self.old, self.leased = self.leased, self.room.take("one")
        self.leased.recover()

    def resend(self, _: int) -> None:
        self.leased.resend_uncertain(self.room.clock.now() + MINUTE, ["", *SERVERS])

    def resolve(self, number: int) -> None:
        self.room.ledger.resolve(self.room.number, resend=number > 1, now=self.room.clock.now(), actor="op")

    def anew(self, number: int) -> None:
        now, servers = self.room.clock.now(), SERVERS[number % 2 :]
        self.room.ledger.resolve(
            self.room.number, resend=True, now=now, actor="op", servers=servers, anew=True
        )
        self._nobody_has("queued")

    def put_off(self, number: int) -> None:
        self.leased.put_off(SERVERS[number % 2], self.room.clock.now(), "down")

    def call_up(self, _: int) -> None:
        self.leased.call_up(self.server)

    def expire(self, _: int) -> None:
        self.leased.expire()

    def leave(self, number: int) -> None:
        self.room.subscribers.leave(self.first + number, source="test")

    def cancel(self, number: int) -> None:
        if number == 3:
            self.room.set_edition(state="cancelled")
            self.room.ledger.cancel(self.room.number, now=self.room.clock.now())

    def _nobody_has(self, state: str) -> None:
        """Of rows in this state that are not bound: it was said so."""
        for row in self.room.rows().values():
            if row.state == state and not row.resends:
                self.may_have.pop(row.id, None)

    def _look(self) -> None:
        """Whatever may have arrived says where."""
        for row in self.room.rows().values():
            if row.state in ("offered", "uncertain") and row.id in self.offered_to:
                assert row.server == self.offered_to[row.id]
            if row.state == "uncertain" and row.server:
                self.may_have[row.id] = row.server

    def _end(self, number: int, how: Callable[[int], Result]) -> None:
        """Also of a copy that was claimed and never offered."""
        ended = self.flying[:number] + self.claimed[:1]
        self.leased.commit([how(each) for each in ended], [])
        self.flying, self.claimed = self.flying[number:], self.claimed[1:]


STEPS = sorted(name for name in vars(Player) if not name.startswith("_"))


SERVED = ["hand_over", "doubt", "crash", "resend", "resolve", "late", "unsent", "put_off", "anew"]
"""What may bring a copy from one server to another."""


@pytest.mark.parametrize(("kinds", "least"), [(STEPS, 0), (SERVED, 15)], ids=["all", "servers"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_counts_are_those_of_the_rows_whatever_happens(
    database: Database, clock: FixedClock, kinds: list[str], least: int, data: st.DataObject
) -> None:
    steps = data.draw(
        st.lists(st.tuples(st.sampled_from(kinds), st.integers(0, 3)), min_size=least, max_size=20)
    )
    with database.write() as connection:  # each example begins with nothing
        for table in reversed(delivery.metadata.sorted_tables):
            if table.name != "installation":
                connection.execute(table.delete())
    room = Sending(database, clock, people_count=6)
    player = Player(room)
    for step, number in steps:
        with suppress(SendingStopped):
            getattr(player, step)(number)
        player._look()
        assert room.ledger.counts(room.number) == by_state(database)


# --- the end ----------------------------------------------------------------------------------------


def test_an_edition_is_finished_once_nothing_is_left_to_try(room: Sending) -> None:
    leased = room.fanned()
    numbers = offer(leased, 5)
    assert not leased.finish(by="test")
    leased.commit([accepted(number) for number in numbers[:4]], [])
    deferred = Outcome(numbers[4], OutcomeKind.deferred, 451)
    leased.commit([Result(deferred, State.deferred, room.clock.now() + MINUTE)], [])
    assert not leased.finish(by="test")
    assert leased.expire() == 1
    assert leased.finish(by="test")
    row = room.edition_row()
    assert (row.state, row.finished) == ("finished", room.clock.now())
    with pytest.raises(SendingStopped):
        leased.finish(by="test")


def test_a_late_word_before_the_end_keeps_the_edition_open(room: Sending) -> None:
    first = room.fanned("one")
    numbers = offer(first, 5)
    room.clock.advance(LEASE)
    second = room.take("two")
    second.recover()
    assert room.ledger.left(room.number) == 0
    first.commit([unsent(numbers[0])], [])
    assert not second.finish(by="test")
    assert room.edition_row().state == "sending"


def test_an_uncertain_copy_that_is_to_be_sent_again_keeps_the_edition_open(room: Sending) -> None:
    offer(room.fanned("one"), 5)
    room.clock.advance(LEASE)
    second = room.take("two")
    second.recover()
    assert not second.finish(by="test", resends=[""])
    assert second.finish(by="test")


def test_a_paused_edition_is_not_finished(room: Sending) -> None:
    leased = room.fanned()
    room.set_edition(paused="quota")
    with pytest.raises(SendingStopped, match="paused: quota"):
        leased.finish(by="test")


# --- when the database fails ------------------------------------------------------------------------


@pytest.fixture
def sqlite_room(tmp_path: Any, sqlite_template: Any, clock: FixedClock) -> Iterator[Sending]:
    file = tmp_path / "digest.db"
    file.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{file}", synchronous="off", patience=0.2)
    yield Sending(database, clock, people_count=300)
    database.close()


def test_a_full_disk_stops_the_offer_and_nothing_is_half_written(sqlite_room: Sending) -> None:
    leased: Any = sqlite_room.fanned()
    numbers = ids(leased, 300)
    first = leased.commit([], numbers[:100])
    before = sqlite_room.rows()
    driver = leased._writer._driver()
    (pages,) = driver.execute("PRAGMA page_count").fetchone()
    driver.execute(f"PRAGMA max_page_count={pages}")
    long = [result(n, OutcomeKind.accepted, State.accepted, 250, "x" * 4000) for n in first.deliveries]
    with pytest.raises(StoreError, match="the disk is full") as caught:
        leased.commit(long, numbers[100:])
    assert "nothing was half written" in caught.value.hint
    assert sqlite_room.rows() == before
    driver.execute("PRAGMA max_page_count=1000000")
    assert leased.commit(long, numbers[100:]).deliveries == set(numbers[100:])
    assert sqlite_room.ledger.counts(sqlite_room.number) == by_state(sqlite_room.database)


def test_a_locked_database_is_said_and_nothing_is_half_written(sqlite_room: Sending) -> None:
    leased: Any = sqlite_room.fanned()
    numbers = ids(leased, 2)
    assert sqlite_room.database.file is not None
    other = Database(f"sqlite:///{sqlite_room.database.file}")
    with other.write(), pytest.raises(StoreError, match="locked by another program"):
        leased.commit([], numbers)
    other.close()
    assert leased.commit([], numbers).deliveries == set(numbers)


@pytest.fixture
def postgres_room(server: Any, postgres_template: str, clock: FixedClock) -> Iterator[Sending]:
    name = server.create(postgres_template)
    database = Database(server.url(name))
    yield Sending(database, clock)
    database.close()
    server.drop(name)


def end_other_connections(room: Sending) -> None:
    with room.database.write() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.mark.postgres
def test_a_lost_connection_does_not_end_a_run(postgres_room: Sending) -> None:
    leased: Any = postgres_room.fanned()
    one, two, three = ids(leased, 3)
    leased.commit([], [one])
    end_other_connections(postgres_room)
    assert leased.commit([accepted(one)], [two]).deliveries == {two}
    end_other_connections(postgres_room)
    assert len(leased.claim(9).claimed) == 2
    assert leased.commit([accepted(two)], [three]).deliveries == {three}


def lose_the_answer_of(leased: Any, name: str) -> None:
    """The next call does its work, and the connection is lost before its end is heard of."""
    real = getattr(leased._moves, name)

    def once(driver: Any, *arguments: Any, **options: Any) -> Any:
        real(driver, *arguments, **options)
        setattr(leased._moves, name, real)
        driver.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    setattr(leased._moves, name, once)


@pytest.mark.postgres
def test_a_commit_whose_end_was_not_heard_of_offers_the_same_rows(postgres_room: Sending) -> None:
    leased: Any = postgres_room.fanned()
    one, two = ids(leased, 2)
    leased.commit([], [one])
    lose_the_answer_of(leased, "commit")
    assert leased.commit([accepted(one)], [two]).deliveries == {two}
    rows = postgres_room.rows()
    found = [
        (rows[f"reader{n}@example.test"].state, rows[f"reader{n}@example.test"].attempts) for n in (1, 2)
    ]
    assert found == [("accepted", 1), ("offered", 0)]
    assert postgres_room.ledger.counts(postgres_room.number) == by_state(postgres_room.database)


@pytest.mark.postgres
def test_a_claim_whose_end_was_not_heard_of_is_made_again(postgres_room: Sending) -> None:
    leased: Any = postgres_room.fanned()
    (one,) = ids(leased, 1)
    lose_the_answer_of(leased, "claim")
    assert ids(leased, 2) == [one + 1, one + 2]
    assert by_state(postgres_room.database)[State.claimed] == 3


@pytest.mark.postgres
def test_nothing_is_offered_again_when_the_lease_was_lost_with_the_connection(postgres_room: Sending) -> None:
    leased: Any = postgres_room.fanned("one")
    (one,) = ids(leased, 1)
    leased.commit([], [one])
    (two,) = ids(leased, 1)
    lose_the_answer_of(leased, "commit")
    postgres_room.clock.advance(LEASE * 0.5)
    real = leased._writer._open

    def taken_over() -> Any:
        if leased._writer._driver is None:
            postgres_room.take("two", gone=lambda owner: True)
        return real()

    leased._writer._open = taken_over
    assert leased.commit([], [two]).deliveries == frozenset()


@pytest.mark.postgres
def test_a_server_that_does_not_come_back_is_said(postgres_room: Sending) -> None:
    leased: Any = postgres_room.fanned()
    (one,) = ids(leased, 1)
    leased.commit([], [one])
    leased._writer._patience = 0.2

    def refuse() -> Any:
        raise StoreError("database does not answer")

    leased._writer._connect = refuse
    end_other_connections(postgres_room)
    with pytest.raises(StoreError, match="does not answer"):
        leased.commit([accepted(one)], [])


@pytest.mark.postgres
def test_a_reader_who_leaves_within_a_chunk_does_not_end_the_fan_out(postgres_room: Sending) -> None:
    def leave(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO delivery") and not left:
            left.append(postgres_room.subscribers.leave(3, source="one-click"))

    left: list[object] = []
    sa.event.listen(postgres_room.database._engine, "before_cursor_execute", leave)
    made = postgres_room.take().fan_out()
    assert left
    assert (made.candidates, made.queued) == (5, 5)  # the claim will skip it
    postgres_room.set_edition(state="sending")
    assert postgres_room.take("one").claim(9).skipped == 1


# --- the pace of a fan-out --------------------------------------------------------------------------


@given(st.lists(st.floats(0, 5), max_size=30))
def test_a_chunk_follows_the_time_that_the_last_ones_took(took: list[float]) -> None:
    pace = Pace(aim=0.1)
    for seconds in took:
        before = pace.size
        pace.took(seconds)
        assert 100 <= pace.size <= min(50_000, 2 * before)
        assert (pace.size <= before) or seconds < 0.1
    fixed = Pace(7)
    fixed.took(99)
    assert fixed.size == 7


def test_everybody_is_in_the_ledger_once_while_others_leave(room: Sending) -> None:
    room.subscribe(f"more{n}@example.test" for n in range(60))
    leavers = iter(range(60, 0, -7))

    def leave(_chunk: int) -> None:
        number = next(leavers, None)
        if number is not None:
            room.subscribers.leave(number, source="one-click")

    made = room.take().fan_out(chunk=10, told=leave)
    assert made.candidates == made.queued + sum(made.skipped.values()) == len(room.rows())
    assert room.ledger.counts(room.number) == by_state(room.database)
    assert Counter(row.subscription for row in room.rows().values()).most_common(1)[0][1] == 1
