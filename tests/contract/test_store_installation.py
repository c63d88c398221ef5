"""One installation, one leader, and alerts that are told once; on both databases."""

from __future__ import annotations

import datetime as dt
import threading

from digest.model import StoryDraft
from digest.store import Database
from digest.store.events import Events, record
from digest.store.installation import Installation
from digest.store.sources import Brought, Sources
from digest.store.stories import Stories
from tests.fakes import FixedClock

MINUTE = dt.timedelta(minutes=1)


def test_the_name_of_the_installation_stays(database: Database) -> None:
    first = Installation(database).id
    assert len(first) == 32
    database.upgrade()
    assert Installation(database).id == first


def test_generation_only_rises(database: Database) -> None:
    installation = Installation(database)
    assert installation.generation == 0
    assert [installation.bump_generation() for _ in range(3)] == [1, 2, 3]
    assert installation.generation == 3


def test_a_lease_has_one_owner(database: Database, clock: FixedClock) -> None:
    installation = Installation(database)
    assert installation.lease("leader") is None
    assert installation.acquire("leader", "a", now=clock.now(), length=MINUTE) == 1
    assert installation.acquire("leader", "b", now=clock.now(), length=MINUTE) is None
    assert installation.acquire("ledger", "b", now=clock.now(), length=MINUTE) == 1
    held = installation.lease("leader")
    assert held is not None
    assert (held.owner, held.epoch, held.until) == ("a", 1, clock.now() + MINUTE)


def test_a_lease_that_ran_out_is_taken_with_a_new_epoch_and_the_old_owner_is_fenced(
    database: Database, clock: FixedClock
) -> None:
    installation = Installation(database)
    assert installation.acquire("leader", "a", now=clock.now(), length=MINUTE) == 1
    clock.advance(MINUTE)
    assert not installation.renew("leader", "a", 1, now=clock.now(), length=MINUTE)
    assert installation.acquire("leader", "b", now=clock.now(), length=MINUTE) == 2
    assert not installation.renew("leader", "a", 1, now=clock.now(), length=MINUTE)
    assert not installation.release("leader", "a", 1, now=clock.now())
    assert installation.renew("leader", "b", 2, now=clock.now(), length=2 * MINUTE)
    clock.advance(MINUTE)
    assert installation.acquire("leader", "a", now=clock.now(), length=MINUTE) is None


def test_a_restarted_owner_fences_its_former_self(database: Database, clock: FixedClock) -> None:
    installation = Installation(database)
    assert installation.acquire("leader", "a", now=clock.now(), length=MINUTE) == 1
    assert installation.acquire("leader", "a", now=clock.now(), length=MINUTE) == 2
    assert not installation.renew("leader", "a", 1, now=clock.now(), length=MINUTE)


def test_a_lease_given_back_is_free_at_once_and_epochs_go_on(database: Database, clock: FixedClock) -> None:
    installation = Installation(database)
    assert installation.acquire("leader", "a", now=clock.now(), length=MINUTE) == 1
    assert installation.release("leader", "a", 1, now=clock.now())
    assert not installation.release("leader", "a", 1, now=clock.now())
    assert installation.acquire("leader", "b", now=clock.now(), length=MINUTE) == 2


def test_of_many_that_ask_at_once_one_gets_the_lease(database: Database, clock: FixedClock) -> None:
    barrier = threading.Barrier(8)
    epochs: list[int | None] = []

    def ask(owner: str) -> None:
        barrier.wait()
        epochs.append(Installation(database).acquire("leader", owner, now=clock.now(), length=MINUTE))

    threads = [threading.Thread(target=ask, args=(f"worker {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(epochs, key=str) == [1] + [None] * 7


def test_an_alert_is_new_once_until_it_is_settled(database: Database, clock: FixedClock) -> None:
    installation = Installation(database)
    assert installation.raise_alert("signals", "no signals for 2 days", at=clock.now())
    assert not installation.raise_alert("signals", "no signals for 3 days", at=clock.now())
    assert installation.raise_alert("relay", "the relay is down", at=clock.now())
    assert [(a.key, a.message) for a in installation.untold()] == [
        ("signals", "no signals for 3 days"),
        ("relay", "the relay is down"),
    ]
    installation.mark_told([installation.untold()[0].id], at=clock.now())
    assert [a.key for a in installation.untold()] == ["relay"]
    assert [a.key for a in installation.open_alerts()] == ["signals", "relay"]
    assert installation.settle("signals", at=clock.now())
    assert not installation.settle("signals", at=clock.now())
    assert [a.key for a in installation.open_alerts()] == ["relay"]
    assert installation.raise_alert("signals", "again", at=clock.now())


def test_events_are_kept_with_what_was_done(database: Database, clock: FixedClock) -> None:
    with database.write() as connection:
        record(connection, at=clock.now(), actor="Ann", action="hold", subject="edition 1", reason="typo")
        record(connection, at=clock.now(), actor="Ben", action="release", subject="edition 1")
        record(connection, at=clock.now(), actor="Ben", action="build", subject="edition 2")
    events = Events(database)
    assert [(e.actor, e.action, dict(e.detail)) for e in events.of("edition 1")] == [
        ("Ben", "release", {}),
        ("Ann", "hold", {"reason": "typo"}),
    ]
    assert [e.subject for e in events.of(limit=1)] == ["edition 2"]


def test_a_source_remembers_what_it_said_last(database: Database, clock: FixedClock) -> None:
    sources = Sources(database)
    assert sources.get("news").last_poll is None
    assert sources.list_() == []
    sources.succeeded("news", at=clock.now(), etag='"1"', modified="yesterday")
    first = clock.now()
    clock.advance(MINUTE)
    sources.failed("news", "HTTP 500", at=clock.now())
    state = sources.get("news")
    assert (state.last_poll, state.last_success, state.last_error) == (clock.now(), first, "HTTP 500")
    assert (state.etag, state.modified) == ('"1"', "yesterday")
    sources.succeeded("news", at=clock.now())
    assert sources.list_() == [sources.get("news")]
    assert sources.get("news").last_error == ""


def test_a_source_that_fails_is_asked_later_until_it_is_well(database: Database, clock: FixedClock) -> None:
    sources, later = Sources(database), clock.now() + MINUTE
    sources.succeeded("news", at=clock.now(), etag='"1"', modified="then", address="a")
    sources.failed("news", "HTTP 500", at=clock.now(), not_before=later, address="a", failures=3)
    state = sources.get("news")
    assert (state.failures, state.not_before, state.address) == (3, later, "a")
    assert state.etag == '"1"'
    sources.failed("news", "HTTP 500", at=clock.now(), not_before=later, address="b")
    assert (sources.get("news").etag, sources.get("news").modified) == ("", ""), (
        "those were of another address"
    )
    sources.succeeded("news", at=clock.now(), address="b")
    assert (sources.get("news").failures, sources.get("news").not_before) == (0, None)


def test_what_a_source_has_brought_is_counted(database: Database, clock: FixedClock) -> None:
    stories, hour = Stories(database), dt.timedelta(hours=1)
    for name, ages in {"paper": (1, 2, 50, 60), "blog": (700, 900), "old": (3000, 3001, 3002)}.items():
        drafts = [
            StoryDraft(str(age), f"https://{name}.example/{age}", "Title", published=clock.now() - age * hour)
            for age in ages
        ]
        stories.import_drafts(name, drafts, seen=clock.now())
    brought = Sources(database).brought(clock.now())
    assert brought["paper"] == Brought(4, clock.now() - hour, 48 * hour)
    assert brought["blog"] == Brought(2, clock.now() - 700 * hour, None)
    assert brought["old"] == Brought(3, clock.now() - 3000 * hour, None)


def test_a_lease_taken_while_a_clock_was_wrong_binds_nobody(database: Database, clock: FixedClock) -> None:
    installation = Installation(database)
    ahead = clock.now() + dt.timedelta(days=3650)
    assert installation.acquire("leader", "a", now=ahead, length=MINUTE) == 1
    assert installation.acquire("leader", "b", now=clock.now(), length=MINUTE) == 2
    assert not installation.renew("leader", "a", 1, now=ahead, length=MINUTE)
    assert installation.acquire("leader", "c", now=clock.now(), length=MINUTE) is None
