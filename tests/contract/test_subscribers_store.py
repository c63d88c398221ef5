"""Subscriptions on both databases: taking people in, leaving, coming back, the audience."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
import sqlalchemy as sa

import subscribers.intake
from digest.store import Database
from digest.store.tables import delivery, newsletter, people
from subscribers import (
    UNDO_WITHIN,
    Entry,
    ImportRefused,
    Rejected,
    Subscribers,
    Subscription,
    SubscriptionState,
    SuppressionReason,
    TooLate,
    UnknownSubscription,
)
from tests.fakes import FixedClock

SECRET = b"a secret of these tests"
BASIS = "double opt-in at the old site"


@pytest.fixture
def store(database: Database, clock: FixedClock) -> Subscribers:
    with database.write() as connection:
        connection.execute(
            sa.insert(newsletter), [{"slug": slug, "since": clock.now()} for slug in ("weekly", "daily")]
        )
    return Subscribers(database, people, address_secret=SECRET, now=clock.now)


def entries(*addresses: str) -> list[Entry]:
    return [Entry(address, row=row) for row, address in enumerate(addresses, 2)]


def take_in(store: Subscribers, *addresses: str, newsletter: str = "weekly") -> Subscription:
    """Imports and returns the newest subscription."""
    store.import_confirmed(entries(*addresses), newsletter, source="import:test", basis=BASIS)
    return store.subscriptions(newsletter)[-1]


def audience(store: Subscribers, database: Database, newsletter: str = "weekly") -> list[str]:
    statement = store.audience(newsletter)
    keys = statement.subquery()
    with database.read() as connection:
        rows = connection.execute(
            sa.select(keys.c.address)
            .where(keys.c.address_key.not_in(store.do_not_send()))
            .order_by(keys.c.subscription)
        )
        return list(rows.scalars())


def consents(database: Database, subscription: int) -> list[tuple[str, str, str]]:
    consent = people.consent
    with database.read() as connection:
        rows = connection.execute(
            sa.select(consent.c.action, consent.c.source, consent.c.basis)
            .where(consent.c.subscription == subscription)
            .order_by(consent.c.id)
        )
        return [tuple(row) for row in rows]


# --- taking in ----------------------------------------------------------------------------------------


def test_imported_people_are_the_audience_with_their_consent(store: Subscribers, database: Database) -> None:
    report = store.import_confirmed(
        [Entry("Anna@Example.org", " Anna\tLee\u202e ", "en_GB", 2), Entry("bob@bücher.example", row=3)],
        "weekly",
        source="import:people.csv",
        basis=f" {BASIS} ",
        wording="Yes, every week",
    )
    assert (report.new, report.already, report.rejected) == (2, 0, ())
    with database.read() as connection:
        rows = connection.execute(store.audience("weekly").order_by("subscription")).mappings().all()
    assert [dict(row) | {"address_key": ""} for row in rows] == [
        {
            "subscription": rows[0]["subscription"],
            "address": "Anna@example.org",
            "address_key": "",
            "mailbox": rows[0]["mailbox"],
            "domain": "example.org",
            "name": "Anna Lee",
            "language": "en-GB",
        },
        {
            "subscription": rows[1]["subscription"],
            "address": "bob@xn--bcher-kva.example",
            "address_key": "",
            "mailbox": rows[1]["mailbox"],
            "domain": "xn--bcher-kva.example",
            "name": "",
            "language": "",
        },
    ]
    assert consents(database, rows[0]["subscription"]) == [("imported", "import:people.csv", BASIS)]
    assert audience(store, database, "daily") == []


def test_import_again_changes_nothing(store: Subscribers, database: Database) -> None:
    first = take_in(store, "anna@example.org")
    report = store.import_confirmed(entries("ANNA@example.org"), "weekly", source="again", basis=BASIS)
    assert (report.new, report.already) == (0, 1)
    assert store.subscriptions("weekly") == [first]
    assert consents(database, first.id) == [("imported", "import:test", BASIS)]


def test_mailbox_named_twice_in_a_list_is_one_subscriber(store: Subscribers, database: Database) -> None:
    report = store.import_confirmed(
        entries("carol@example.org", "CAROL@example.org", "carol@example.org"),
        "weekly",
        source="test",
        basis=BASIS,
    )
    assert (report.new, report.already) == (1, 2)
    assert audience(store, database) == ["carol@example.org"]


def test_one_person_may_have_two_newsletters(store: Subscribers, database: Database) -> None:
    weekly = take_in(store, "anna@example.org")
    daily = take_in(store, "anna@example.org", newsletter="daily")
    assert weekly.subscriber == daily.subscriber
    store.leave(daily.id, source="page")
    assert audience(store, database, "weekly") == ["anna@example.org"]
    assert audience(store, database, "daily") == []


def test_rejected_entries_are_named_and_the_others_taken(store: Subscribers, database: Database) -> None:
    report = store.import_confirmed(
        entries("good@example.org", "not-an-address", "用户@example.org"),
        "weekly",
        source="test",
        basis=BASIS,
    )
    assert report.new == 2
    assert report.smtputf8 == 1
    assert report.rejected == (Rejected(3, "not-an-address", "there is no @ in it"),)


def test_name_is_filled_in_but_never_replaced(store: Subscribers, database: Database) -> None:
    take_in(store, "anna@example.org")
    for name in ("Anna", "Somebody Else"):
        store.import_confirmed([Entry("anna@example.org", name)], "weekly", source="test", basis=BASIS)
    assert [each.name for each in store.subscriptions("weekly")] == ["Anna"]


def test_import_never_brings_back_who_left(store: Subscribers, database: Database) -> None:
    store.leave(take_in(store, "anna@example.org").id, source="one-click")
    report = store.import_confirmed(
        entries("anna@example.org", "Anna@example.org"), "weekly", source="test", basis=BASIS
    )
    assert (report.new, report.left_before) == (0, 2)
    assert audience(store, database) == []


def test_import_never_subscribes_a_suppressed_mailbox(store: Subscribers, database: Database) -> None:
    store.import_suppressions(entries("Anna@example.org"), SuppressionReason.complaint)
    report = store.import_confirmed(entries("anna@example.org"), "weekly", source="test", basis=BASIS)
    assert (report.new, report.suppressed) == (0, 1)
    assert store.subscriptions("weekly") == []


def test_import_confirms_who_was_waiting(store: Subscribers, database: Database) -> None:
    pending = take_in(store, "anna@example.org")
    with database.write() as connection:
        connection.execute(sa.update(people.subscription).values(state="pending"))
    report = store.import_confirmed(entries("anna@example.org"), "weekly", source="second", basis=BASIS)
    assert report.new == 1
    assert store.subscription(pending.id).state is SubscriptionState.confirmed
    assert [source for _, source, _ in consents(database, pending.id)] == ["import:test", "second"]


@pytest.mark.parametrize(("slug", "basis", "said"), [("weekly", " ", "basis"), ("other", BASIS, "'other'")])
def test_import_that_cannot_be_accounted_for_is_refused(
    store: Subscribers, slug: str, basis: str, said: str
) -> None:
    with pytest.raises(ImportRefused, match=said) as refused:
        store.import_confirmed(entries("anna@example.org"), slug, source="test", basis=basis)
    assert refused.value.hint
    assert store.subscriptions("weekly") == []


def test_long_lists_go_in_batches_and_tell_their_progress(
    store: Subscribers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribers.intake, "BATCH", 10)
    told: list[int] = []
    report = store.import_confirmed(
        (Entry(f"reader{n % 25}@example.org") for n in range(34)),
        "weekly",
        source="test",
        basis=BASIS,
        progress=told.append,
    )
    assert (report.new, report.already) == (25, 9)
    assert told == [10, 10, 10, 4]


def test_two_imports_at_once_take_everyone_in_once(store: Subscribers, database: Database) -> None:
    start = threading.Barrier(2)
    reports = []

    def work() -> None:
        start.wait()
        reports.append(
            store.import_confirmed(
                (Entry(f"reader{n}@example.org") for n in range(5000)), "weekly", source="test", basis=BASIS
            )
        )

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(report.new for report in reports) == 5000
    assert sum(report.already for report in reports) == 5000
    assert len(set(audience(store, database))) == len(audience(store, database)) == 5000


# --- leaving and coming back --------------------------------------------------------------------------


def test_leaving_takes_effect_at_once_and_only_once(
    store: Subscribers, database: Database, clock: FixedClock
) -> None:
    reader = take_in(store, "anna@example.org", "bob@example.org")
    left = store.leave(reader.id, source="one-click")
    clock.advance(dt.timedelta(hours=1))
    assert store.leave(reader.id, source="page") == left
    assert left.state is SubscriptionState.unsubscribed
    assert audience(store, database) == ["anna@example.org"]
    assert [(action, source) for action, source, _ in consents(database, reader.id)] == [
        ("imported", "import:test"),
        ("left", "one-click"),
    ]


def test_leaving_counts_for_the_mailbox_however_it_is_written(
    store: Subscribers, database: Database, clock: FixedClock
) -> None:
    reader = take_in(store, "bob@example.org")
    with database.write() as connection:
        key = connection.scalar(sa.select(people.subscriber.c.address_key))
        twin = connection.execute(
            sa.insert(people.subscriber)
            .values(address="Bob@example.org", address_key=key, key_version=1, created=clock.now())
            .returning(people.subscriber.c.id)
        ).scalar_one()
        for slug in ("weekly", "daily"):
            connection.execute(
                sa.insert(people.subscription).values(
                    subscriber=twin, newsletter=slug, state="confirmed", changed=clock.now()
                )
            )
    store.leave(reader.id, source="page")
    assert audience(store, database, "weekly") == []
    assert audience(store, database, "daily") == ["Bob@example.org"]


def test_leaving_can_be_taken_back_for_a_while(
    store: Subscribers, database: Database, clock: FixedClock
) -> None:
    reader = take_in(store, "anna@example.org")
    store.leave(reader.id, source="page")
    clock.advance(UNDO_WITHIN)
    back = store.undo(reader.id, source="page")
    assert back.state is SubscriptionState.confirmed
    assert store.undo(reader.id, source="page") == back
    assert [action for action, _, _ in consents(database, reader.id)] == ["imported", "left", "returned"]
    assert audience(store, database) == ["anna@example.org"]

    store.leave(reader.id, source="page")
    clock.advance(UNDO_WITHIN + dt.timedelta(seconds=1))
    with pytest.raises(TooLate):
        store.undo(reader.id, source="page")
    assert audience(store, database) == []


def test_someone_who_never_confirmed_goes_back_to_waiting(store: Subscribers, database: Database) -> None:
    reader = take_in(store, "anna@example.org")
    with database.write() as connection:
        connection.execute(sa.delete(people.consent))
        connection.execute(sa.update(people.subscription).values(state="pending"))
    store.leave(reader.id, source="page")
    assert store.undo(reader.id, source="page").state is SubscriptionState.pending


def test_erased_person_is_nobodys_audience_and_cannot_come_back(
    store: Subscribers, database: Database, clock: FixedClock
) -> None:
    reader = take_in(store, "anna@example.org")
    with database.write() as connection:
        connection.execute(
            sa.update(people.subscriber).values(address=None, name="", domain="", erased=clock.now())
        )
    assert audience(store, database) == []
    store.leave(reader.id, source="page")
    with pytest.raises(TooLate):
        store.undo(reader.id, source="page")
    # Nor by an import, although nothing but the key is left of them.
    report = store.import_confirmed(entries("anna@example.org"), "weekly", source="test", basis=BASIS)
    assert (report.new, report.left_before) == (0, 1)


def test_unknown_subscription_is_said_to_be_unknown(store: Subscribers) -> None:
    for act in (
        store.subscription,
        lambda n: store.leave(n, source="page"),
        lambda n: store.undo(n, source=""),
    ):
        with pytest.raises(UnknownSubscription):
            act(4711)


def test_subscriptions_are_found_by_any_spelling_of_the_address(store: Subscribers) -> None:
    weekly = take_in(store, "anna@example.org")
    daily = take_in(store, "Anna@example.org", newsletter="daily")
    assert store.of_address("ANNA@EXAMPLE.org") == [weekly, daily]
    assert store.of_address("bob@example.org") == []


def test_name_is_known_by_any_spelling_of_the_address(store: Subscribers) -> None:
    store.import_confirmed([Entry("anna@example.org", "Anna")], "weekly", source="test", basis=BASIS)
    assert store.name_of("ANNA@example.org") == "Anna"
    assert store.name_of("bob@example.org") == ""


# --- suppressions -------------------------------------------------------------------------------------


def test_suppressed_mailbox_is_never_sent_to_and_its_first_reason_stays(
    store: Subscribers, database: Database
) -> None:
    take_in(store, "anna@example.org", "bob@example.org")
    first = store.import_suppressions(
        entries("ANNA@example.org", "anna@example.org", "rubbish"),
        SuppressionReason.manual,
        "asked by letter",
    )
    assert (first.new, first.already, len(first.rejected)) == (1, 1, 1)
    second = store.import_suppressions(entries("anna@example.org"), SuppressionReason.imported)
    assert (second.new, second.already) == (0, 1)
    assert audience(store, database) == ["bob@example.org"]
    assert store.suppressions() == {SuppressionReason.manual: 1}


# --- looking ------------------------------------------------------------------------------------------


def test_counts_tell_states_and_who_can_be_reached(store: Subscribers) -> None:
    take_in(store, "anna@example.org", "bob@example.org", "carol@example.org")
    store.leave(take_in(store, "dora@example.org").id, source="page")
    store.import_suppressions(entries("bob@example.org"), SuppressionReason.manual)
    counts = store.counts("weekly")
    assert counts.states == {
        SubscriptionState.pending: 0,
        SubscriptionState.confirmed: 3,
        SubscriptionState.unsubscribed: 1,
    }
    assert counts.reachable == 2


def test_subscriptions_are_listed_page_by_page(store: Subscribers) -> None:
    take_in(store, *(f"reader{n}@example.org" for n in range(5)))
    first = store.subscriptions("weekly", limit=3)
    rest = store.subscriptions("weekly", after=first[-1].id, state=SubscriptionState.confirmed)
    assert [each.address for each in first + rest] == [f"reader{n}@example.org" for n in range(5)]
    assert store.subscriptions("weekly", state=SubscriptionState.unsubscribed) == []


def test_schema_refuses_a_second_subscription_of_one_person(
    store: Subscribers, database: Database, clock: FixedClock
) -> None:
    reader = take_in(store, "anna@example.org")
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.execute(
            sa.insert(people.subscription).values(
                subscriber=reader.subscriber, newsletter="weekly", state="confirmed", changed=clock.now()
            )
        )


def test_ledger_can_be_filled_from_the_audience(store: Subscribers, database: Database) -> None:
    """The columns that the fan-out copies are there under the ledger's own names."""
    names = set(store.audience("weekly").selected_columns.keys())
    assert names - {"language"} <= set(delivery.c.keys())
